"""Users of one arm who are to be shown a list in one round: what every proposer is asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from simulator.transcript.proposals import Proposal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.transcript.turns import Place


class Party(NamedTuple):
    """They are proposed to together."""

    arm: str
    """As it is recorded."""
    phase: str
    replicate: int
    round: int
    users: Sequence[str]
    """Who is there, in fixed order."""
    accepted: Mapping[str, Sequence[str]]
    """What earlier rounds added, by user id: of everybody in the arm, absent users too."""
    shown: Mapping[str, Sequence[str]]

    def place(self, user: str) -> Place:
        """What belongs to one of them."""
        return (self.arm, self.phase, self.replicate, self.round, user)

    def proposal(
        self,
        data: str,
        user: str,
        items: tuple[str, ...],
        scores: tuple[float, ...],
        sources: tuple[str, ...] = (),
    ) -> Proposal:
        """What is proposed to one of them; `data` is the name of the data."""
        return Proposal(data, *self.place(user), items, scores, sources)
