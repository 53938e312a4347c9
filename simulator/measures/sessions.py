"""What becomes of an audience and of what it is shown, session by session, with intervals over replicates.

From turns alone, and what items.parquet and users.parquet say; docs/rounds.md says how to read the measures.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from recommender.exposure import gini
from recommender.metrics import ranking_metrics
from simulator.attendance import Attendance, accepted_share
from simulator.scenario.declared import declared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from simulator.scenario import Scenario
    from simulator.scenario.living import Population
    from simulator.transcript.turns import Turn

    _Values = NDArray[np.float64]

OF_TURNS = (
    "acceptance",
    "acceptance_shown",
    "hr",
    "ndcg",
    "diversity",
    "entropy_shown",
    "entropy_accepted",
    "novelty",
)
"""Means over the users that came, whose turns of a session are averaged first."""
OF_ALL = ("popularity_lift", "coverage", "gini", "satisfaction", "retention", "users")
MEASURES = (*OF_TURNS, *OF_ALL)
_SHARES = frozenset(MEASURES) - {"entropy_shown", "entropy_accepted", "novelty", "popularity_lift", "users"}
"""Between 0 and 1."""
WINDOW = 10
"""Newest accepted items of which the entropy of genres is taken; a user that accepted fewer is not counted."""
_LEVEL = 0.95
_AT_ONCE = 20_000
"""Lists whose pairs of items are compared at once: bounds memory."""


@dataclass(frozen=True)
class Catalogue:
    """What is known of the items of slates, and how many there are beside them."""

    row: Mapping[str, int]
    """By item id, the row in the other tables: items of slates."""
    genres: NDArray[np.float32]
    """(S, G) 1 where an item has a genre; a row of zeros where none is known."""
    interactions: NDArray[np.int64]
    """(S,) in train."""
    items: int
    """Of the whole catalogue."""
    train_interactions: int
    """Of the whole catalogue."""


class People(NamedTuple):
    """Who the users of a test are."""

    residents: Sequence[str]
    newcomers: Sequence[str]
    popularity: Mapping[str, float]
    """By user, mean train interactions of the items of its train history."""


class _Group(NamedTuple):
    arm: str
    replicate: int


@dataclass
class _Watched:
    """The turns of one arm and replicate, a row each, and its population as it comes and goes."""

    attendance: Attendance
    round: int = 0
    users: list[str] = field(default_factory=list)
    sessions: list[int] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    """Accepted of the list that was shown; NaN without a usable answer."""
    slate_shares: list[float] = field(default_factory=list)
    """The same of what was proposed."""
    finals: list[list[int]] = field(default_factory=list)
    hits: list[list[bool]] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    entropy: list[float] = field(default_factory=list)
    """Of what was accepted until then."""
    accepted: dict[str, deque[int]] = field(default_factory=lambda: defaultdict(lambda: deque(maxlen=WINDOW)))
    state: list[tuple[int, float, float]] = field(default_factory=list)
    """Session, satisfaction and retention at its end."""
    open: list[Turn] = field(default_factory=list)
    """Of the round that is going on."""


class Sessions:
    """Gathers the turns of a test one by one, in their order, and tells what became of the world."""

    def __init__(
        self,
        catalogue: Catalogue,
        people: People,
        populations: Mapping[str, Population],
        seed: int,
        rounds: int,
    ) -> None:
        """`populations` by the recorded name of the arm."""
        self._catalogue, self._people, self._populations = catalogue, people, populations
        self._seed, self._rounds = seed, rounds
        self._groups: dict[_Group, _Watched] = {}

    def watched(self, turns: Iterable[Turn]) -> Iterator[Turn]:
        """The same turns, each gathered as it passes."""
        for turn in turns:
            self.add(turn)
            yield turn

    def add(self, turn: Turn) -> None:
        """Gather a turn; those of a round before have all been gathered."""
        group = _Group(turn.arm, turn.replicate)
        if group not in self._groups:
            rules, people = self._populations[turn.arm], self._people
            self._groups[group] = _Watched(
                Attendance(rules, self._seed, turn.replicate, people.residents, people.newcomers)
            )
        watched = self._groups[group]
        if watched.open and watched.open[0].round != turn.round:
            self._close(group, turn.round - 1)
        watched.open.append(turn)

    def _close(self, group: _Group, last: int) -> None:
        """Go through the rounds up to `last`, to the first of which the open turns belong if it is theirs."""
        watched, rules = self._groups[group], self._populations[group.arm]
        for number in range(watched.round + 1, last + 1):
            turns = watched.open if watched.open and watched.open[0].round == number else []
            came = {turn.user_id: turn for turn in turns}
            for user in watched.attendance.present(number):
                if user not in came:
                    watched.attendance.exhausted(user)
            watched.attendance.settle((turn.user_id, accepted_share(turn)) for turn in turns)
            for turn in turns:
                self._put(watched, turn, rules.session(number))
            if turns:
                watched.open = []
            if number % rules.pages == 0:
                attendance = watched.attendance
                watched.state.append((rules.session(number), attendance.contentment, attendance.retention))
        watched.round = last

    def _put(self, watched: _Watched, turn: Turn, session: int) -> None:
        row, share = self._catalogue.row, accepted_share(turn)
        accepted, wanted = frozenset(turn.accepted), frozenset(turn.targets)
        final = [row[item] for item in turn.final]
        taken = watched.accepted[turn.user_id]
        taken.extend(place for item, place in zip(turn.final, final, strict=True) if item in accepted)
        watched.users.append(turn.user_id)
        watched.sessions.append(session)
        watched.shares.append(np.nan if share is None else share)
        watched.slate_shares.append(np.nan if share is None else len(accepted) / len(turn.slate))
        watched.finals.append(final)
        watched.hits.append([item in wanted for item in turn.final])
        watched.targets.append(len(wanted))
        genres = self._catalogue.genres
        known = len(taken) == WINDOW
        watched.entropy.append(float(_entropy(genres[list(taken)].sum(0)[None])[0]) if known else np.nan)

    def table(self) -> pd.DataFrame:
        """arm, replicate, session, measure, value: one number of the world each; NaN where it cannot be known."""
        frames = []
        for group, watched in self._groups.items():
            self._close(group, self._rounds)
            wide = self._measured(watched)
            long = wide.melt(id_vars="session", var_name="measure", value_name="value")
            long.insert(0, "arm", group.arm)
            long.insert(1, "replicate", group.replicate)
            frames.append(long)
        if not frames:
            return pd.DataFrame(columns=["arm", "replicate", "session", "measure", "value"])
        return pd.concat(frames, ignore_index=True)

    def _measured(self, watched: _Watched) -> pd.DataFrame:
        """A row for each session, a column for each measure."""
        catalogue, width = self._catalogue, max(map(len, watched.finals))
        item = np.full((len(watched.finals), width), -1, dtype=np.int64)
        hits = np.zeros(item.shape, dtype=bool)
        for at, (final, found) in enumerate(zip(watched.finals, watched.hits, strict=True)):
            item[at, : len(final)], hits[at, : len(found)] = final, found
        targets = np.array(watched.targets, dtype=np.int64)
        metrics = ranking_metrics(hits, targets.clip(min=1), [width])
        bits = -np.log2((catalogue.interactions + 1) / (catalogue.train_interactions + catalogue.items))
        shown = item >= 0
        diversity, entropy = _genres_of(item, catalogue.genres)
        turns = pd.DataFrame(
            {
                "session": watched.sessions,
                "user": watched.users,
                "acceptance": watched.slate_shares,
                "acceptance_shown": watched.shares,
                "hr": np.where(targets > 0, metrics[f"hr@{width}"], np.nan),
                "ndcg": np.where(targets > 0, metrics[f"ndcg@{width}"], np.nan),
                "diversity": diversity,
                "entropy_shown": entropy,
                "entropy_accepted": watched.entropy,
                "novelty": np.where(shown, bits[item], 0).sum(1) / shown.sum(1),
            }
        )
        by_user = turns.groupby(["session", "user"], sort=False).mean()
        wide = by_user.groupby("session").mean()
        wide["users"] = by_user.groupby("session").size()
        sessions = np.array(watched.sessions)
        for session in wide.index:
            rows = sessions == session
            places = item[rows][shown[rows]]
            times = np.zeros(catalogue.items, dtype=np.int64)
            counted = np.bincount(places, minlength=len(catalogue.interactions))
            times[: len(counted)] = counted
            wide.loc[session, "coverage"] = (times > 0).mean()
            wide.loc[session, "gini"] = gini(times)
            taken = np.array([self._people.popularity[watched.users[at]] for at in np.flatnonzero(rows)])
            both = ~np.isnan(taken)
            own = np.where(shown[rows], catalogue.interactions[item[rows]], 0).sum(1) / shown[rows].sum(1)
            whole = taken[both].sum()
            wide.loc[session, "popularity_lift"] = own[both].sum() / whole if whole else np.nan
        state = pd.DataFrame(watched.state, columns=["session", "satisfaction", "retention"])
        return state.merge(wide.reset_index(), on="session", how="left").fillna({"users": 0})[
            ["session", *MEASURES]
        ]


def _genres_of(item: NDArray[np.int64], genres: NDArray[np.float32]) -> tuple[_Values, _Values]:
    """(T,) of lists (T, N): 1 - mean Jaccard similarity of pairs, and bits of the mix of genres; items without genres are left out."""
    diversity, entropy = np.full(len(item), np.nan), np.full(len(item), np.nan)
    has_some: NDArray[np.bool_] = np.asarray(genres.any(axis=1))
    known = (item >= 0) & has_some[item]
    for start in range(0, len(item), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        own = np.where(known[rows, :, None], genres[item[rows]], 0)
        size = own.sum(2)
        both = own @ own.transpose(0, 2, 1)
        union = size[:, :, None] + size[:, None, :] - both
        similar = np.divide(both, union, out=np.zeros_like(both), where=union > 0)
        count = known[rows].sum(1)
        pairs = count * (count - 1)
        total = similar.sum((1, 2)) - count
        np.divide(pairs - total, pairs, out=diversity[rows], where=pairs > 0)
        entropy[rows] = _entropy(own.sum(1))
    return diversity, entropy


def _entropy(counts: NDArray[np.float32]) -> _Values:
    """(T,) Shannon entropy in bits of counts (T, G); NaN where all are 0."""
    total = counts.sum(1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    bits = -(share * np.log2(share, out=np.zeros(share.shape), where=share > 0)).sum(1)
    return np.where(total[:, 0] > 0, bits, np.nan)


def told_of_sessions(sessions: Sessions, scenario: Scenario, catalogue: Catalogue) -> dict[str, Any]:
    """What summary.json says of a world of several rounds."""
    table = sessions.table()
    compares = scenario.arms is not None or scenario.sweep is not None
    return {
        "catalogue": {"items": catalogue.items, "train_interactions": catalogue.train_interactions},
        "sessions": curves(table),
        "sessions_against_reference": against(table, declared(scenario).references if compares else {}),
    }


def curves(table: pd.DataFrame) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Arm -> measure -> a point for each session: session, mean, low, high, replicates (of `Sessions.table`).

    The interval is Student's, 95 %, over replicates of the world; None of one alone. A measure that no replicate knows at a
    session has no point there.
    """
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    groups = table.dropna().groupby(["arm", "measure", "session"], sort=False)
    for (arm, measure, session), values in groups["value"]:
        points = found.setdefault(str(arm), {}).setdefault(str(measure), [])
        told = _interval(values.to_numpy(dtype=np.float64))
        if measure in _SHARES and told["low"] is not None:
            # Student's interval knows no bounds; a share does.
            told |= {"low": max(0.0, told["low"]), "high": min(1.0, told["high"])}
        points.append({"session": session, **told})
    return found


