"""What one user was told, what it said and what became of its slate, in words for the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents.llm import Record, Request
    from simulator.live.world import Exchange
    from simulator.transcript.turns import Turn

_STATUS = {
    "ok": "read as it was asked for",
    "repaired": "read after small repairs",
    "partial": "read in part",
    "refused": "the user refused to answer",
    "truncated": "the reply was cut off",
    "unparseable": "the reply could not be read",
    "failed": "no answer came",
}
_GOOD = frozenset({"ok", "repaired", "partial"})


@dataclass(frozen=True)
class Call:
    """One call of a turn."""

    prompt: tuple[tuple[str, str], ...]
    """Role and text of each message."""
    reply: str | None
    """None while it is awaited, or where the call failed."""
    error: str | None
    told: str
    """Tokens, seconds and source."""


@dataclass(frozen=True)
class Row:
    """One item of a list."""

    title: str
    said: str
    """accepted, rejected, undecided, or "" before the user has decided."""
    moved: int | None
    """Places up from the recommender's list; None in that list itself."""


@dataclass(frozen=True)
class Dialogue:
    """One user's round."""

    user: str
    round: int
    status: str
    """In words."""
    good: bool | None
    """Whether the answer could be used; None while it is awaited."""
    error: str | None
    calls: tuple[Call, ...]
    before: tuple[Row, ...]
    after: tuple[Row, ...]
    fallback: bool
    """The list after it is the recommender's own, for want of an answer."""


def dialogue(exchange: Exchange) -> Dialogue:
    """An exchange in words."""
    turn, titles = exchange.turn, exchange.titles
    said = {} if turn is None else _said(turn)
    places = {item: place for place, item in enumerate(titles)}
    calls = tuple(map(_call, exchange.requests, exchange.records))
    waiting = sum(record is None for record in exchange.records)
    if turn is not None:
        status = f"{turn.status}: {_STATUS.get(turn.status, turn.status)}"
    elif waiting:
        of = f" ({waiting} of {len(exchange.records)} calls)" if len(exchange.records) > 1 else ""
        status = f"waiting for the reply{of}"
    else:
        status = "answered; the round waits for the others"
    return Dialogue(
        user=exchange.user_id,
        round=exchange.round,
        status=status,
        good=None if turn is None else turn.status in _GOOD and not turn.fallback,
        error=None if turn is None else turn.error,
        calls=calls,
        before=tuple(Row(title, said.get(item, ""), None) for item, title in titles.items()),
        after=()
        if turn is None
        else tuple(
            Row(titles[item], said.get(item, ""), places[item] - place)
            for place, item in enumerate(turn.final)
        ),
        fallback=turn is not None and turn.fallback,
    )


def _said(turn: Turn) -> dict[str, str]:
    lists = {"accepted": turn.accepted, "rejected": turn.rejected, "undecided": turn.undecided}
    return {item: word for word, items in lists.items() for item in items}


def _call(request: Request, record: Record | None) -> Call:
    prompt = tuple((message.role, message.content) for message in request.messages)
    if record is None:
        return Call(prompt, None, None, "")
    completion = record.completion
    told = [f"{record.seconds:.2f} s" if record.source == "client" else f"answer at hand ({record.source})"]
    if completion is not None:
        usage = completion.usage
        counts = ((usage.prompt_tokens, "in"), (usage.completion_tokens, "out"))
        told += [f"{count:,} tokens {way}" for count, way in counts if count is not None]
    return Call(
        prompt,
        None if completion is None else completion.text,
        record.error,
        " · ".join(told),
    )
