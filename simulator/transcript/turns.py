"""turns.jsonl: one line per planned (arm, phase, replicate, round, user), in fixed order, with no clock in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recommender.trained_directory import whole_file
from simulator.transcript.parts import Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from agents.asking import Way

_ENCODER = json.JSONEncoder(separators=(",", ":"))
Place = tuple[str, str, int, int, str]
"""What a turn or a proposal belongs to: arm, phase, replicate, round, user."""


_OF_SEVERAL = ("ask", "threshold", "parts")
"""Fields that a turn of one call does not write."""


class TranscriptError(ValueError):
    """A file of a run directory is missing or damaged; the message says which and where."""


@dataclass(frozen=True)
class Turn:
    """All that is needed to recompute every number of one user's turn. Items are item ids as the source has them."""

    arm: str
    phase: str
    """"test", or "validation" where the fusion weight is chosen."""
    replicate: int
    round: int
    user_id: str
    data: str
    """Name of the data; says so where they are synthetic."""
    client: str
    """Who answered; says so where it is no language model."""
    slate: tuple[str, ...]
    """2N item ids, best first."""
    scores: tuple[float, ...]
    """Of the slate, as the recommender gave them."""
    shown: tuple[str, ...]
    """The slate in the order of the prompt; of a turn with parts, in the drawn order in which ties are broken."""
    targets: tuple[str, ...]
    """The user's held-out items that were not yet shown."""
    status: str
    """Of agents.reply.Status, or "failed" where no answer came. With parts, "partial" where some of them could not be used."""
    ranking: tuple[str, ...]
    accepted: tuple[str, ...]
    rejected: tuple[str, ...]
    undecided: tuple[str, ...]
    missing: int
    duplicate: int
    unknown: int
    ambiguous: int
    unknown_names: tuple[str, ...]
    fallback: bool
    """True if the answer could not be used and `final` is the recommender's own list (intent to treat)."""
    final: tuple[str, ...]
    """The N items shown to the user."""
    alone: tuple[str, ...]
    """The first N of the answer's own order, before any fusion with the recommender's score."""
    nulls: Mapping[str, tuple[str, ...]]
    """The first N of each null user's own order, from the same prompt through the same parser."""
    nulls_accepted: Mapping[str, tuple[str, ...]]
    """What each null user accepted."""
    ratings: Mapping[str, float]
    """The user's real ratings of items of the slate that it was not told of, known negatives included; only measures look."""
    templates: Mapping[str, str]
    """Content hash of each template."""
    request: str
    """Key of the call; of the first, where there are several."""
    error: str | None
    """Why no answer came."""
    ask: Way = "listwise"
    """How was asked; not written where it is listwise."""
    threshold: float | None = None
    """The probability of yes above which a pointwise turn accepts; not written elsewhere."""
    reflection: str | None = None
    """Key of the call in which the user summed up after this turn; not written where it was not asked to."""
    noted: bool = False
    """Whether that call brought a note, which later prompts tell; written with the key."""
    planted: str | None = None
    """The item that was planted in the slate; not written where none was."""
    sources: tuple[str, ...] = ()
    """Of each item of the slate, which recommender brought it; not written where there is one recommender."""
    parts: tuple[Part, ...] = ()
    """What each of several calls said: one a candidate in slate order (pointwise), or one an order (permuted). What the turn says is
    agents.asking.combined of them."""

    @property
    def requests(self) -> tuple[str, ...]:
        """Keys of all its calls."""
        return tuple(part.request for part in self.parts) or (self.request,)

    @property
    def decides(self) -> bool:
        """Whether accepting was asked for: an answer then sorts the candidates, and where none can be used some null user has."""
        said = self.accepted or self.rejected or self.undecided
        return bool(said) or (self.fallback and any(self.nulls_accepted.values()))

    @property
    def place(self) -> Place:
        """What it belongs to."""
        return (self.arm, self.phase, self.replicate, self.round, self.user_id)

    def line(self) -> str:
        """One JSON line; equal turns give equal bytes."""
        told = dict(vars(self))
        if self.parts:
            told["parts"] = [part.fields() for part in self.parts]
        else:
            for name in _OF_SEVERAL:
                del told[name]
        if self.reflection is None:
            del told["reflection"], told["noted"]
        if self.planted is None:
            del told["planted"]
        if not self.sources:
            del told["sources"]
        # ASCII: replies name things with any character, line separators and lone surrogates included.
        return _ENCODER.encode(told) + "\n"


class TurnWriter:
    """Writes turns as they come; the file is whole, at the end of the block, or not there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        self._whole = whole_file(self._path)
        self._file = self._whole.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._whole.__exit__(kind, error, trace)

    def write(self, turns: Iterable[Turn]) -> None:
        """Put these behind the others."""
        self._file.writelines(turn.line().encode("ascii") for turn in turns)


def read_turns(path: Path) -> Iterator[Turn]:
    """Read turns back; TranscriptError with file:line for a missing file or a damaged line."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise TranscriptError(f"{path}: {error.strerror or error}") from None
    with file:
        for number, line in enumerate(file, start=1):
            try:
                yield turn_of(line)
            except ValueError as error:
                raise TranscriptError(f"{path}:{number}: not a turn: {error}") from None


def turn_of(line: bytes) -> Turn:
    """The turn of one line; ValueError says why it is none."""
    try:
        fields = {name: _frozen(value) for name, value in json.loads(line).items()}
        if "parts" in fields:
            fields["parts"] = tuple(Part(**part) for part in fields["parts"])
        return Turn(**fields)
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from None


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return {key: _frozen(inner) for key, inner in value.items()}
    return value
