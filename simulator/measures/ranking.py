"""HR and NDCG of every list of a run, from its turns alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recommender.intervals import bootstrap_interval, mean_interval
from recommender.metrics import ranking_metrics
from simulator.measures.fidelity import AUDIENCE, KNOW_NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulator.transcript.turns import Turn

RECOMMENDER, REFINED, ALONE = "recommender", "refined", "audience_alone"
PARSED_ONLY, UPPER_BOUND = "refined_parsed_only", "upper_bound"
KINDS = ("hr", "ndcg")
_PAIRS = (
    (REFINED, RECOMMENDER),
    (ALONE, "random"),
    (ALONE, "popularity"),
    *((AUDIENCE, name) for name in KNOW_NOTHING),
)
"""Does the audience help, and does it know more than users that know nothing?"""


def lists_of(turn: Turn) -> dict[str, tuple[str, ...]]:
    """The lists of N that one turn compares, by name.

    `refined` is intent to treat: a turn without a usable answer counts with the recommender's list;
    `refined_parsed_only` leaves such turns out. `audience_alone` and the null users are ranked by their own order,
    not fused with the recommender's, so that they compare. `upper_bound` is the best possible re-ranking of the 2N.
    """
    n = len(turn.final)
    wanted = set(turn.targets)
    lists = {RECOMMENDER: turn.slate[:n], REFINED: turn.final}
    if not turn.fallback:
        lists[PARSED_ONLY] = turn.final
    lists[ALONE] = turn.alone
    lists.update(turn.nulls)
    lists[UPPER_BOUND] = tuple(sorted(turn.slate, key=lambda item: item not in wanted))[:n]
    return lists


def per_user(turns: Iterable[Turn], cutoffs: Sequence[int]) -> pd.DataFrame:
    """One row per (arm, list, user): number of turns and each metric, averaged over the user's turns.

    The unit is the user: rounds and replicates are averaged inside it. Turns whose user has no held-out item left are
    not counted.
    """
    parts, gathered = list[pd.DataFrame](), _Lists()
    for turn in turns:
        if turn.targets:
            gathered.add(turn, max(cutoffs))
            if len(gathered.rows) >= _AT_ONCE:
                parts.append(gathered.sums(cutoffs))
                gathered = _Lists()
    parts.append(gathered.sums(cutoffs))
    frame = parts[0] if len(parts) == 1 else _summed(pd.concat(parts, ignore_index=True))
    for metric in _metrics(frame):
        frame[metric] /= frame["turns"]
    return frame


_KEYS = ["arm", "list", "user_id", "data", "audience"]
_AT_ONCE = 500_000
"""Lists of which each is held before they are summed by user: bounds memory."""


@dataclass
class _Lists:
    """Lists of turns, a row each."""

    rows: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    hits: list[list[bool]] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)

    def add(self, turn: Turn, width: int) -> None:
        wanted = set(turn.targets)
        for name, items in lists_of(turn).items():
            audience = turn.client if name in {REFINED, PARSED_ONLY, ALONE} else ""
            self.rows.append((turn.arm, name, turn.user_id, turn.data, audience))
            found = [item in wanted for item in items[:width]]
            self.hits.append(found + [False] * (width - len(found)))
            self.targets.append(len(wanted))

    def sums(self, cutoffs: Sequence[int]) -> pd.DataFrame:
        """By arm, list and user the number of turns, and the sum of each metric over them."""
        frame = pd.DataFrame(self.rows, columns=_KEYS)
        frame["turns"] = 1
        if self.rows:
            metrics = ranking_metrics(np.array(self.hits), np.array(self.targets, dtype=np.int64), cutoffs)
            for kind in KINDS:
                for n in cutoffs:
                    frame[f"{kind}@{n}"] = metrics[f"{kind}@{n}"]
        return _summed(frame)


def _summed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.groupby(_KEYS, sort=False).sum().reset_index()


def summarise(table: pd.DataFrame, seed: int) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """metrics.json: arm -> list -> metric -> mean, low, high, users, and what the number was computed from.

    A metric is taken over the users that have it, and left out where none has.
    """
    result: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for (arm, name), group in table.groupby(["arm", "list"], sort=False):
        entry = {}
        for metric in _metrics(table):
            values = group[metric].dropna().to_numpy(dtype=np.float64)
            if not len(values):
                continue
            entry[metric] = {
                **mean_interval(values, seed)._asdict(),
                "users": len(values),
                "data": group["data"].iloc[0],
                **({"audience": group["audience"].iloc[0]} if group["audience"].iloc[0] else {}),
            }
        result.setdefault(str(arm), {})[str(name)] = entry
    return result


def paired_differences(table: pd.DataFrame, seed: int) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """Arm -> "first - second" -> metric -> mean, low, high, users: differences within users, with their intervals.

    A metric is left out where no user has it in both.
    """
    result: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    metrics = _metrics(table)
    for arm, group in table.groupby("arm", sort=False):
        values = group.pivot_table(index="user_id", columns="list", values=metrics)
        present = set(group["list"])
        for first, second in (pair for pair in _PAIRS if present.issuperset(pair)):
            entry = {}
            for metric in metrics:
                # The pivot has no column of what a list has for no user, such as accepting where only a ranking was asked for.
                if not {(metric, first), (metric, second)} <= set(values.columns):
                    continue
                both = (values[metric, first] - values[metric, second]).dropna()
                if not len(both):
                    continue
                difference = both.to_numpy(dtype=np.float64)
                entry[metric] = {**bootstrap_interval(difference, seed)._asdict(), "users": len(difference)}
            result.setdefault(str(arm), {})[f"{first} - {second}"] = entry
    return result


def _metrics(table: pd.DataFrame) -> list[str]:
    """The columns behind the number of turns."""
    names: list[str] = table.columns.tolist()
    return names[names.index("turns") + 1 :]
