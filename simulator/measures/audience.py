"""What the audience did: statuses of its replies, acceptance, calls, tokens and time."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agents.llm import Record
    from simulator.transcript.turns import Turn


def replies(turns: Sequence[Turn]) -> dict[str, dict[str, Any]]:
    """By "arm, phase": planned turns, parse statuses, fallbacks, share accepted, and what parsing had to count."""
    result: dict[str, dict[str, Any]] = {}
    for arm, phase in dict.fromkeys((turn.arm, turn.phase) for turn in turns):
        chosen = [turn for turn in turns if (turn.arm, turn.phase) == (arm, phase)]
        offered = sum(len(turn.slate) for turn in chosen)
        result[f"{arm}, {phase}"] = {
            "planned": len(chosen),
            "statuses": dict(sorted(Counter(turn.status for turn in chosen).items())),
            "fallback": sum(turn.fallback for turn in chosen),
            "acceptance": sum(len(turn.accepted) for turn in chosen) / offered if offered else None,
            **_reflections(chosen),
            **{
                name: sum(getattr(turn, name) for turn in chosen)
                for name in ("missing", "duplicate", "unknown", "ambiguous")
            },
        }
    return result


def _reflections(turns: Sequence[Turn]) -> dict[str, dict[str, int]]:
    """How many users were asked to sum up, and how many did; nothing where none was."""
    asked = [turn for turn in turns if turn.reflection is not None]
    return {"reflections": {"asked": len(asked), "noted": sum(turn.noted for turn in asked)}} if asked else {}


def calls(records: Iterable[Record]) -> dict[str, Any]:
    """Calls, attempts, tokens and seconds over the records of a run; calls without a token count are counted."""
    unique = {record.key: record for record in records}.values()
    answered = [record.completion for record in unique if record.completion is not None]
    prompt = [completion.usage.prompt_tokens for completion in answered]
    reply = [completion.usage.completion_tokens for completion in answered]
    return {
        "calls": len(unique),
        "answered": len(answered),
        "failed": len(unique) - len(answered),
        "attempts": sum(len(record.attempts) for record in unique),
        "sources": dict(sorted(Counter(record.source for record in unique).items())),
        "prompt_tokens": sum(count for count in prompt if count is not None),
        "completion_tokens": sum(count for count in reply if count is not None),
        "calls_without_token_count": sum(None in pair for pair in zip(prompt, reply, strict=True)),
        "call_seconds": round(sum(record.seconds for record in unique), 3),
        "models": sorted({completion.model for completion in answered}),
    }
