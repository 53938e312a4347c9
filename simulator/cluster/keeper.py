"""One purse and one set of limits of a minute for all actors of a run, and how actors reach them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from agents.llm import BudgetReached, Caps, Halt, Spent
from agents.llm.limiter import PerMinute
from agents.llm.purse import NOTHING, OwnPurse

if TYPE_CHECKING:
    from collections.abc import Sequence

Settlement = tuple[Spent, Spent | None]
"""What was set aside for an attempt, and what it took; None: nothing."""
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

    async def exchange(self, holder: str, settled: Sequence[Settlement], wanted: Sequence[Spent]) -> int:
        """Replace reservations by what attempts took, then set aside what is wanted: how many of it, from the first on, there is room
        for now.
        """
        if holder in self._lost:  # what it held was counted in full
            return 0
        for reserved, taken in settled:
            self._held[holder] -= reserved
            self._purse.settle(reserved, taken)
        for granted, most in enumerate(wanted):
            if not self._purse.reserve_now(most):
                return granted
            self._held[holder] = self._held.get(holder, NOTHING) + most
        return len(wanted)

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
    """The purse of a run, as one gateway of an actor reaches it.

    A message to the keeper costs more than a call. So while one is on its way, what is asked for and what is settled meanwhile is
    gathered, and goes with the next.
    """

    def __init__(self, ray: Any, keeper: Any, holder: str) -> None:
        self._ray, self._keeper, self._holder = ray, keeper, holder
        self._wanted: list[tuple[Spent, asyncio.Future[bool]]] = []
        self._settled: list[Settlement] = []
        self._messenger: asyncio.Task[None] | None = None
        self._sent: Any = None

    async def reserve(self, most: Spent) -> None:
        """As any purse."""
        granted = asyncio.get_running_loop().create_future()
        self._wanted.append((most, granted))
        self._send()
        if await granted:
            return
        # There is no room now: whether some will be left only the keeper can tell.
        try:
            refused = await self._keeper.reserve.remote(self._holder, most)
        except self._ray.exceptions.RayActorError:
            raise KeeperGoneError from None
        if refused is not None:
            raise BudgetReached(refused)

    def settle(self, reserved: Spent, taken: Spent | None) -> None:
        """As any purse; told without waiting."""
        self._settled.append((reserved, taken))
        self._send()

    def add(self, taken: Spent) -> None:
        """Nothing: what sessions before have spent the keeper was told at its beginning."""

    def flush(self) -> None:
        """Wait until the keeper knows all that was settled."""
        settled, self._settled = self._settled, []
        try:
            self._ray.get([] if self._sent is None else [self._sent])
            self._ray.get(self._keeper.exchange.remote(self._holder, settled, []))
        except self._ray.exceptions.RayActorError:
            raise KeeperGoneError from None

    def _send(self) -> None:
        if self._messenger is None or self._messenger.done():
            self._messenger = asyncio.get_running_loop().create_task(self._exchange())

    async def _exchange(self) -> None:
        """Carry messages as long as there is something to tell."""
        while self._wanted or self._settled:
            wanted, self._wanted = self._wanted, []
            settled, self._settled = self._settled, []
            self._sent = self._keeper.exchange.remote(self._holder, settled, [most for most, _ in wanted])
            try:
                count = await self._sent
            except self._ray.exceptions.RayError as error:
                gone = isinstance(error, self._ray.exceptions.RayActorError)
                for _, granted in wanted:
                    if not granted.done():
                        granted.set_exception(KeeperGoneError() if gone else error)
                return  # of what was only settled `flush` will tell
            for place, (most, granted) in enumerate(wanted):
                if not granted.done():
                    granted.set_result(place < count)
                elif place < count:  # whoever asked has been cancelled: nothing is sent
                    self._settled.append((most, None))


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
