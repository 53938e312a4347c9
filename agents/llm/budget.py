"""Caps on a whole run: calls, tokens and money, reserved before each attempt and settled after it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from agents.llm.halt import Halt
from agents.llm.prices import usage_cost
from agents.llm.tokens import bound_tokens, longest_reply
from agents.llm.types import CallError, ClientSetupError, Completion

if TYPE_CHECKING:
    from agents.llm.prices import Prices
    from agents.llm.record import Attempt, Record
    from agents.llm.tokens import TokenCounter
    from agents.llm.types import Request


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


@dataclass
class _Purse:
    """What was spent and what is set aside."""

    spent: Spent = Spent(0, 0, Decimal(0))
    reserved: Spent = Spent(0, 0, Decimal(0))


class Budget:
    """What a run may spend, and has spent.

    An attempt reserves the most that it can take: its prompt and the longest reply that it allows. Where the prompt's
    tokens cannot be counted exactly its bytes are reserved, which no tokenizer exceeds. After it, an answer counts as
    the server's `usage` says, or as the reservation where it says nothing; an attempt that the server turned away with
    a status counts nothing; and one that may have been answered without our hearing of it (a cut connection, a timeout, an
    answer that is none) counts as its reservation. So by the server's own count the caps are never passed.

    Calls at other prices count in a budget of their own `beside` it, which has the same caps and spends from the same purse;
    only one of the two may be asked from at a time.

    Raises ClientSetupError if a cap cannot be kept: no price for a cap on money.
    """

    def __init__(
        self, caps: Caps, prices: Prices | None, tokens: TokenCounter, beside: Budget | None = None
    ) -> None:
        if caps.cost is not None and prices is None:
            raise ClientSetupError(
                "a cap on money needs the price of the model, and none is published for it at this address: give your "
                "own as users.prices, in US dollars per million tokens ({input: 0.5, output: 1.5})"
            )
        self.prices, self.tokens = prices, tokens
        self._caps = caps
        self._limits_size = caps.tokens is not None or caps.cost is not None
        self._nothing = None if prices is None else Decimal(0)
        self._purse: _Purse = beside._purse if beside else _Purse()  # noqa: SLF001 - of its own kind
        self._change = asyncio.Event()

    @property
    def spent(self) -> Spent:
        """By all attempts that have ended, those of a resumed run's journal included."""
        spent = self._purse.spent
        # Nothing spent at no known price is no known cost either.
        return spent if self.prices is not None else Spent(spent.calls, spent.tokens, None)

    def count(self, record: Record) -> None:
        """Add what a call of a resumed run's journal took; answers of the cache took nothing."""
        for attempt in record.attempts:
            self._count(record, attempt)

    async def reserve(self, request: Request) -> Spent:
        """Set aside what an attempt may take, waiting for others to end where only they leave room.

        Raises BudgetReached if there is no room and nobody is left to leave any.
        """
        while (reserved := self.reserve_now(request)) is None:
            if not self._purse.reserved.calls:
                raise BudgetReached(self._explanation(self._reservation(request)))
            self._change.clear()
            await self._change.wait()
        return reserved

    def reserve_now(self, request: Request) -> Spent | None:
        """The same without waiting; None where there is no room now."""
        most = self._reservation(request)
        if not (self.spent + self._purse.reserved + most).within(self._caps):
            return None
        self._purse.reserved += most
        return most

    def commit(self, request: Request) -> Spent:
        """Set aside what an attempt may take that was sent already, whatever the caps say now."""
        most = self._reservation(request)
        self._purse.reserved += most
        return most

    def settle(self, request: Request, reserved: Spent, outcome: Completion | CallError | None) -> None:
        """Replace a reservation by what the attempt took; None: it was given up, and nobody knows."""
        self._purse.reserved -= reserved
        if not (isinstance(outcome, CallError) and outcome.status is not None):
            self._purse.spent += self._taken(request, outcome if isinstance(outcome, Completion) else None)
        self._change.set()

    def release(self, reserved: Spent) -> None:
        """Take back a reservation whose attempt is not made."""
        self._purse.reserved -= reserved
        self._change.set()

    def close(self, record: Record, reserved: Spent) -> None:
        """Replace a reservation by what the last attempt of a record took."""
        self.release(reserved)
        self._count(record, record.attempts[-1])

    def _count(self, record: Record, attempt: Attempt) -> None:
        outcome = record.completion if attempt.error is None else None
        if outcome is not None or (attempt.status is None and not attempt.unspent):
            self._purse.spent += self._taken(record.request, outcome)

    def _reservation(self, request: Request) -> Spent:
        return self._most(request) if self._limits_size else Spent(1, 0, self._nothing)

    def _taken(self, request: Request, completion: Completion | None) -> Spent:
        usage = completion.usage if completion is not None else None
        if usage is not None and usage.prompt_tokens is not None and usage.completion_tokens is not None:
            cost = None if self.prices is None else usage_cost(self.prices, usage)
            return Spent(1, usage.prompt_tokens + usage.completion_tokens, cost)
        if self._limits_size:
            return self._most(request)
        # Nothing was reserved, so this is no bound but the best guess.
        reply = longest_reply(request) or 0
        if completion is not None:
            reply = self.tokens.text(completion.text)
        return self._sum(self.tokens.prompt(request.messages), reply)

    def _most(self, request: Request) -> Spent:
        exact = self.tokens.exact
        prompt = self.tokens.prompt(request.messages) if exact else bound_tokens(request.messages)
        reply = longest_reply(request)
        if reply is None:
            raise ClientSetupError(
                "a cap on tokens or money needs a limit on each reply, or no call could be reserved for: set "
                "users.params.max_tokens (max_completion_tokens for reasoning models)"
            )
        return self._sum(prompt, reply)

    def _sum(self, prompt: int, reply: int) -> Spent:
        return Spent(1, prompt + reply, None if self.prices is None else self.prices.cost(prompt, reply))

    def _explanation(self, most: Spent) -> str:
        caps, spent = self._caps, self.spent
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
