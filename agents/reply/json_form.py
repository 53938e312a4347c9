"""Replies that are a JSON object: {"accept": [3, 1], "ranking": [3, 1, 2]}, candidates by their numbers from 1."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from agents.reply.cleaning import without_thoughts
from agents.reply.verdict import Asked, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCEPT, RANKING = "accept", "ranking"
_OPENS = re.compile(r"\{")
_STRING_OR_BRACE = re.compile(r'"(?:[^"\\]|\\.)*(?:"|$)|[{}]', re.DOTALL)
_DIGITS = re.compile(r"\s*\[?\s*#?(\d{1,6})\s*\]?\s*")


class _RepeatedKeyError(ValueError):
    """One key with two values is two answers."""


def schema(count: int, asked: Asked) -> dict[str, Any]:
    """The JSON Schema of a reply about `count` candidates, for servers that can be held to one."""
    # Without an end to the list small models write the same number until the limit of tokens cuts them off.
    number = {"type": "integer", "enum": list(range(1, count + 1))}
    numbers = {"type": "array", "items": number, "maxItems": count}
    wanted = [name for name, is_asked in ((ACCEPT, asked.accept), (RANKING, asked.rank)) if is_asked]
    return {
        "type": "object",
        "properties": dict.fromkeys(wanted, numbers),
        "required": wanted,
        "additionalProperties": False,
    }


def parse_json(text: str, count: int, finish_reason: str, asked: Asked, *, refused: bool) -> Verdict:
    """The verdict over `count` candidates. The last object with a key that was asked for counts; thoughts and fences do not.

    What is no whole number, and a number that no candidate has, is unknown; a number named twice in one list counts once, and
    as a duplicate. A list that was asked for and is not there makes the reply partial, an object with one key twice none at all.
    `refused` says what a reply without an object is: refused, or unparseable.
    """
    wanted = [name for name, is_asked in ((ACCEPT, asked.accept), (RANKING, asked.rank)) if is_asked]
    found = _object(without_thoughts(text), wanted)
    if found is None:
        status = Status.REFUSED if refused else Status.UNPARSEABLE
        return Verdict(
            Status.TRUNCATED if finish_reason == "length" else status,
            missing=tuple(range(count)) if asked.rank else (),
        )
    lists = {name: found[name] for name in wanted if isinstance(found.get(name), list)}
    unknown: list[str] = []
    duplicate = 0
    read: dict[str, tuple[int, ...]] = {}
    for name, values in lists.items():
        places = [_place(value, count, unknown) for value in values]
        known = [place for place in places if place is not None]
        read[name] = tuple(dict.fromkeys(known))
        duplicate += len(known) - len(read[name])
    unknown += [_told(found[name]) for name in wanted if name in found and name not in lists]
    ranking, accepted = read.get(RANKING, ()), read.get(ACCEPT, ())
    decided = ACCEPT in read
    everything = range(count)
    missing = tuple(place for place in everything if place not in {*ranking}) if asked.rank else ()
    if finish_reason == "length":
        status = Status.TRUNCATED
    elif not ranking and not decided:
        status = Status.UNPARSEABLE
    elif missing or (asked.accept and not decided):
        status = Status.PARTIAL
    else:
        status = Status.REPAIRED if duplicate or unknown else Status.OK
    usable = status in {Status.OK, Status.REPAIRED, Status.PARTIAL}
    rest = tuple(place for place in everything if place not in {*accepted})
    return Verdict(
        status,
        ranking=ranking if usable else (),
        accepted=accepted if usable else (),
        rejected=rest if usable and decided else (),
        undecided=tuple(everything) if usable and asked.accept and not decided else (),
        missing=missing,
        duplicate=duplicate,
        unknown=tuple(unknown),
    )


def _object(text: str, wanted: list[str]) -> Mapping[str, Any] | None:
    """The last JSON object that has one of the keys, of those that stand in no other: what an object holds may be a draft or a
    reason. An object that only wraps others is looked into. Of one that cannot be read, nothing counts.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_once)
    chosen: Mapping[str, Any] | None = None
    at = 0
    while opens := _OPENS.search(text, at):
        try:
            value, at = decoder.raw_decode(text, opens.start())
        except _RepeatedKeyError:
            return None
        except (ValueError, RecursionError):
            at = _past(text, opens.start())
            continue
        chosen = _unwrapped(value, wanted) or chosen
    return chosen


def _unwrapped(value: Mapping[str, Any], wanted: list[str]) -> Mapping[str, Any] | None:
    """The object itself, or the one in it if it holds nothing else, as in {"answer": {"accept": ...}}."""
    inside: object = value
    while isinstance(inside, dict):
        if any(name in inside for name in wanted):
            return inside
        inside = next(iter(inside.values())) if len(inside) == 1 else None
    return None


def _past(text: str, start: int) -> int:
    """Where to go on after the brace at `start`, which opens nothing that can be read: after the brace that closes it, or nowhere."""
    inner = _OPENS.search(text, start + 1)
    if inner is not None and not text[start + 1 : inner.start()].strip():
        return inner.start()  # {{...}}: the outer brace holds nothing of its own
    depth = 0
    for found in _STRING_OR_BRACE.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(found.group(), 0)
        if not depth:
            return found.end()
    return len(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _RepeatedKeyError
    return found


def _place(value: object, count: int, unknown: list[str]) -> int | None:
    """The place that a number in a list names; what names none is put down as unknown."""
    number = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and (digits := _DIGITS.fullmatch(value)):
        number = int(digits.group(1))
    if number is None or not 1 <= number <= count:
        unknown.append(_told(value))
        return None
    return number - 1


def _told(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)[:200]
