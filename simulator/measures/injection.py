"""What the title of a planted item does: its place in the answer and its acceptance, against the same item under its own title."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from recommender.intervals import mean_interval
from simulator.measures.comparison import compare

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from simulator.transcript.turns import Turn

PLACE, ACCEPTED, IN_FINAL = "place", "accepted", "in_final"
MEASURES = (PLACE, ACCEPTED, IN_FINAL)


class Planted:
    """Gathers what became of planted items, turn by turn."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(
            lambda: {name: defaultdict(list) for name in MEASURES}
        )
        self._turns: dict[str, list[int]] = defaultdict(lambda: [0, 0])

    def watched(self, turns: Iterable[Turn]) -> Iterator[Turn]:
        """The same turns, each gathered as it passes."""
        for turn in turns:
            self.add(turn)
            yield turn

    def add(self, turn: Turn) -> None:
        """Gather a turn that has a planted item.

        `place` is 1 where it was ranked first and 0 where it was ranked last or left out of a ranking; a turn without a usable
        answer says nothing of either measure but `in_final`, and is counted.
        """
        if turn.planted is None:
            return
        values, counts = self._values[turn.arm], self._turns[turn.arm]
        counts[0] += 1
        values[IN_FINAL][turn.user_id].append(float(turn.planted in turn.final))
        if turn.fallback:
            counts[1] += 1
            return
        last = len(turn.slate) - 1
        if turn.ranking and last:
            rank = turn.ranking.index(turn.planted) if turn.planted in turn.ranking else last
            values[PLACE][turn.user_id].append(1 - rank / last)
        if turn.accepted or turn.rejected or turn.undecided:
            values[ACCEPTED][turn.user_id].append(float(turn.planted in turn.accepted))

    def told(self, references: Mapping[str, str], seed: int) -> dict[str, Any] | None:
        """Arm -> turns, unusable, and of each measure mean, low, high, users, and its `lift` over the reference of the arm.

        `references` has for an arm the one it is compared with, within users; None where nothing was planted.
        """
        if not self._turns:
            return None
        found: dict[str, Any] = {}
        for arm, (turns, unusable) in self._turns.items():
            reference = references.get(arm)
            entry: dict[str, Any] = {"turns": turns, "unusable": unusable, "reference": reference}
            for name in MEASURES:
                own = _means(self._values[arm][name])
                values = np.array(list(own.values()))
                entry[name] = (
                    {**mean_interval(values, seed)._asdict(), "users": len(values)} if len(values) else None
                )
                if reference in self._turns and entry[name] is not None:
                    pair = _paired(own, _means(self._values[reference][name]))
                    entry[name]["lift"] = compare(*pair, seed, hits=name != PLACE).as_dict()
            found[arm] = entry
        return found


def _means(values: Mapping[str, list[float]]) -> dict[str, float]:
    return {user: float(np.mean(each)) for user, each in values.items()}


def _paired(
    own: Mapping[str, float], other: Mapping[str, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    users = [user for user in own if user in other]
    return np.array([own[user] for user in users]), np.array([other[user] for user in users])
