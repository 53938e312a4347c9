"""What became of each picture that was asked for: kept beside the pictures, so that a later call goes on from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from recommender.data.dataset import DataError

if TYPE_CHECKING:
    from pathlib import Path

FILE = "outcomes.jsonl"


@dataclass(frozen=True)
class Outcome:
    """Of one item: its address and how the last attempt ended."""

    item: str
    url: str
    status: Literal["fetched", "failed"]
    reason: str = ""
    """Why it failed, in few enough words to be counted by: "HTTP 404"."""
    detail: str = ""
    permanent: bool = False
    """Asking again would end in the same."""


class Outcomes:
    """The file of outcomes, one JSON object a line; of an item with several lines the last one counts."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._known = _read(self._path)
        # Once more as a whole: without the half line of a process that was killed, and without what was overtaken.
        fresh = self._path.with_suffix(".new")
        fresh.write_text("".join(map(_line, self._known.values())), encoding="utf-8")
        fresh.replace(self._path)

    def get(self, item: str) -> Outcome | None:
        """What is known of `item`."""
        return self._known.get(item)

    def add(self, outcome: Outcome) -> None:
        """Keep it, on disk at once."""
        self._known[outcome.item] = outcome
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(outcome))


def _line(outcome: Outcome) -> str:
    return json.dumps(asdict(outcome)) + "\n"


def _read(path: Path) -> dict[str, Outcome]:
    if not path.exists():
        return {}
    known = {}
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    for number, line in enumerate(lines[:-1], start=1):  # what follows the last newline was never finished
        try:
            outcome = Outcome(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise DataError(
                f"{path}:{number}: no outcome of a download ({error}); delete this line"
            ) from error
        known[outcome.item] = outcome
    return known
