"""Where two runs first differ, in words: what was asked for, with what, turn by turn, and what came of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agents.llm.difference import answer_difference, first_difference, request_difference, short
from recommender.trained_directory import read_json
from scenarios.reading import read_document
from simulator.transcript.directory import RunDirectory
from simulator.transcript.journal import CallJournal
from simulator.transcript.leaves import leaves
from simulator.transcript.turns import TranscriptError, turn_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from simulator.transcript.turns import Place, Turn

_FIRST, _SECOND = "in the first", "in the second"
_OWN = ("recording", "replay_of", "refresh", "scenario_as_run", "hashes.scenario", "continued_with")
"""Keys of a manifest that tell how a run came about; what they lead to is compared itself."""


@dataclass
class Comparison:
    """Two runs beside each other; each difference is a sentence about "the first" and "the second"."""

    first: Path
    second: Path
    scenario: list[str] = field(default_factory=list)
    """Keys of the scenario that differ."""
    manifest: list[str] = field(default_factory=list)
    """Versions, hashes of data and templates, who was asked and who answered."""
    first_turn: str | None = None
    """The first turn that differs, and in what."""
    first_call: str | None = None
    """What differs in the call behind that turn."""
    turns: dict[str, int] = field(default_factory=dict)
    """How many turns are equal, differ, or are in one run only."""
    calls: dict[str, int] = field(default_factory=dict)
    """How many calls have equal answers, other answers, or are in one run only."""
    metrics: list[str] = field(default_factory=list)
    """Final metrics that differ."""

    @property
    def equal(self) -> bool:
        """The same was asked for, and the same came of it; versions and settings of a machine are no difference."""
        return not (self.metrics or _differing(self.turns) or _differing(self.calls))


def compare(first: Path, second: Path) -> Comparison:
    """Compare two run directories; TranscriptError, DirectoryError, JournalError or ScenarioError if one cannot be read."""
    runs = RunDirectory.begun(first), RunDirectory.begun(second)
    found = Comparison(first, second)
    found.scenario = _differences(*(dict(leaves(read_document(run.scenario).value)) for run in runs))
    kept = [
        {key: value for key, value in leaves(read_json(run.manifest)) if not key.startswith(_OWN)}
        for run in runs
    ]
    found.manifest = _differences(*kept)
    with CallJournal(runs[0].calls, "read") as one, CallJournal(runs[1].calls, "read") as other:
        found.calls = _count(_answers(one), _answers(other))
        lines = _Lines(runs[0].turns), _Lines(runs[1].turns)
        found.turns = _count(lines[0].hashes, lines[1].hashes)
        place = next(_first_places(*(line.hashes for line in lines)), None)
        if place is not None:
            turns = lines[0].turn(place), lines[1].turn(place)
            found.first_turn = f"{_where(place)}: {_turn_difference(*turns)}"
            if turns[0] is not None and turns[1] is not None:
                found.first_call = _call_difference(turns[0], turns[1], one, other)
    metrics = [dict(leaves(read_json(run.metrics))) if run.metrics.is_file() else {} for run in runs]
    # Means first: an interval is seldom what one looks for.
    found.metrics = sorted(_differences(*metrics), key=lambda line: ".mean is" not in line)
    return found


class _Lines:
    """The turns of a file by place; only hashes and positions are held in memory."""

    def __init__(self, path: Path) -> None:
        self.hashes: dict[Place, bytes] = {}
        self._path = path
        self._at: dict[Place, tuple[int, int]] = {}
        if not path.is_file():
            return
        at = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    turn = turn_of(line)
                except ValueError as error:
                    raise TranscriptError(
                        f"{path}:{number}: not a turn: {error}; see python -m simulator.transcript verify"
                    ) from None
                self.hashes[turn.place] = hashlib.sha256(line).digest()
                self._at[turn.place] = (at, len(line))
                at += len(line)

    def turn(self, place: Place) -> Turn | None:
        if place not in self._at:
            return None
        at, length = self._at[place]
        with self._path.open("rb") as file:
            file.seek(at)
            return turn_of(file.read(length))


def _answers(journal: CallJournal) -> dict[str, bytes]:
    """By key, a hash of what came of the call; neither times nor attempts are in it."""
    return {
        record.key: hashlib.sha256(
            repr((record.error, record.completion)).encode("utf-8", "surrogatepass")
        ).digest()
        for record in journal.records()
    }


def _count(one: Mapping[Any, bytes], other: Mapping[Any, bytes]) -> dict[str, int]:
    both = one.keys() & other.keys()
    differ = sum(one[key] != other[key] for key in both)
    return {
        "equal": len(both) - differ,
        "differ": differ,
        "only in the first": len(one) - len(both),
        "only in the second": len(other) - len(both),
    }


def _differing(counts: Mapping[str, int]) -> int:
    return sum(count for name, count in counts.items() if name != "equal")


def _first_places(one: Mapping[Place, bytes], other: Mapping[Place, bytes]) -> Iterator[Place]:
    yield from (place for place in one if one[place] != other.get(place))
    yield from (place for place in other if place not in one)


def _where(place: Place) -> str:
    arm, phase, replicate, number, user = place
    return f"arm {arm}, {phase}, replicate {replicate}, round {number}, user {user}"


def _turn_difference(one: Turn | None, other: Turn | None) -> str:
    if one is None or other is None:
        return f"there only {_SECOND if one is None else _FIRST}"
    difference = first_difference(vars(one).items(), vars(other).items())
    return difference.told(_FIRST, _SECOND) if difference else "written in another way, with the same values"


def _call_difference(one: Turn, other: Turn, first: CallJournal, second: CallJournal) -> str:
    if len(one.requests) != len(other.requests):
        return f"{len(one.requests)} calls {_FIRST} and {len(other.requests)} {_SECOND}"
    for key, other_key in zip(one.requests, other.requests, strict=True):
        call, again = first.get(key), second.get(other_key)
        if call is None or again is None:
            return f"the call is not in the journal {_FIRST if call is None else _SECOND}"
        if found := request_difference(call.request, again.request):
            return f"the request: {found.told(_FIRST, _SECOND)}"
        if key != other_key:
            return "the requests are equal, and were sent to another provider or base_url"
        if found := answer_difference(call, again):
            return f"the same request was answered differently: {found.told(_FIRST, _SECOND)}"
    return "the call is the same in both; what was made of its answer differs (scenario, code or slate)"


def _differences(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    return [
        f"{key} is {_told(one, key)} {_FIRST} and {_told(other, key)} {_SECOND}"
        for key in {**one, **other}
        if key not in one or key not in other or json.dumps(one[key]) != json.dumps(other[key])
    ]


def _told(values: Mapping[str, object], key: str) -> str:
    return short(values[key]) if key in values else "absent"
