"""One purse and one set of limits of a minute for all actors of a run, and how actors reach them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents.llm import BudgetReached, Caps, Halt, Spent
from agents.llm.limiter import PerMinute
from agents.llm.purse import NOTHING, OwnPurse

if TYPE_CHECKING:
    from collections.abc import Sequence

_GONE = "the actor of this shard was given up, and another took its place"


class Keeper:
    """Runs as an actor of its own. It outlives the actors that reserve: what one had set aside when it died counts as spent,
    since its calls may have been answered without anybody's hearing of it.
    """

    def __init__(self, caps: Caps, spent: Spent, minutes: Sequence[tuple[int | None, int | None]]) -> None:
        """`spent` by the sessions before; `minutes` are requests and tokens a minute of each line."""
        self._purse = OwnPurse(caps)
        self._purse.spent = spent
        self._minutes = [PerMinute(*limits) for limits in minutes]
        self._held: dict[str, Spent] = {}
        self._lost: set[str] = set()

    async def reserve(self, holder: str, most: Spent) -> str | None:
        """Set so much aside for a holder; why it cannot be, where it cannot."""
        if holder in self._lost:
            return _GONE
        try:
            await self._purse.reserve(most)
        except BudgetReached as reached:
            return str(reached)
        if holder in self._lost:  # while it waited
            self._purse.settle(most, None)
            return _GONE
        self._held[holder] = self._held.get(holder, NOTHING) + most
        return None

    async def settle(self, holder: str, reserved: Spent, taken: Spent | None) -> None:
        """Replace a reservation by what the attempt took."""
        if holder not in self._lost:  # else it was counted in full
            self._held[holder] -= reserved
            self._purse.settle(reserved, taken)

    async def acquire(self, line: int, tokens: int) -> None:
        """Wait until the limits of a minute allow an attempt."""
        await self._minutes[line].acquire(tokens)

    async def lost(self, holder: str) -> None:
        """A holder died."""
        self._lost.add(holder)
        held = self._held.pop(holder, NOTHING)
        self._purse.settle(held, held)

    async def spent(self) -> Spent:
        """By all attempts that have ended."""
        return self._purse.spent


class KeeperGoneError(Halt):
    """Nobody knows any longer what may be spent."""

    def __init__(self) -> None:
        super().__init__(
            "the process that keeps the run's budget and its limits of a minute died; resume the run"
        )


class SharedPurse:
    """The purse of a run, as an actor reaches it."""

    def __init__(self, ray: Any, keeper: Any, holder: str) -> None:
        self._ray, self._keeper, self._holder = ray, keeper, holder
        self._sent: list[Any] = []

    async def reserve(self, most: Spent) -> None:
        """As any purse."""
        try:
            refused = await self._keeper.reserve.remote(self._holder, most)
        except self._ray.exceptions.RayActorError:
            raise KeeperGoneError from None
        if refused is not None:
            raise BudgetReached(refused)

    def settle(self, reserved: Spent, taken: Spent | None) -> None:
        """As any purse; told without waiting."""
        self._sent.append(self._keeper.settle.remote(self._holder, reserved, taken))

    def add(self, taken: Spent) -> None:
        """Nothing: what sessions before have spent the keeper was told at its beginning."""

    def flush(self) -> None:
        """Wait until the keeper knows all that it was told."""
        sent, self._sent = self._sent, []
        try:
            self._ray.get(sent)
        except self._ray.exceptions.RayActorError:
            raise KeeperGoneError from None


class SharedMinute(PerMinute):
    """The limits of a minute of one line, as an actor reaches them."""

    def __init__(self, ray: Any, keeper: Any, line: int, requests: int | None, tokens: int | None) -> None:
        super().__init__(requests, tokens)
        self._ray, self._keeper, self._line = ray, keeper, line

    async def acquire(self, tokens: int) -> None:
        """As all limits of a minute."""
        try:
            await self._keeper.acquire.remote(self._line, tokens)
        except self._ray.exceptions.RayActorError:
            raise KeeperGoneError from None
