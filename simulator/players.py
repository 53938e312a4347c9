"""Who plays the users of a phase: what is proposed goes in, turns come out, wherever they are played."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from simulator.cast import Cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agents.llm import Record, Request
    from simulator.cast import Casting, Note
    from simulator.transcript.proposals import Proposal
    from simulator.transcript.turns import Turn

    Advance = Callable[[int, int, int], None]
    """Told how many calls are over, of how many, and how many of them failed."""


class Asks(Protocol):
    """What is needed of a gateway."""

    def ask(
        self, requests: Sequence[Request], on_done: Callable[[Record], None] | None = None
    ) -> list[Record]:
        """A record for each request, in order; `on_done` is told of each as it ends."""
        ...


class Told(NamedTuple):
    """What an arm's users made of what was proposed to them."""

    turns: list[Turn]
    """One for each proposal, in order."""
    records: list[Record]
    """Of their calls; texts of prompts and answers may be left out, which are in the journal."""


class SummedUp(NamedTuple):
    """What an arm's users noted of themselves."""

    notes: list[Note]
    """One for each turn of the round, in order."""
    records: list[Record]


class Players(Protocol):
    """Plays the users of all arms, one phase after the other."""

    def enter(self, castings: Mapping[str, Casting]) -> None:
        """A phase begins, with these users in each arm."""
        ...

    def play(self, dealt: Mapping[str, Sequence[Proposal]], advance: Advance) -> dict[str, Told]:
        """What users make of what is dealt to them, by arm."""
        ...

    def sum_up(self, arms: Sequence[str], advance: Advance) -> dict[str, SummedUp]:
        """What users of these arms note after a round that was dealt to them at once."""
        ...


class Here:
    """Plays everybody in this process; `gateways` by the name of the arm."""

    def __init__(self, gateways: Mapping[str, Asks]) -> None:
        self._gateways = gateways
        self._casts: dict[str, Cast] = {}

    def enter(self, castings: Mapping[str, Casting]) -> None:
        """As all players."""
        self._casts = {name: Cast(casting) for name, casting in castings.items()}

    def play(self, dealt: Mapping[str, Sequence[Proposal]], advance: Advance) -> dict[str, Told]:
        """As all players."""
        asked = {name: self._casts[name].observe(proposals) for name, proposals in dealt.items()}
        answered = self._ask(asked, advance)
        return {name: Told(self._casts[name].settle(records), records) for name, records in answered.items()}

    def sum_up(self, arms: Sequence[str], advance: Advance) -> dict[str, SummedUp]:
        """As all players."""
        answered = self._ask({name: self._casts[name].reflect() for name in arms}, advance)
        return {
            name: SummedUp(self._casts[name].reflected(records), records)
            for name, records in answered.items()
        }

    def _ask(self, asked: Mapping[str, Sequence[Request]], advance: Advance) -> dict[str, list[Record]]:
        """The records of each arm: arms with one gateway ask it at once, gateways are asked one after the other."""
        done = failed = 0
        planned = sum(map(len, asked.values()))

        def count(record: Record) -> None:
            nonlocal done, failed
            done += 1
            failed += record.completion is None
            advance(done, planned, failed)

        answered: dict[str, list[Record]] = {}
        for gateway in {id(each): each for each in self._gateways.values()}.values():
            arms = [name for name in asked if self._gateways[name] is gateway]
            records = iter(gateway.ask([request for name in arms for request in asked[name]], count))
            answered |= {name: [next(records) for _ in asked[name]] for name in arms}
        return {name: answered[name] for name in asked}
