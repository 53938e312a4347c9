"""What a run came to in plain words: what was asked of whom, what was found, and what cannot be concluded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.measures.meters import repeated
from simulator.measures.ranking import ALONE, RECOMMENDER, REFINED
from simulator.report.traffic import traffic_findings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def without_answer(summary: Mapping[str, Any]) -> str:
    """What turns without a usable answer count as."""
    if summary.get("fidelity") is not None:
        return "count as answers that prefer and accept nothing"
    return "count with the recommender's own list"


def findings(summary: Mapping[str, Any]) -> list[str]:
    """Sentences, the answer first."""
    found: list[str] = []
    if traffic := summary.get("traffic"):
        found += traffic_findings(traffic)
    if study := summary.get("study"):
        found += study["findings"].values()
    if fidelity := summary.get("fidelity"):
        found += [f"{arm}: {told['text']}" for arm, told in fidelity["verdicts"].items()]
    elif not study:
        found += _of_lists(summary)
    return found


def cautions(summary: Mapping[str, Any]) -> list[str]:
    """What a reader has to know before any of it is believed."""
    arms = summary.get("arms") or {"": summary}
    labels = list(dict.fromkeys(told["client"] for told in arms.values()))
    found = []
    if study := summary.get("study"):
        found.append(study["text"])
    machines = [label for label in labels if "not a language model" in label or "null user" in label]
    if machines:
        whose = "The audience" if len(machines) == len(labels) else "The audience of some arms"
        found.append(
            f"{whose} is {' and '.join(machines)}: what it likes says nothing about language models."
        )
    if "(synthetic)" in summary["data"]:
        found.append(f"The data are {summary['data']}: no result about them is one about people.")
    found += repeated(summary.get("meters", {}))
    planned, failed = (
        sum(entry[name] for entry in summary["replies"].values()) for name in ("planned", "fallback")
    )
    if failed:
        found.append(
            f"{failed:,} of {planned:,} turns ({failed / planned:.1%}) brought no usable answer; they {without_answer(summary)}."
        )
    return found


def _of_lists(summary: Mapping[str, Any]) -> Iterator[str]:
    """Whether the audience helped, and whether it knows more than users that know nothing."""
    for arm, pairs in summary["differences"].items():
        name = f"{REFINED} - {RECOMMENDER}"
        if name in pairs:
            metric, told = list(pairs[name].items())[-1]
            yield f"{arm}: asking the audience changes {metric.upper()} of the recommender's list by {_told(told)}."
        for null in ("random", "popularity"):
            name = f"{ALONE} - {null}"
            if name in pairs:
                metric, told = list(pairs[name].items())[-1]
                yield f"{arm}: its own order differs from that of the {null} user by {_told(told)} in {metric.upper()}."


def _told(told: Mapping[str, Any]) -> str:
    if told["low"] is None:
        return f"{told['mean']:+.3f} (one user: no interval)"
    sure = "" if told["low"] > 0 or told["high"] < 0 else ", which is no difference that can be told from 0"
    return f"{told['mean']:+.3f} [{told['low']:+.3f}, {told['high']:+.3f}]{sure}"
