"""The results as Markdown tables, for papers and notes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from recommender.study.measuring import metric_names
from recommender.study.results import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def markdown(results: Mapping[str, Any]) -> str:
    """Metrics, differences to the first arm, histories by length where they were shortened, and trainings."""
    metrics = metric_names(results["cutoffs"])
    seeds = ", ".join(map(str, results["seeds"]))
    reference = _escaped(results["reference"])
    tested = results["test"]
    arms = tested["arms"].items()
    parts = [
        f"# {results['name']}: {_escaped(results['data'])}",
        f"Test, {results['protocol']}. {tested['users']:,} users; mean over users of the mean over seeds {seeds}, 95 % interval.",
        _table(
            ["arm", *map(_heading, metrics)],
            ([_escaped(arm), *(_mean(found["metrics"][name]) for name in metrics)] for arm, found in arms),
        ),
    ]
    if len(arms) > 1:
        others = [(arm, found["difference"]) for arm, found in arms if arm != results["reference"]]
        parts += [
            f"Differences to {reference} within users, 95 % interval:",
            _table(
                ["arm", *map(_heading, metrics)],
                ([_escaped(arm), *(_difference(found[name]) for name in metrics)] for arm, found in others),
            ),
        ]
    if results["test_by_length"]:
        parts += _by_length(results, metrics)
    parts += ["Trainings:", _trainings(results)]
    return "\n\n".join(parts) + "\n"


def _by_length(results: Mapping[str, Any], metrics: Sequence[str]) -> list[str]:
    lengths = results["test_by_length"]
    users = next(iter(lengths.values()))["users"]
    rows = (
        [
            _escaped(arm),
            "whole" if length == WHOLE else length,
            *(_mean(found["arms"][arm]["metrics"][name]) for name in metrics),
        ]
        for arm in results["arms"]
        for length, found in lengths.items()
    )
    return [
        f"Histories shortened at serving to the newest interactions, the same {users:,} users at every length:",
        _table(["arm", "length", *map(_heading, metrics)], rows),
    ]


def _trainings(results: Mapping[str, Any]) -> str:
    rows = []
    for arm, told in results["arms"].items():
        trainings = told["trainings"].values()
        changes = ", ".join(f"{key}: {json.dumps(value)}" for key, value in told["changes"].items())
        rows.append(
            [
                _escaped(arm),
                told["model"],
                f"`{_escaped(changes)}`" if changes else "",
                ", ".join(f"{each['validation_ndcg@10']:.4f}" for each in trainings),
                ", ".join(f"{each['best_epoch']} of {each['epochs']}" for each in trainings),
                "yes" if any(each["cut_short"] for each in trainings) else "",
            ]
        )
    return _table(
        ["arm", "model", "changes", "validation NDCG@10", "best epoch", "cut short by max_epochs"], rows
    )


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _heading(metric: str) -> str:
    return metric.upper()


def _mean(interval: Mapping[str, float | None]) -> str:
    return f"{interval['mean']:.4f}" + _bounds(interval, "")


def _difference(interval: Mapping[str, float | None]) -> str:
    return f"{interval['mean']:+.4f}" + _bounds(interval, "+")


def _bounds(interval: Mapping[str, float | None], sign: str) -> str:
    low, high = interval["low"], interval["high"]
    return "" if low is None or high is None else f" [{low:{sign}.4f}, {high:{sign}.4f}]"


def _escaped(text: str) -> str:
    return " ".join(text.splitlines()).replace("|", "\\|")
