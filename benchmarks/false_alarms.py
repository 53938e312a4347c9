"""The statistics of arms on studies whose truth is known: false alarms, power, intervals, replicates.

Each study is simulated users with the shape of real metrics (NDCG with its many zeros, hits, AUC), who differ from one
another. In an A/A study nothing differs between the arms, so each test may find something in 5 % of the studies; in a
planted one the difference is the size that the power computation says is found in 80 %. All of it goes through
`simulator.measures`, as the study of a run does.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from benchmarks.recording import record
from recommender.intervals import bootstrap_interval
from simulator.measures.comparison import PairedComparison, compare, corrected
from simulator.measures.hit_power import changing_share, smallest_detectable_hits, users_needed_hits
from simulator.measures.power import LEVEL, POWER, smallest_detectable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    _Values = NDArray[np.float64]

_ARMS = 4
"""Of a family: a reference and three arms, compared with it by Holm."""
_REPLICATES = 5
_CHANGING = 0.3
"""Share of the users whose hit changes from one arm to the other, in planted studies of hits where the difference is small."""
_EFFECTS = (0.1, 0.15, 0.25)
"""Differences in hits, for each of which so many users are asked as are computed to be needed."""
_SURE = 0.001
"""A share counts as another than its nominal one where a binomial test says so at this level."""


def _ndcg(generator: np.random.Generator, users: int, arms: int) -> _Values:
    """(arms, U): two of five users have a hit; how good their lists are differs between users, and from arm to arm."""
    taste = generator.beta(2, 2, users)
    hit = generator.random((arms, users)) < 0.2 + 0.4 * taste
    return np.where(hit, generator.beta(1 + 3 * taste, 2, (arms, users)), 0.0)


def _hits(generator: np.random.Generator, users: int, arms: int) -> _Values:
    """(arms, U) of 0 and 1: users differ in how easily they are hit."""
    return (generator.random((arms, users)) < generator.beta(1, 1, users)).astype(np.float64)


def _auc(generator: np.random.Generator, users: int, arms: int) -> _Values:
    """(arms, U): shares of the pairs of ten liked and ten other items."""
    return np.round(
        np.clip(generator.normal(0.6, 0.1, users) + generator.normal(0, 0.1, (arms, users)), 0, 1), 2
    )


_SHAPES: dict[str, Callable[[np.random.Generator, int, int], _Values]] = {
    "ndcg": _ndcg,
    "hits": _hits,
    "auc": _auc,
}


@dataclass
class _Share:
    """How often something happened in the studies, beside how often it may."""

    nominal: float
    at_most: bool = False
    """Fewer is no fault: a test of few whole numbers cannot use up its level, and Holm need not."""
    happened: int = 0
    studies: int = 0

    def count(self, *, happened: bool) -> None:
        self.happened += happened
        self.studies += 1

    def as_dict(self) -> dict[str, Any]:
        side = "greater" if self.at_most else "two-sided"
        p = float(stats.binomtest(self.happened, self.studies, self.nominal, alternative=side).pvalue)
        bounds = stats.binomtest(self.happened, self.studies).proportion_ci(method="wilson")
        return {
            "share": round(self.happened / self.studies, 4),
            "low": round(float(bounds.low), 4),
            "high": round(float(bounds.high), 4),
            "nominal": self.nominal,
            "at_most": self.at_most,
            "studies": self.studies,
            "as_nominal": p > _SURE,
        }


def main() -> None:
    """Simulate all studies; exit code 1 where false alarms are not what they may be."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--studies", type=int, default=1_000)
    options.add_argument("--users", nargs="+", type=int, default=[30, 100, 300])
    options.add_argument("--seed", type=int, default=0)
    options.add_argument(
        "--metrics", nargs="+", choices=list(_SHAPES), default=list(_SHAPES), help="shapes of metrics to try"
    )
    options.add_argument("--quick", action="store_true", help="100 studies of 30 and 60 users")
    chosen = options.parse_args()
    if chosen.quick:
        chosen.studies, chosen.users = 100, [30, 60]
    began = time.perf_counter()
    fields = measured(chosen.studies, chosen.users, chosen.seed, chosen.metrics)
    fields["seconds"] = round(time.perf_counter() - began, 1)
    record(
        "-".join(
            ["false-alarms", *(chosen.metrics if len(chosen.metrics) < len(_SHAPES) else ())]
            + ["quick"] * chosen.quick
        ),
        fields,
        f"python -m benchmarks.false_alarms {' '.join(sys.argv[1:])}".strip(),
    )
    for row in fields["rows"]:
        mark = "" if row["as_nominal"] else "  NOT AS IT SHOULD BE"
        most = "at most " * row["at_most"]
        told = f"{row['share']:.3f} [{row['low']:.3f}, {row['high']:.3f}], {most}{row['nominal']:.3f}{mark}"
        print(
            f"{row['truth']:9} {row['what']:34} {row['metric']:5} {row['users']:5} users: {told}",
            file=sys.stderr,
        )
    wrong = fields["replicates_as_users"]
    print(f"replicates counted as users would give {wrong['share']:.3f} false alarms", file=sys.stderr)
    print(
        f"widths of copies: {fields['width_of_copies']}; apart from scipy: {fields['distance_to_scipy']}",
        file=sys.stderr,
    )
    # Replicates as users are wrong: a benchmark that cannot see it could not see anything.
    alarms = [row["as_nominal"] for row in fields["rows"] if row["truth"] == "nothing"]
    if wrong["as_nominal"] or not all(alarms):
        raise SystemExit(1)


