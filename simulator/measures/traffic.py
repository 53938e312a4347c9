"""Recommenders that share one population: whose users accept more, or whose items.

Split users are compared between users (Welch), interleaved lists within them: each user is a judge of both, so far fewer are needed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from recommender.intervals import bootstrap_interval, mean_interval
from recommender.metrics import ranking_metrics
from simulator.attendance import accepted_share

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from simulator.scenario.living import Traffic
    from simulator.transcript.turns import Turn

    _Values = NDArray[np.float64]

MEASURES = ("acceptance", "acceptance_shown", "hr", "ndcg")
"""Of split traffic: share accepted of what was proposed and of what was shown; the shown list against held-out items."""


class SharedTraffic:
    """Gathers the turns of a test one by one, and tells which recommender did better."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._names = [traffic.control, *traffic.challengers]
        self._values: dict[str, dict[str, dict[str, dict[str, list[float]]]]] = defaultdict(
            lambda: {name: {measure: defaultdict(list) for measure in MEASURES} for name in self._names}
        )
        """Of split traffic, by arm, recommender, measure and user."""
        self._credit: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        """Of interleaved traffic, by arm and user, accepted items of each recommender."""
        self._unusable: Counter[str] = Counter()

    def watched(self, turns: Iterable[Turn]) -> Iterator[Turn]:
        """The same turns, each gathered as it passes."""
        for turn in turns:
            self.add(turn)
            yield turn

    def add(self, turn: Turn) -> None:
        """Gather a turn. One without a usable answer accepts nothing that could be credited, and is counted."""
        share = accepted_share(turn)
        if share is None:
            self._unusable[turn.arm] += 1
        if self._traffic.mode == "interleaved":
            credit = self._credit[turn.arm][turn.user_id]
            if share is not None:
                accepted = frozenset(turn.accepted)
                credit.update(
                    name for item, name in zip(turn.slate, turn.sources, strict=True) if item in accepted
                )
            return
        values = self._values[turn.arm][turn.sources[0]]
        if share is not None:
            values["acceptance"][turn.user_id].append(len(turn.accepted) / len(turn.slate))
            values["acceptance_shown"][turn.user_id].append(share)
        if turn.targets:
            wanted, n = frozenset(turn.targets), len(turn.final)
            hits = np.array([[item in wanted for item in turn.final]])
            metrics = ranking_metrics(hits, np.array([len(wanted)]), [n])
            values["hr"][turn.user_id].append(float(metrics[f"hr@{n}"][0]))
            values["ndcg"][turn.user_id].append(float(metrics[f"ndcg@{n}"][0]))

    def told(self, seed: int) -> dict[str, Any]:
        """`mode`, `control`, and by arm what `recommenders` came to and each challenger `against_control`."""
        arms = self._credit if self._traffic.mode == "interleaved" else self._values
        told = {}
        for arm in arms:
            own = (
                self._of_credit(arm, seed)
                if self._traffic.mode == "interleaved"
                else self._of_split(arm, seed)
            )
            told[arm] = {**own, "unusable": self._unusable[arm]}
        return {"mode": self._traffic.mode, "control": self._traffic.control, "arms": told}

    def _of_split(self, arm: str, seed: int) -> dict[str, Any]:
        means = {
            name: {
                # Equal shares, summed in another order, are equal.
                measure: np.round([np.mean(own) for own in users.values()], 12)
                for measure, users in measures.items()
                if users
            }
            for name, measures in self._values[arm].items()
        }
        control = means[self._traffic.control]
        return {
            "recommenders": {
                name: {
                    measure: {**mean_interval(values, seed)._asdict(), "users": len(values)}
                    for measure, values in measures.items()
                }
                for name, measures in means.items()
            },
            "against_control": {
                name: {
                    measure: _welch(values, control[measure])
                    for measure, values in means[name].items()
                    if measure in control
                }
                for name in self._traffic.challengers
            },
        }

    def _of_credit(self, arm: str, seed: int) -> dict[str, Any]:
        users = list(self._credit[arm].values())
        credit = {name: np.array([each[name] for each in users], dtype=np.float64) for name in self._names}
        control = credit[self._traffic.control]
        return {
            "recommenders": {
                name: {"accepted": int(own.sum()), "users": len(users)} for name, own in credit.items()
            },
            "against_control": {
                name: {"preference": _preference(credit[name], control, seed)}
                for name in self._traffic.challengers
            },
        }


def _welch(challenger: _Values, control: _Values) -> dict[str, Any]:
    """Difference of the means of different users, Welch's 95 % interval and p; None where one side has fewer than two users."""
    told: dict[str, Any] = {
        "mean": float(challenger.mean() - control.mean()),
        "low": None,
        "high": None,
        "p": None,
    }
    counts = {"users": len(challenger), "control_users": len(control)}
    if min(counts.values()) < 2 or not np.ptp(challenger) + np.ptp(control):
        return told | counts
    test = stats.ttest_ind(challenger, control, equal_var=False)
    low, high = test.confidence_interval(0.95)
    return told | counts | {"low": float(low), "high": float(high), "p": float(test.pvalue)}


def _preference(challenger: _Values, control: _Values, seed: int) -> dict[str, Any]:
    """Mean over users of (challenger - control) / (challenger + control) accepted items, its interval, wins, and the sign test.

    A user that accepted nothing of either prefers neither: 0. From -1, the control alone, to 1.
    """
    both = challenger + control
    preference = np.divide(challenger - control, both, out=np.zeros(len(both)), where=both > 0)
    wins, losses = int((challenger > control).sum()), int((challenger < control).sum())
    return {
        **bootstrap_interval(preference, seed)._asdict(),
        "users": len(both),
        "wins": wins,
        "ties": len(both) - wins - losses,
        "losses": losses,
        "p": float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else None,
    }
