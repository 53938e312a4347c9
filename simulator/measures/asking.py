"""What each way of asking took: calls and tokens for each turn, and how single calls of a turn ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agents.llm import Record
    from simulator.transcript.turns import Turn


_TOKENS = ("prompt_tokens", "cached_tokens", "completion_tokens")


@dataclass
class _Asked:
    """Of one arm and phase."""

    way: str
    turns: int = 0
    calls: int = 0
    tokens: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(_TOKENS))
    """None where no answer says how many."""
    parts: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    masses: list[float] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        counted: dict[str, int | None] = {"calls": self.calls, **self.tokens}
        per_turn = {
            name: None if value is None else round(value / self.turns, 1) for name, value in counted.items()
        }
        told: dict[str, Any] = {"ask": self.way, "turns": self.turns, **counted, "per_turn": per_turn}
        if self.parts:
            told["statuses"] = dict(sorted(self.statuses.items()))
            told["yes_no_mass"] = sum(self.masses) / len(self.masses) if self.masses else None
        return told


class Asking:
    """Gathers what the turns of each arm and phase rest on, wherever the answers came from.

    A call that two arms share counts in both.
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], _Asked] = {}

    def add(self, turns: Iterable[Turn], records: Iterable[Record]) -> None:
        """Gather turns with the records of all their calls; others may be among them."""
        by_key = {record.key: record.completion for record in records}
        for turn in turns:
            group = self._groups.setdefault((turn.arm, turn.phase), _Asked(turn.ask))
            group.turns += 1
            for key in turn.requests:
                group.calls += 1
                if (said := by_key[key]) is None:
                    continue
                for name in _TOKENS:
                    if (count := getattr(said.usage, name)) is not None:
                        group.tokens[name] = (group.tokens[name] or 0) + count
            group.parts += len(turn.parts)
            group.statuses.update(part.status for part in turn.parts)
            group.masses += [part.mass for part in turn.parts if part.mass is not None]

    def told(self) -> dict[str, dict[str, Any]]:
        """By "arm, phase": the way of asking, its turns, calls and tokens, and each of these for one turn.

        For turns of several calls also the statuses of these, and the mean of what probability yes and no had together.
        """
        return {f"{arm}, {phase}": group.told() for (arm, phase), group in self._groups.items()}
