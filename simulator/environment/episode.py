"""One user's way through the rounds of a scenario, in a world of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agents.llm import Record, Request
    from simulator.environment.screening import Screening, Viewer
    from simulator.party import Party
    from simulator.transcript.proposals import Proposal
    from simulator.transcript.turns import Turn


class Episode:
    """A user, in one replicate, from its first round to its last.

    It stands before a round in which the user is there and something is left to show, until it is `over`. A step is `offer`,
    `settle`, then `reflected`, which ends it, as `Screening.play` does them for many episodes at once.
    """

    def __init__(self, screening: Screening, viewer: Viewer, replicate: int) -> None:
        self.viewer, self.replicate = viewer, replicate
        self.over = False
        """Whether the user has seen its last page."""
        self.turns: list[Turn] = []
        """What came of every step, as a run of the scenario records it."""
        self._screening = screening
        self._proposer = _Given(screening.label)
        self._world = screening.world(viewer, replicate, self._proposer)
        self._advance()

    @property
    def round(self) -> int:
        """The round that waits for a slate, from 1; once it is over, the last one that was played, 0 if none was."""
        return self._world.round if not self.over else self.turns[-1].round if self.turns else 0

    @property
    def satisfaction(self) -> float:
        """Of the user, from 0 to 1."""
        return self._world.attendance[self._place].satisfaction(self.viewer.user_id)

    @property
    def left(self) -> bool:
        """Whether the user has left for good."""
        return self.viewer.user_id not in self._world.attendance[self._place].members

    @property
    def history(self) -> NDArray[np.int64]:
        """Item numbers of all that is known of the user, newest last: what it had, and what it accepted of what it was shown."""
        accepted, _ = self._added()
        return np.concatenate([self.viewer.history, accepted])

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(I,) whether an item may be shown: the user neither had it nor was it shown before."""
        _, shown = self._added()
        mask = np.ones(len(self._screening.item_ids), dtype=np.bool_)
        mask[self.viewer.had] = False
        mask[shown] = False
        return mask

    def offer(self, items: Sequence[int]) -> list[Request]:
        """What the user is asked about a slate of item numbers, best first, not empty and all of them in `mask`."""
        self._proposer.slate = tuple(self._screening.item_ids[item] for item in items)
        return self._world.observe()

    def settle(self, records: Sequence[Record]) -> list[Request]:
        """What comes of the answers; the value is what the user is asked to sum up the round with, if anything."""
        self._world.settle(records)
        number = self._world.round
        # After the last round nobody would be told of what was summed up.
        due = number < self._screening.scenario.rounds and self._world.reflects(number)
        return self._world.reflect() if due else []

    def reflected(self, records: Sequence[Record]) -> Turn:
        """End the step with the answers to what `settle` gave; the value is what it came to."""
        if records:
            self._world.summed_up(records)
        (turn,) = self._world.take()
        self.turns.append(turn)
        self._advance()
        return turn

    @property
    def _place(self) -> tuple[str, int]:
        return self._screening.arm, self.replicate

    def _added(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numbers of accepted and of shown items."""
        row = self._screening.item_rows
        accepted, shown = (
            np.array([row[item] for item in items], dtype=np.int64)
            for items in self._world.added(*self._place, self.viewer.user_id)
        )
        return accepted, shown

    def _advance(self) -> None:
        """To the next round in which somebody is there to be shown something."""
        world = self._world
        while world.round < self._screening.scenario.rounds:
            present = world.begin()[self._place]
            if present and self.mask.any():
                return
            # Nobody came, or nothing is left, which makes the user leave.
            self._proposer.slate = ()
            world.observe()
            world.settle([])
        self.over = True


class _Given:
    """A proposer that proposes the slate it was given."""

    def __init__(self, label: str) -> None:
        self.slate: tuple[str, ...] = ()
        """Item ids, best first."""
        self._label = label

    def propose(self, party: Party) -> list[Proposal]:
        """An action is an order and has no scores, so these fall by 1 from place to place."""
        scores = tuple(float(len(self.slate) - place) for place in range(len(self.slate)))
        return [party.proposal(self._label, user, self.slate, scores) for user in party.users]