def against(table: pd.DataFrame, references: Mapping[str, str]) -> dict[str, dict[str, dict[str, Any]]]:
    """Arm -> measure -> reference, and the arm minus it at the last session and over all of them: mean, low, high, replicates.

    Differences are taken within a replicate, which has the same draws in every arm; the interval is Student's over replicates.
    """
    if table.empty:
        return {}
    values = table.pivot_table(index=["measure", "replicate", "session"], columns="arm", values="value")
    last = int(table["session"].max())
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for arm, reference in references.items():
        if not {arm, reference} <= set(values.columns):
            continue
        difference = (values[arm] - values[reference]).dropna()
        for measure in MEASURES:
            if measure not in difference.index.get_level_values("measure"):
                continue
            own = difference.xs(measure, level="measure")
            at_end = own[own.index.get_level_values("session") == last].to_numpy(dtype=np.float64)
            entry = {"reference": reference, "mean": _interval(own.groupby("replicate").mean().to_numpy())}
            if len(at_end):
                entry["last"] = _interval(at_end)
            found.setdefault(arm, {})[measure] = entry
    return found


def _interval(values: _Values) -> dict[str, Any]:
    mean, n = float(np.mean(values)), len(values)
    if n < 2:
        return {"mean": mean, "low": None, "high": None, "replicates": n}
    half = float(stats.t.isf((1 - _LEVEL) / 2, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    return {"mean": mean, "low": mean - half, "high": mean + half, "replicates": n}
