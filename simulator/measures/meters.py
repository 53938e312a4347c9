"""Meters: does an answer say what its user prefers, or repeat the order, the popularity or the places that it was shown?

From turns and item counts alone; the unit is the user, whose turns are averaged first. docs/meters.md says how to read them.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from agents.asking import USABLE
from recommender.intervals import mean_interval
from simulator.measures.fidelity import AUDIENCE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from simulator.transcript.turns import Turn

    _Values = NDArray[np.float64]

ECHO, POPULARITY, ACCEPTED_POPULARITY = "echo", "popularity", "accepted_popularity"
ACCEPTANCE, FIRST_SLOT, BY_SLOT, PLACES = "acceptance", "first_slot", "by_slot", "places"
METERS = (ECHO, POPULARITY, ACCEPTANCE, FIRST_SLOT, ACCEPTED_POPULARITY)
REPEATS = 0.9
"""An audience whose mean echo is this large repeats the order shown: of 20 items, fewer than one pair in 20 changed."""
_USABLE = frozenset(status.value for status in USABLE)
_ALONE = "every candidate was asked about alone, so no order was shown"
_NO_RANKING, _NO_DECISION = "no answer ranks two items", "no answer was asked to accept"
_NO_SPREAD = "in no answer do both sides vary"
_LEVEL = 0.95
_PAIRS_AT_ONCE = 8_000_000
"""Bounds the memory of comparing all pairs of items of many slates."""


@dataclass
class _Answers:
    """What one answerer of an arm said: one row for each list that it was shown, and of it a number for each slot.

    In arrays of machine numbers: a large audience answers a million times.
    """

    turns: int = 0
    unusable: int = 0
    """Turns without an answer that can be used: in no meter, and counted."""
    alone: bool = False
    """Candidates were asked about one at a time."""
    users: list[str] = field(default_factory=list)
    weights: array[float] = field(default_factory=lambda: array("d"))
    """1 / lists of the turn."""
    sizes: array[int] = field(default_factory=lambda: array("q"))
    """Slots of each list."""
    ranks: array[int] = field(default_factory=lambda: array("i"))
    """By shown slot the rank in the answer, from 0; -1 where it ranks no such item."""
    accepted: array[int] = field(default_factory=lambda: array("b"))
    """By shown slot 1, 0, or -1 where accepting was not asked for."""
    counts: array[int] = field(default_factory=lambda: array("q"))
    """By shown slot the train interactions of the item."""

    def by_size(self) -> list[tuple[NDArray[np.int64], _Values, _Values, _Values]]:
        """Rows of slates of one size, and their ranks, acceptances and counts (B, S), by size; NaN for -1."""
        sizes = np.frombuffer(self.sizes, dtype=np.int64)
        ends = np.cumsum(sizes)
        columns = [
            np.frombuffer(column, dtype=kind)
            for column, kind in ((self.ranks, np.int32), (self.accepted, np.int8), (self.counts, np.int64))
        ]
        found = []
        for size in np.unique(sizes).tolist():
            rows = np.flatnonzero(sizes == size)
            places = (ends[rows] - size)[:, None] + np.arange(size)
            ranks, accepted, counts = (column[places].astype(np.float64) for column in columns)
            ranks[ranks < 0] = accepted[accepted < 0] = np.nan
            found.append((rows, ranks, accepted, counts))
        return found


class Meters:
    """Gathers turns of a test one by one, and tells what their answers repeat."""

    def __init__(self, popularity: Mapping[str, int]) -> None:
        """`popularity` has the train interactions of every item of a slate."""
        self._popularity = popularity
        self._answers: dict[tuple[str, str], _Answers] = defaultdict(_Answers)

    def watched(self, turns: Iterable[Turn]) -> Iterator[Turn]:
        """The same turns, each gathered as it passes."""
        for turn in turns:
            self.add(turn)
            yield turn

    def add(self, turn: Turn) -> None:
        """Gather a turn: what its audience said, and what each null user did."""
        audience = self._answers[turn.arm, AUDIENCE]
        audience.turns += 1
        audience.alone |= turn.ask == "pointwise"
        if turn.fallback:
            audience.unusable += 1
        elif turn.ask == "permuted":
            usable = [part for part in turn.parts if part.status in _USABLE]
            for part in usable:
                said = (part.accepted, part.rejected, part.undecided)
                self._put(audience, turn.user_id, part.shown, part.ranking, _taken(*said), 1 / len(usable))
        else:
            taken = _taken(turn.accepted, turn.rejected, turn.undecided)
            self._put(audience, turn.user_id, turn.shown, turn.ranking, taken, 1.0)
        decides = any(turn.nulls_accepted.values())
        for name, order in turn.nulls.items():
            null = self._answers[turn.arm, name]
            null.turns += 1
            # A null user's orders of several prompts are merged: what remains is no answer to one shown order.
            null.alone |= turn.ask != "listwise"
            self._put(
                null, turn.user_id, turn.shown, order, turn.nulls_accepted[name] if decides else None, 1.0
            )

    def _put(
        self,
        answers: _Answers,
        user: str,
        shown: Sequence[str],
        ranking: Sequence[str],
        taken: Collection[str] | None,
        weight: float,
    ) -> None:
        rank = {item: number for number, item in enumerate(ranking)}
        chosen = frozenset(taken or ())
        answers.users.append(user)
        answers.weights.append(weight)
        answers.sizes.append(len(shown))
        answers.ranks.extend([rank.get(item, -1) for item in shown])
        answers.accepted.extend([-1 if taken is None else item in chosen for item in shown])
        answers.counts.extend([self._popularity[item] for item in shown])

    def told(self, seed: int) -> dict[str, dict[str, dict[str, Any]]]:
        """Arm -> audience or null user -> meter -> mean, low, high, users; what cannot be known is None, and `reasons` says why."""
        result: dict[str, dict[str, dict[str, Any]]] = {}
        for (arm, name), answers in self._answers.items():
            result.setdefault(arm, {})[name] = _told(answers, seed, whole=name == AUDIENCE)
        return result


def _taken(accepted: Sequence[str], *others: Sequence[str]) -> Sequence[str] | None:
    """None where accepting was not asked for: then nothing is accepted, rejected or left undecided."""
    return accepted if accepted or any(others) else None


def _told(answers: _Answers, seed: int, *, whole: bool) -> dict[str, Any]:
    """`whole` tells slot by slot, too."""
    users, inverse = np.unique(np.array(answers.users, dtype=np.str_), return_inverse=True)
    weights = np.array(answers.weights)
    parts = answers.by_size()
    told: dict[str, Any] = {"turns": answers.turns, "unusable": answers.unusable, "users": len(users)}
    reasons: dict[str, str] = {}
    measured = [(rows, _measured(ranks, accepted, counts)) for rows, ranks, accepted, counts in parts]
    for name in METERS:
        values = np.full(len(answers.users), np.nan)
        for rows, meters in measured:
            values[rows] = meters[name]
        if answers.alone and name in {ECHO, FIRST_SLOT}:
            reasons[name], values = _ALONE, np.full(len(values), np.nan)
        mean = _within(values, weights, inverse, len(users))
        if len(mean):
            told[name] = _interval(mean, seed, share=name == ACCEPTANCE)
        else:
            told[name] = None
            reasons.setdefault(name, _why(name, parts))
    if whole and not answers.alone:
        told[BY_SLOT] = _by_slot(parts, weights, inverse, len(users), seed)
        told[PLACES] = {str(ranks.shape[1]): _places(ranks) for _, ranks, _, _ in parts}
    told["reasons"] = reasons
    return told


def _why(name: str, parts: Sequence[tuple[NDArray[np.int64], _Values, _Values, _Values]]) -> str:
    if not parts:
        return "no answer could be used"
    if name in {ECHO, POPULARITY}:
        ranked = any(((~np.isnan(ranks)).sum(axis=1) > 1).any() for _, ranks, _, _ in parts)
        return _NO_SPREAD if ranked else _NO_RANKING
    decided = any((~np.isnan(accepted)).any() for _, _, accepted, _ in parts)
    return _NO_SPREAD if decided else _NO_DECISION


def tau_b(first: _Values, second: _Values) -> _Values:
    """(B,) Kendall's tau-b of each row of two tables (B, S), over the places where both have a number.

    `scipy.stats.kendalltau`, for all rows at once; NaN where one of them does not vary.
    """
    left, right = np.triu_indices(first.shape[1], 1)
    taus = np.full(len(first), np.nan)
    step = max(1, _PAIRS_AT_ONCE // max(1, len(left)))
    for start in range(0, len(first), step):
        rows = slice(start, start + step)
        one = np.sign(first[rows][:, left] - first[rows][:, right])
        other = np.sign(second[rows][:, left] - second[rows][:, right])
        both = ~(np.isnan(one) | np.isnan(other))
        together = np.where(both, one * other, 0).sum(axis=1)
        untied = [np.where(both, side != 0, 0).sum(axis=1) for side in (one, other)]
        scale = np.sqrt(untied[0].astype(np.float64) * untied[1])
        np.divide(together, scale, out=taus[rows], where=scale > 0)
    return taus


def _measured(ranks: _Values, accepted: _Values, counts: _Values) -> dict[str, _Values]:
    """Each meter of lists of one size (B, S), (B,); NaN where it cannot be known."""
    slots = np.broadcast_to(np.arange(ranks.shape[1], dtype=np.float64), ranks.shape)
    first = np.full(len(accepted), np.nan)
    if accepted.shape[1] > 1:
        first = accepted[:, 0] - np.mean(accepted[:, 1:], axis=1)
    return {
        ECHO: tau_b(slots, ranks),
        POPULARITY: tau_b(-ranks, counts),
        ACCEPTANCE: np.mean(accepted, axis=1),
        FIRST_SLOT: first,
        ACCEPTED_POPULARITY: tau_b(accepted, counts),
    }


def _within(values: _Values, weights: _Values, user: NDArray[np.int64], users: int) -> _Values:
    """The mean of each user that has one."""
    known = ~np.isnan(values)
    weight = np.bincount(user[known], weights[known], minlength=users)
    total = np.bincount(user[known], values[known] * weights[known], minlength=users)
    return total[weight > 0] / weight[weight > 0]


def _interval(values: _Values, seed: int, *, share: bool) -> dict[str, Any]:
    """Mean over users (U,), and Student's 95 % interval, or Wilson's of shares that are all 0 or 1: there are too many to bootstrap.

    Student's knows no bounds; a share ends at 0 and 1, every other meter at -1 and 1.
    """
    if len(values) < 2 or (share and np.isin(values, (0.0, 1.0)).all()):
        return {**mean_interval(values, seed)._asdict(), "users": len(values)}
    mean = float(values.mean())
    half = float(stats.t.isf((1 - _LEVEL) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    low, high = max(0.0 if share else -1.0, mean - half), min(1.0, mean + half)
    return {"mean": mean, "low": low, "high": high, "users": len(values)}


def _by_slot(
    parts: Sequence[tuple[NDArray[np.int64], _Values, _Values, _Values]],
    weights: _Values,
    user: NDArray[np.int64],
    users: int,
    seed: int,
) -> dict[str, Any]:
    """Slot, from 1 -> the share of users' turns in which its item was accepted."""
    found = {}
    for slot in range(max((ranks.shape[1] for _, ranks, _, _ in parts), default=0)):
        values = np.full(len(weights), np.nan)
        for rows, _, accepted, _ in parts:
            if slot < accepted.shape[1]:
                values[rows] = accepted[:, slot]
        mean = _within(values, weights, user, users)
        if len(mean):
            found[str(slot + 1)] = _interval(mean, seed, share=True)
    return found


def _places(ranks: _Values) -> list[list[int]]:
    """(S, S + 1) how often the item in a slot came to a rank; the last column, how often it was not ranked."""
    size = ranks.shape[1]
    to = np.where(np.isnan(ranks), size, ranks).astype(np.int64)
    table = np.zeros((size, size + 1), dtype=np.int64)
    np.add.at(table, (np.broadcast_to(np.arange(size), to.shape), to), 1)
    counted: list[list[int]] = table.tolist()
    return counted


def repeated(meters: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A sentence for each arm whose audience repeats the order that it was shown."""
    found = []
    for arm, answerers in meters.items():
        echo = answerers[AUDIENCE][ECHO]
        if echo is not None and echo["mean"] >= REPEATS:
            found.append(
                f"{arm}: REPEATS THE ORDER SHOWN (tau {echo['mean']:.2f}): its ranking says where an item stood in the prompt, "
                "not what its user prefers"
            )
    return found