def measured(
    studies: int, users: Sequence[int], seed: int, metrics: Sequence[str] = tuple(_SHAPES)
) -> dict[str, Any]:
    """The rows of the result: what was counted, in which studies, how often, how often it may."""
    rows: list[dict[str, Any]] = []
    for metric in metrics:
        for count in users:
            for truth, shares in (
                ("nothing", alike(metric, count, studies, seed)),
                ("planted", planted(metric, count, studies, seed)),
            ):
                rows += [
                    {"truth": truth, "what": what, "metric": metric, "users": count, **share.as_dict()}
                    for what, share in shares.items()
                ]
            print(f"{metric} {count} users", file=sys.stderr, flush=True)
    for effect in _EFFECTS if "hits" in metrics else ():
        count, found = needed(effect, studies, seed)
        what = f"finds {effect:g}, users as needed"
        rows.append({"truth": "planted", "what": what, "metric": "hits", "users": count, **found.as_dict()})
    ours, as_users = replicates(users[-1], studies, seed)
    told = {
        "truth": "nothing",
        "what": "five replicates, averaged in users",
        "metric": "ndcg",
        "users": users[-1],
    }
    return {
        "rows": [*rows, {**told, **ours.as_dict()}],
        "replicates_as_users": as_users.as_dict(),
        "width_of_copies": copies(users[-1], seed),
        "distance_to_scipy": like_scipy(seed),
        "level": LEVEL,
        "power": POWER,
        "seed": seed,
    }


def alike(metric: str, users: int, studies: int, seed: int) -> dict[str, _Share]:
    """A/A: an arm against its reference, and three arms against one reference as a family."""
    shares = {
        "randomisation p": _Share(LEVEL, at_most=metric == "hits"),
        "95 % interval without 0": _Share(LEVEL),
        "a family of three, Holm": _Share(LEVEL, at_most=True),
    }
    if metric == "hits":
        shares["McNemar, exact"] = _Share(LEVEL, at_most=True)
    for study in range(studies):
        values = _SHAPES[metric](np.random.default_rng([seed, users, study]), users, _ARMS)
        found = [compare(arm, values[0], study, hits=metric == "hits") for arm in values[1:]]
        shares["randomisation p"].count(happened=_significant(found[0].p))
        shares["95 % interval without 0"].count(happened=_without_zero(found[0]))
        shares["a family of three, Holm"].count(
            happened=any(_significant(each.p_holm) for each in corrected(found))
        )
        if metric == "hits":
            told = found[0].discordant
            shares["McNemar, exact"].count(happened=told is not None and _significant(told.p))
    return shares


def planted(metric: str, users: int, studies: int, seed: int) -> dict[str, _Share]:
    """A true difference of the size that so many users show with 80 % power, by our own computation of power.

    Of hits also one of the size that the paired t test would show, which takes their few values for many.
    """
    generator = np.random.default_rng([seed, users])
    many = _SHAPES[metric](generator, 200_000, 2)
    found, by_t, covered = _Share(POWER), _Share(POWER, at_most=True), _Share(1 - LEVEL)
    for study in range(studies):
        generator = np.random.default_rng([seed, users, study, 1])
        arm, reference = _SHAPES[metric](generator, users, 2)
        if metric == "hits":
            sd = float(np.sqrt(_CHANGING))
            less = sd * smallest_detectable(users)
            by_t.count(happened=_significant(compare(*_flipped(generator, users, less), study, hits=True).p))
            effect = smallest_detectable_hits(users, sd) or 1.0
            arm, reference = _flipped(generator, users, effect)
        else:
            effect = float((many[0] - many[1]).std() * smallest_detectable(users))
            arm = arm + effect
        told = compare(arm, reference, study, hits=metric == "hits")
        found.count(happened=_significant(told.p))
        covered.count(
            happened=told.low is not None and told.high is not None and told.low <= effect <= told.high
        )
    shares = {"randomisation p finds it": found, "95 % interval holds it": covered}
    return {**shares, "finds what the t test would": by_t} if metric == "hits" else shares


