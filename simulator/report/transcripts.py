"""The turns of a run as the page's transcript browser holds them: a small index, and texts in compressed pieces."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from agents.llm import Record
    from simulator.transcript.journal import CallJournal
    from simulator.transcript.turns import Turn

MOST_TURNS = 10_000
"""That a page holds; more are in the run directory, and the page says how many."""
_OF_A_PIECE = 200
"""Turns whose texts are decompressed together."""


@dataclass(frozen=True)
class Transcripts:
    """What the page's script reads."""

    index: dict[str, Any]
    """Names, and of each turn what lists and filters need, by number."""
    pieces: tuple[str, ...]
    """JSON of the turns' texts, gzip, base64."""
    left_out: int
    """Turns that are in the run and not on the page."""


def transcripts(turns: Sequence[Turn], journal: CallJournal, titles: Mapping[str, str]) -> Transcripts:
    """The first turns of the test, arm by arm as they are recorded."""
    kept = turns[:MOST_TURNS]
    arms, statuses, users = (
        list(dict.fromkeys(getattr(turn, name) for turn in kept)) for name in ("arm", "status", "user_id")
    )
    items = list(dict.fromkeys(item for turn in kept for item in turn.slate))
    number = {item: place for place, item in enumerate(items)}
    numbers = [{name: place for place, name in enumerate(names)} for names in (arms, statuses, users)]
    index = {
        "arms": arms,
        "statuses": statuses,
        "users": users,
        "items": [titles.get(item, item) for item in items],
        "turns": [
            [
                numbers[0][turn.arm],
                numbers[1][turn.status],
                numbers[2][turn.user_id],
                turn.round,
                turn.replicate,
                len(turn.accepted),
            ]
            for turn in kept
        ],
        "piece": _OF_A_PIECE,
    }
    pieces = tuple(_packed([_texts(turn, journal, number) for turn in part]) for part in _parts(kept))
    return Transcripts(index, pieces, len(turns) - len(kept))


def _parts(turns: Sequence[Turn]) -> Iterator[Sequence[Turn]]:
    for start in range(0, len(turns), _OF_A_PIECE):
        yield turns[start : start + _OF_A_PIECE]


def _texts(turn: Turn, journal: CallJournal, number: Mapping[str, int]) -> dict[str, Any]:
    """One turn: item numbers in each of its orders, and its calls word for word."""
    names = ("shown", "ranking", "accepted", "rejected", "undecided", "final", "slate", "targets")
    told: dict[str, Any] = {
        name: [number[item] for item in getattr(turn, name) if item in number] for name in names
    }
    counts = {name: getattr(turn, name) for name in ("missing", "duplicate", "unknown", "ambiguous")}
    told["counts"] = {name: count for name, count in counts.items() if count}
    told["fallback"], told["error"] = turn.fallback, turn.error
    if turn.planted is not None:
        told["planted"] = number[turn.planted]
    told["calls"] = [_call(journal.get(key)) for key in turn.requests]
    return told


def _call(record: Record | None) -> dict[str, Any]:
    """Messages and reply of a call; what is not there is said by `error`."""
    if record is None:
        return {"messages": [], "reply": None, "error": "this call is not in the journal"}
    messages = [[message.role, message.content] for message in record.request.messages]
    reply = None if record.completion is None else record.completion.text
    return {"messages": messages, "reply": reply, "error": record.error}


def _packed(turns: Iterable[Mapping[str, Any]]) -> str:
    text = json.dumps(list(turns), separators=(",", ":"), ensure_ascii=True)
    # Without the time of compression, so that equal runs give equal pages.
    return base64.b64encode(gzip.compress(text.encode("ascii"), 6, mtime=0)).decode("ascii")
