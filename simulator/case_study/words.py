"""Texts of data and agents, made fit for figures and Markdown: a title is never markup."""

from __future__ import annotations

import html
import re
import unicodedata

_MARKUP = re.compile(r"([\\`*_\[\]#|~$])")
_NO_TEXT = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode categories that XML or UTF-8 cannot hold, or that break a line."""
_FENCE = re.compile(r"`+")


def plain(text: str) -> str:
    """One line of characters that every file can hold."""
    held = "".join(" " if unicodedata.category(each) in _NO_TEXT else each for each in text)
    return " ".join(held.split())


def markdown(text: str) -> str:
    """One line that Markdown shows as it is, in a table as well: neither its signs nor HTML count."""
    return _MARKUP.sub(r"\\\1", html.escape(plain(text), quote=False))


def fenced(text: str) -> str:
    """Lines that Markdown shows as they are, between fences longer than any inside."""
    longest = max(map(len, _FENCE.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    lines = [plain_line(line) for line in text.splitlines()]
    return "\n".join([f"{fence}text", *lines, fence])


def plain_line(line: str) -> str:
    """A line with its spaces, without what a file of text cannot hold."""
    return "".join(" " if unicodedata.category(each) in _NO_TEXT else each for each in line).rstrip()