def needed(effect: float, studies: int, seed: int) -> tuple[int, _Share]:
    """The users that a difference in hits of this size needs, and how often so many find it."""
    users, found = users_needed_hits(effect, float(np.sqrt(_CHANGING))), _Share(POWER)
    for study in range(studies):
        generator = np.random.default_rng([seed, users, study, 6])
        told = compare(*_flipped(generator, users, effect), study, hits=True)
        found.count(happened=_significant(told.p))
    return users, found


def _flipped(generator: np.random.Generator, users: int, effect: float) -> tuple[_Values, _Values]:
    """Hits (U,) with an arm and without, that differ by `effect` in truth, with the deviation of three in ten users that change."""
    changing = changing_share(effect, float(np.sqrt(_CHANGING)))
    reference = (generator.random(users) < 0.5).astype(np.float64)
    drawn = generator.random(users)
    better = drawn < (changing + effect) / 2
    worse = ~better & (drawn < changing)
    # Whoever changes for the better had no hit before, and the other way round.
    reference = np.where(better, 0.0, np.where(worse, 1.0, reference))
    return np.where(better, 1.0, np.where(worse, 0.0, reference)), reference


def replicates(users: int, studies: int, seed: int) -> tuple[_Share, _Share]:
    """A/A with five replicates: users react to an arm in their own ways, which average to nothing over users.

    Averaged inside the user, as a study does; and what is found where each replicate passes for a user.
    """
    ours, as_users = _Share(LEVEL), _Share(LEVEL)
    for study in range(studies):
        generator = np.random.default_rng([seed, users, study, 2])
        own = generator.normal(0, 0.1, users)
        base = generator.beta(2, 2, users)
        noise = generator.normal(0, 0.05, (2, _REPLICATES, users))
        reference, arm = base + noise[0], base + own + noise[1]
        ours.count(happened=_significant(compare(arm.mean(0), reference.mean(0), study).p))
        as_users.count(happened=_significant(compare(arm.ravel(), reference.ravel(), study).p))
    return ours, as_users


def copies(users: int, seed: int) -> dict[str, float]:
    """Width of the interval of one replicate, of five equal ones in users, and of five that pass for users, over the first."""
    values = _ndcg(np.random.default_rng([seed, users, 3]), users, 2)
    five = np.repeat(values[:, None], _REPLICATES, axis=1)
    one = _width(values[0] - values[1], seed)
    return {
        "averaged_in_users": round(_width((five[0] - five[1]).mean(0), seed) / one, 4),
        "as_users": round(_width((five[0] - five[1]).ravel(), seed) / one, 4),
    }


def like_scipy(seed: int) -> dict[str, float]:
    """Fixed cases: the largest distance to what scipy computes by itself."""
    apart = {"p": 0.0, "interval": 0.0, "d_z": 0.0, "mcnemar": 0.0}
    for case in range(20):
        arm, reference = _ndcg(np.random.default_rng([seed, case, 4]), 14, 2)
        differences = arm - reference
        told = compare(arm, reference, seed)
        # Fourteen users have 16,384 flips of signs: all of them are taken, ours are 9,999 drawn ones.
        exact = stats.permutation_test(
            (differences,), np.sum, permutation_type="samples", n_resamples=10**6
        ).pvalue
        bounds = stats.bootstrap(
            (differences,), np.mean, n_resamples=2_000, method="BCa", rng=np.random.default_rng(seed)
        ).confidence_interval
        t = stats.ttest_rel(arm, reference).statistic
        hits = compare(*_hits(np.random.default_rng([seed, case, 5]), 40, 2), seed, hits=True).discordant
        assert told.p is not None
        assert told.low is not None
        assert told.high is not None
        assert told.d_z is not None
        assert hits is not None
        assert hits.p is not None
        for name, distance in (
            ("p", told.p - exact),
            ("interval", max(abs(told.low - bounds.low), abs(told.high - bounds.high))),
            ("d_z", told.d_z - t / np.sqrt(14)),
            ("mcnemar", hits.p - stats.binomtest(hits.gained, hits.gained + hits.lost).pvalue),
        ):
            apart[name] = max(apart[name], abs(float(distance)))
    return apart


def _width(differences: _Values, seed: int) -> float:
    found = bootstrap_interval(differences, seed)
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


def _significant(p: float | None) -> bool:
    return p is not None and p <= LEVEL


def _without_zero(found: PairedComparison) -> bool:
    return found.low is not None and found.high is not None and (found.low > 0 or found.high < 0)


if __name__ == "__main__":
    main()
