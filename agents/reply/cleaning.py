"""A raw reply without what is not its answer: thoughts, code fences, list markers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TITLE, NUMBERED, BULLET = "\ue000", "\ue001", "\ue002"
"""Private-use signs for what stood at a place: a title, "1." or "a)", a bullet. A reply's own are removed first."""

_PRIVATE = re.compile(f"[{TITLE}-\ue00f]")
_THOUGHT = re.compile(r"<(/?)(?:think|thinking|reasoning)>", re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n]*$", re.MULTILINE)
# Left over from typeset arrows: the paper itself prints "Avengers $\\hat{c}$ , Interstellar".
_LATEX = re.compile(r"\$?\s?\\(?:[a-zA-Z]+(?:\{[^{}\n]*\})?|[()\[\]])\s?\$?|\bĉ(?!\w)")
# Runs are bounded so that no reply, however odd, takes more than linear time.
_LEAD = r"^[ \t>*_#\"'“\[(|]{0,24}"
_BULLETED = re.compile(r"^([ \t>]*)([-•*+–—▪◦●○·])(?=\s)", re.MULTILINE)
_NUMBER_LINE = re.compile(
    rf"({_LEAD}{BULLET}?[ \t*_]{{0,8}})((?:#|No\.\s*|Rank\s*)?\d{{1,3}}\s*(?:[.):\]|]+|[-–—](?=\s))|\d\ufe0f?\u20e3)"
    r"(?=\s|[*_\"'“\[(]|[^\W\d_])",
    re.MULTILINE | re.IGNORECASE,
)
_LETTER_LINE = re.compile(rf"({_LEAD}{BULLET}?[ \t*_]{{0,8}})([a-zA-Z][.)])(?=[ \t*_])", re.MULTILINE)
_NUMBER_INLINE = re.compile(r"(?<![\w.$])(\(?)(\d{1,2})([.)])(?=\s|[*_\"'“]|[A-Z])")


def clean(text: str) -> str:
    """The answer of a reply: thoughts and fences gone, list markers as single signs padded with spaces."""
    text = _PRIVATE.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n"))
    text = without_thoughts(text)
    text = _FENCE.sub("", text)
    if "\\" in text or "ĉ" in text:
        text = _LATEX.sub(" > ", text)
    text = _BULLETED.sub(lambda m: m.group(1) + BULLET, text)
    text = _NUMBER_LINE.sub(_mark_second, text)
    text = _mark(text, _chained_letters(text))
    return _mark(text, _chained_numbers(text))


def without_thoughts(text: str) -> str:
    """What stands outside <think> tags; a lone end tag ends a thought that began before the text."""
    kept: list[str] = []
    at, thinking = 0, False
    for tag in _THOUGHT.finditer(text):
        if not tag.group(1):
            kept += [] if thinking else [text[at : tag.start()]]
            thinking = True
            continue
        if not thinking:
            kept.clear()
        at, thinking = tag.end(), False
    return "\n".join(kept if thinking else [*kept, text[at:]])


def _mark_second(found: re.Match[str]) -> str:
    return found.group(1) + NUMBERED.ljust(len(found.group(2)))


def _mark(text: str, spans: Iterator[tuple[int, int]]) -> str:
    parts: list[str] = []
    at = 0
    for start, end in spans:
        parts += [text[at:start], NUMBERED.ljust(end - start)]
        at = end
    return "".join([*parts, text[at:]])


def _chained_letters(text: str) -> Iterator[tuple[int, int]]:
    """Lines that start a., b., c. in order; a lone "B." is an initial ("B. Monkey")."""
    chain: list[tuple[int, int]] = []
    for found in _LETTER_LINE.finditer(text):
        letter = ord(found.group(2)[0].lower()) - ord("a")
        if letter == len(chain):
            chain.append(found.span(2))
        elif letter == 0:
            yield from chain if len(chain) > 1 else []
            chain = [found.span(2)]
    yield from chain if len(chain) > 1 else []


def _chained_numbers(text: str) -> Iterator[tuple[int, int]]:
    """1., 2., 3. inside a line; a number out of the chain belongs to a title ("Scream 2.")."""
    chain: list[tuple[int, int]] = []
    sign = ""
    for found in _NUMBER_INLINE.finditer(text):
        number = int(found.group(2))
        if number == len(chain) + 1 and (not chain or found.group(3) == sign):
            chain.append(found.span())
        elif number == 1:
            yield from chain if len(chain) > 1 else []
            chain = [found.span()]
        else:
            continue
        sign = found.group(3)
    yield from chain if len(chain) > 1 else []
