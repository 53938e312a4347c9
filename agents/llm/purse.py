"""What a whole run may spend, has spent and has set aside: amounts only, whatever they are for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from agents.llm.halt import Halt


class BudgetReached(Halt):
    """The next attempt could pass a cap. What had ended is kept, and the run can be resumed with a higher one."""


@dataclass(frozen=True)
class Caps:
    """Limits of a run; None is no limit. Money is in US dollars."""

    calls: int | None = None
    tokens: int | None = None
    cost: Decimal | None = None


@dataclass(frozen=True)
class Spent:
    """What attempts took, or may take; `cost` is None where the price is unknown."""

    calls: int
    tokens: int
    cost: Decimal | None

    def __add__(self, other: Spent) -> Spent:
        cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        return Spent(self.calls + other.calls, self.tokens + other.tokens, cost)

    def __sub__(self, other: Spent) -> Spent:
        cost = None if self.cost is None or other.cost is None else self.cost - other.cost
        return Spent(self.calls - other.calls, self.tokens - other.tokens, cost)

    def within(self, caps: Caps) -> bool:
        """Whether no cap is passed. An unknown cost passes any cap."""
        return (
            (caps.calls is None or self.calls <= caps.calls)
            and (caps.tokens is None or self.tokens <= caps.tokens)
            and (caps.cost is None or (self.cost is not None and self.cost <= caps.cost))
        )


NOTHING = Spent(0, 0, Decimal(0))


class Purse(Protocol):
    """Where attempts are paid from: in this process, or kept elsewhere for many of them."""

    async def reserve(self, most: Spent) -> None:
        """Set so much aside, waiting for others to end where only they leave room.

        Raises BudgetReached if there is no room and nobody is left to leave any.
        """
        ...

    def settle(self, reserved: Spent, taken: Spent | None) -> None:
        """Replace what was set aside by what the attempt took; None: it took nothing."""
        ...

    def add(self, taken: Spent) -> None:
        """What was spent before, by a run that is gone on with."""
        ...


class OwnPurse:
    """A purse in this process. What waits for room is on one event loop at a time."""

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self.spent = NOTHING
        """By all attempts that have ended."""
        self.reserved = NOTHING
        self._waiting: list[asyncio.Event] = []

    async def reserve(self, most: Spent) -> None:
        """As any purse."""
        while not self.reserve_now(most):
            if not self.reserved.calls:
                raise BudgetReached(self._explanation(most))
            change = asyncio.Event()
            self._waiting.append(change)
            await change.wait()

    def reserve_now(self, most: Spent) -> bool:
        """The same without waiting; False where there is no room now."""
        if not (self.spent + self.reserved + most).within(self.caps):
            return False
        self.commit(most)
        return True

    def commit(self, most: Spent) -> None:
        """Set so much aside, whatever the caps say."""
        self.reserved += most

    def settle(self, reserved: Spent, taken: Spent | None) -> None:
        """As any purse."""
        self.reserved -= reserved
        if taken is not None:
            self.add(taken)
        waiting, self._waiting = self._waiting, []
        for change in waiting:
            change.set()

    def add(self, taken: Spent) -> None:
        """As any purse."""
        self.spent += taken

    def _explanation(self, most: Spent) -> str:
        caps, spent = self.caps, self.spent
        told = [
            f"{taken} of {cap} {name} are spent, and the next call may take {needed}"
            for name, cap, taken, needed in (
                ("calls", caps.calls, spent.calls, most.calls),
                ("tokens", caps.tokens, spent.tokens, most.tokens),
                ("US dollars", caps.cost, spent.cost, most.cost),
            )
            if cap is not None and taken is not None and needed is not None and taken + needed > cap
        ]
        return "; ".join(told)
