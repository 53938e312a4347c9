"""Replies that language models have given to others, with what they were shown; read from SCREENTEST_DATA, never kept here.

`role_play_pages_ml1m` (MIT, Agent4Rec): GPT-3.5 as 722 users of MovieLens-1M; pages of four titles, each named with a reason, then those to watch.
`three_step_ranking_ml100k` (no licence stated): GPT-3.5 ranks 19 titles of MovieLens-100K as pairs "watched title - candidate".
"""

from __future__ import annotations

import gzip
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOVIE = re.compile(
    r"MOVIE:[ \t]*(.*?)\s*[;\n]\s*ALIGN:\s*(\w+)(?:\s*[;\n]\s*REASON:[ \t]*([^\n]*))?", re.IGNORECASE
)
_WATCH = re.compile(r"WATCH:[ \t]*(.*?)[ \t]*(?:;[ \t]*REASON|\n|$)", re.IGNORECASE)
_PAIR = re.compile(r"(?:^|[\[\n])[ \t]*(\d+)\.[ \t]*([^\n\]]*[^\n\].,; \t])")
_RESTS = frozenset(
    {
        "A",
        "An",
        "The",
        "Das",
        "Il",
        "Le",
        "La",
        "L'",
        "Les",
        "Queen of the Desert",
        "Thanks for Everything! Julie Newmar",
    }
)
_CANDIDATES = re.compile(r"\(candidate movies\):\s*(.*?)\.?\n")


RANKED = 19
"""Candidates of a three-step ranking; four prompts of 340 have their list of titles torn, and are left out of what is measured."""


class Named(NamedTuple):
    """A title as a reply writes it, and the reason given."""

    name: str
    reason: str
    liked: bool


@dataclass(frozen=True)
class Page:
    """One role-play page."""

    shown: tuple[str, ...]
    reply: str
    """The whole reply."""
    named: tuple[Named, ...]
    """Every title that the reply judges, as written there, in its order."""
    watch: str
    """The list of those to watch, as written there; empty if there is none."""
    feeling: str
    """A second reply, prose about the page."""


@dataclass(frozen=True)
class Ranking:
    """One ranking of candidates."""

    shown: tuple[str, ...]
    reply: str
    lines: tuple[str, ...]
    """Its numbered lines without their numbers: "watched title - candidate", or a candidate alone."""


def replies_folder() -> Path:
    """Where the replies lie; ends the program with a message if they are not there."""
    folder = os.environ.get("SCREENTEST_DATA")
    if not folder:
        raise SystemExit("SCREENTEST_DATA is unset: it names the folder that holds llm_replies/")
    place = Path(folder) / "llm_replies"
    if not place.is_dir():
        raise SystemExit(f"{place} is missing: the real replies are not part of Screentest")
    return place


def pages(folder: Path) -> Iterator[Page]:
    """All role-play pages, in the order of the file."""
    with gzip.open(folder / "role_play_pages_ml1m.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            reply = row["reply"] or ""
            named = tuple(
                Named(name, reason or "", liked.lower() == "yes")
                for name, liked, reason in _MOVIE.findall(reply)
            )
            watch = _WATCH.search(reply)
            yield Page(
                tuple(item["title"] for item in row["items"]),
                reply,
                named,
                watch.group(1) if watch else "",
                row["feedback_reply"] or "",
            )


def rankings(folder: Path) -> Iterator[Ranking]:
    """All three-step rankings, in the order of the files."""
    for file in sorted(folder.glob("three_step_ranking_ml100k_*.json.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as text:
            for row in json.load(text):
                listed = _CANDIDATES.search(row["Input_1"])
                reply = row["Predictions"]
                if listed is None:
                    raise SystemExit(
                        f"{file}: a prompt names no candidates, so this is another file than was read before"
                    )
                yield Ranking(_split(listed.group(1)), reply, tuple(line for _, line in _PAIR.findall(reply)))


def _split(listed: str) -> tuple[str, ...]:
    """The titles of a prompt's list; a comma inside brackets, before a lone article or a known rest is part of a title."""
    titles: list[str] = []
    for piece in listed.split(", "):
        if titles and (piece in _RESTS or titles[-1].count("(") > titles[-1].count(")")):
            titles[-1] += f", {piece}"
        else:
            titles.append(piece)
    return tuple(titles)
