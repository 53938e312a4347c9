"""The 1:m task: how well accepted and ranked items agree with what users really liked, from the turns alone."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from recommender.intervals import mean_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from simulator.transcript.turns import Turn

AUDIENCE, PARSED_ONLY = "audience", "audience_parsed_only"
KNOW_NOTHING = ("random", "popularity", "echo")
"""Null users that do not know whom they answer for."""
UNRATED = "unrated"
_KEYS = ["arm", "list", "user_id", "data", "audience"]
_Decisions = tuple[str, "frozenset[str] | None", "dict[str, float]"]
"""Name of a list, what was accepted (None: it was not asked), and a score of preference by item, 0 where there is none."""


def per_user(turns: Iterable[Turn]) -> pd.DataFrame:
    """One row per (arm, list, user): number of turns, and each measure averaged over the user's turns.

    `audience` is intent to treat: a turn without a usable answer prefers nothing (AUC .5) and accepts nothing;
    `audience_parsed_only` leaves such turns out. Where an answer ranks nothing, null users too are compared by what
    they accept, with ties.
    """
    rows: list[tuple[str, str, str, str, str]] = []
    truth: list[list[bool]] = []
    accepted: list[list[float]] = []
    scores: list[list[float]] = []
    for turn in turns:
        liked = set(turn.targets)
        for name, taken, preferred in _decisions(turn):
            answered_by = turn.client if name in {AUDIENCE, PARSED_ONLY} else ""
            rows.append((turn.arm, name, turn.user_id, turn.data, answered_by))
            truth.append([item in liked for item in turn.slate])
            accepted.append([np.nan if taken is None else float(item in taken) for item in turn.slate])
            scores.append([preferred.get(item, 0.0) for item in turn.slate])
    frame = pd.DataFrame(rows, columns=_KEYS)
    frame["turns"] = 1
    columns = _measured(truth, accepted, scores)
    frame[list(columns)] = pd.DataFrame(columns, index=frame.index)
    return (
        frame.groupby(_KEYS, sort=False).agg({"turns": "sum", **dict.fromkeys(columns, "mean")}).reset_index()
    )


def auc(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B,) share of pairs of a liked and another item (B, S) in which the liked one scores higher, ties counting half.

    scikit-learn's roc_auc_score, for all rows at once; NaN where all items are of one kind.
    """
    ranks = stats.rankdata(scores, axis=1)
    liked = truth.sum(axis=1)
    pairs = liked * (truth.shape[1] - liked)
    above = (ranks * truth).sum(axis=1) - liked * (liked + 1) / 2
    share = np.full(len(truth), np.nan)
    np.divide(above, pairs, out=share, where=pairs > 0)
    return share


def acceptance_measures(
    truth: NDArray[np.bool_], accepted: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Accuracy, precision, recall and F1 of accepting (B, S) the liked items, each (B,); NaN where rows are.

    scikit-learn's, for all rows at once. Where nothing is accepted precision and F1 are 0.
    """
    hits = (accepted * truth).sum(axis=1)
    taken, liked = accepted.sum(axis=1), truth.sum(axis=1)
    return {
        "accuracy": 1 - np.abs(accepted - truth).mean(axis=1),
        "precision": hits / np.maximum(taken, 1),
        "recall": hits / np.maximum(liked, 1),
        "f1": 2 * hits / np.maximum(taken + liked, 1),
    }


def acceptance_by_rating(turns: Iterable[Turn], seed: int) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """Arm -> list -> the user's real rating, or "unrated" -> items, and the share accepted: mean, low, high, users.

    The share is taken within each user, then averaged. Turns in which acceptance was not asked for are not counted.
    """
    shares: dict[tuple[str, str], dict[str, dict[str, list[bool]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for turn in turns:
        for name, taken, _ in _decisions(turn):
            if taken is None:
                continue
            group = shares[turn.arm, name]
            for item in turn.slate:
                rating = turn.ratings.get(item)
                group[UNRATED if rating is None else f"{rating:g}"][turn.user_id].append(item in taken)
    result: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for (arm, name), group in shares.items():
        entry = {}
        for label in sorted(group, key=rating_order):
            users = group[label].values()
            mean = mean_interval(np.array([np.mean(flags) for flags in users]), seed)
            entry[label] = {"items": sum(map(len, users)), "users": len(users), **mean._asdict()}
        result.setdefault(arm, {})[name] = entry
    return result


def rating_order(label: str) -> tuple[bool, float]:
    """Key that sorts ratings as numbers, 10 behind 9, and "unrated" last."""
    return (True, 0.0) if label == UNRATED else (False, float(label))


def _decisions(turn: Turn) -> Iterator[_Decisions]:
    preferred = _preferred(turn)
    taken = frozenset(turn.accepted) if turn.decides else None
    yield AUDIENCE, taken, preferred
    if not turn.fallback:
        yield PARSED_ONLY, taken, preferred
    asked_to_accept = any(turn.nulls_accepted.values())
    for name, order in turn.nulls.items():
        accepts = frozenset(turn.nulls_accepted[name])
        by_rank = turn.fallback or bool(turn.ranking)
        score = _places(order) if by_rank else dict.fromkeys(accepts, 1.0)
        yield name, accepts if asked_to_accept else None, score


def _preferred(turn: Turn) -> dict[str, float]:
    """Of an answer that cannot be used, nothing; of items that a ranking leaves out, less than of any other."""
    if turn.fallback:
        return {}
    if turn.ranking:
        return _places(turn.ranking)
    # An item that is not named stands with the rejected ones.
    return dict.fromkeys(turn.undecided, 1.0) | dict.fromkeys(turn.accepted, 2.0)


def _places(order: Sequence[str]) -> dict[str, float]:
    return {item: float(len(order) - place) for place, item in enumerate(order)}


def _measured(
    truth: Sequence[Sequence[bool]], accepted: Sequence[Sequence[float]], scores: Sequence[Sequence[float]]
) -> dict[str, NDArray[np.float64]]:
    """Each measure of every row; slates of one size are computed together."""
    columns = {name: np.full(len(truth), np.nan) for name in METRICS}
    sizes = np.array([len(row) for row in truth], dtype=np.int64)
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size).tolist()
        kinds = np.array([truth[row] for row in rows], dtype=np.bool_)
        found = {
            "auc": auc(kinds, np.array([scores[row] for row in rows])),
            **acceptance_measures(kinds, np.array([accepted[row] for row in rows])),
        }
        for name, values in found.items():
            columns[name][rows] = values
    return columns


METRICS = ("auc", "accuracy", "precision", "recall", "f1")
