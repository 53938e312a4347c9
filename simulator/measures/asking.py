"""What each way of asking took: calls and tokens for each turn, and how single calls of a turn ended."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agents.llm import Record
    from simulator.transcript.turns import Turn


def asking(turns: Sequence[Turn], records: Iterable[Record]) -> dict[str, dict[str, Any]]:
    """By "arm, phase": the way of asking, its turns, calls and tokens, and each of these for one turn.

    Counts what the turns rest on, wherever the answers came from: a call that two arms share counts in both. Tokens are None
    where no answer says how many. For turns of several calls also the statuses of these, and the mean of what probability yes
    and no had together.
    """
    by_key = {record.key: record for record in records}
    result = {}
    for arm, phase in dict.fromkeys((turn.arm, turn.phase) for turn in turns):
        chosen = [turn for turn in turns if (turn.arm, turn.phase) == (arm, phase)]
        result[f"{arm}, {phase}"] = _of_group(chosen, by_key)
    return result


def _of_group(turns: Sequence[Turn], by_key: dict[str, Record]) -> dict[str, Any]:
    keys = [key for turn in turns for key in turn.requests]
    said = [record.completion for record in map(by_key.__getitem__, keys) if record.completion is not None]
    counted = {
        "prompt_tokens": _sum(completion.usage.prompt_tokens for completion in said),
        "cached_tokens": _sum(completion.usage.cached_tokens for completion in said),
        "completion_tokens": _sum(completion.usage.completion_tokens for completion in said),
    }
    parts = [part for turn in turns for part in turn.parts]
    masses = [part.mass for part in parts if part.mass is not None]
    told: dict[str, Any] = {"ask": turns[0].ask, "turns": len(turns), "calls": len(keys), **counted}
    told["per_turn"] = {
        name: None if value is None else round(value / len(turns), 1)
        for name, value in {"calls": len(keys), **counted}.items()
    }
    if parts:
        told["statuses"] = dict(sorted(Counter(part.status for part in parts).items()))
        told["yes_no_mass"] = sum(masses) / len(masses) if masses else None
    return told


def _sum(counts: Iterable[int | None]) -> int | None:
    """None if nothing was counted."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
