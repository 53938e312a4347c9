"""What the audience did: statuses of its replies, acceptance, calls, tokens and time."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agents.llm import Record
    from simulator.transcript.turns import Turn


_COUNTS = ("missing", "duplicate", "unknown", "ambiguous")


@dataclass
class _Replies:
    """Of one arm and phase."""

    planned: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    sums: Counter[str] = field(default_factory=Counter)

    def told(self) -> dict[str, Any]:
        sums = self.sums
        reflections = {"reflections": {"asked": sums["asked"], "noted": sums["noted"]}}
        return {
            "planned": self.planned,
            "statuses": dict(sorted(self.statuses.items())),
            "fallback": sums["fallback"],
            "acceptance": sums["accepted"] / sums["offered"] if sums["offered"] else None,
            # Nothing where nobody was asked to sum up.
            **(reflections if sums["asked"] else {}),
            **{name: sums[name] for name in _COUNTS},
        }


class Replies:
    """Gathers turns one by one, and tells what the audience did in each arm and phase."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], _Replies] = defaultdict(_Replies)

    def add(self, turn: Turn) -> None:
        """Gather a turn."""
        group = self._groups[turn.arm, turn.phase]
        group.planned += 1
        group.statuses[turn.status] += 1
        sums = group.sums
        sums["fallback"] += turn.fallback
        sums["offered"] += len(turn.slate) * turn.decides
        sums["accepted"] += len(turn.accepted)
        sums["asked"] += turn.reflection is not None
        sums["noted"] += turn.noted
        for name in _COUNTS:
            sums[name] += getattr(turn, name)

    def told(self) -> dict[str, dict[str, Any]]:
        """By "arm, phase": planned turns, parse statuses, fallbacks, share accepted, and what parsing had to count.

        The share is None where accepting was not asked for.
        """
        return {f"{arm}, {phase}": group.told() for (arm, phase), group in self._groups.items()}


class Calls:
    """Gathers the records of a run, each call once, and tells calls, attempts, tokens and seconds."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._sums: Counter[str] = Counter()
        self._sources: Counter[str] = Counter()
        self._seconds = 0.0
        self._models: set[str] = set()

    def add(self, records: Iterable[Record]) -> None:
        """Gather records; calls without a token count are counted."""
        for record in records:
            if record.key in self._known:
                continue
            self._known.add(record.key)
            self._sums["calls"] += 1
            self._sums["attempts"] += len(record.attempts)
            self._sources[record.source] += 1
            self._seconds += record.seconds
            if record.completion is None:
                continue
            usage = record.completion.usage
            self._sums["answered"] += 1
            self._sums["prompt"] += usage.prompt_tokens or 0
            self._sums["reply"] += usage.completion_tokens or 0
            self._sums["uncounted"] += None in (usage.prompt_tokens, usage.completion_tokens)
            self._models.add(record.completion.model)

    def told(self) -> dict[str, Any]:
        """As in summary.json."""
        sums = self._sums
        return {
            "calls": sums["calls"],
            "answered": sums["answered"],
            "failed": sums["calls"] - sums["answered"],
            "attempts": sums["attempts"],
            "sources": dict(sorted(self._sources.items())),
            "prompt_tokens": sums["prompt"],
            "completion_tokens": sums["reply"],
            "calls_without_token_count": sums["uncounted"],
            "call_seconds": round(self._seconds, 3),
            "models": sorted(self._models),
        }
