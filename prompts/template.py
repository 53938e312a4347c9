"""One template: its small grammar, read once and checked at load, and its renderer.

    {field}                      the value of a field, inserted as data
    {{  }}                       a brace
    [[text {field} text]]        a clause: left out if a field in it has no value
    [[open|a|, |b|, and |c|end]] a list clause: its members stand at the 2nd, 4th ... place between bars, what joins a
                                 member to the one before it in front of it; members without a value are left out,
                                 and the whole clause if none is left

There is no other syntax, so a template can do nothing but choose and insert; values are never read again.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TOKEN = re.compile(r"\{\{|\}\}|\{[A-Za-z_][A-Za-z0-9_]*\}|\[\[|\]\]|[{}|]")


class TemplateError(ValueError):
    """A template or a family of them is wrong; the message says what, where (file:line) and what to do."""


@dataclass(frozen=True)
class _Field:
    name: str
    line: int


_Run = tuple[str | _Field, ...]
"""Text and fields in their order."""


@dataclass(frozen=True)
class _Clause:
    opening: str
    members: tuple[_Run, ...]
    joints: tuple[str, ...]
    """What stands before each member if one stands before it; as many as members, the first empty."""
    closing: str


@dataclass(frozen=True)
class Template:
    """A checked template. Make it with `parse`, or load a family of them."""

    source: str
    """The file it was read from, for messages."""
    text: str
    """As written, without the line break at the end."""
    parts: tuple[str | _Field | _Clause, ...]
    context: str = ""
    """What else shapes the text it renders (how its lists are written); part of the hash."""

    @classmethod
    def parse(cls, text: str, source: str, context: str = "") -> Template:
        """Read a template; TemplateError with file:line if it breaks the grammar."""
        return cls(source, text, tuple(_Parser(text, source).parts()), context)

    @property
    def fields(self) -> dict[str, int]:
        """The fields it inserts, each with the line of its first use."""
        found: dict[str, int] = {}
        for field in self._all_fields():
            found.setdefault(field.name, field.line)
        return found

    @property
    def needs(self) -> frozenset[str]:
        """The fields that must have a value: those outside of clauses."""
        return frozenset(part.name for part in self.parts if isinstance(part, _Field))

    @cached_property
    def hash(self) -> str:
        """SHA-256 of text and context, in hex; the same wherever the file lies."""
        return hashlib.sha256(json.dumps([self.text, self.context]).encode()).hexdigest()

    def render(self, values: Mapping[str, str | None]) -> str:
        """Insert values, once and as they are; None, empty or absent means that there is no value.

        TemplateError if a field outside of a clause has no value.
        """
        out: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                out.append(part)
            elif isinstance(part, _Field):
                value = values.get(part.name)
                if not value:
                    raise TemplateError(
                        f"{self.source}:{part.line}: {{{part.name}}} has no value; "
                        f"put what depends on it into a clause: [[ ... {{{part.name}}} ... ]]"
                    )
                out.append(value)
            else:
                out.append(_render_clause(part, values))
        return "".join(out)

    def _all_fields(self) -> Iterator[_Field]:
        for part in self.parts:
            if isinstance(part, _Clause):
                for member in part.members:
                    yield from (piece for piece in member if isinstance(piece, _Field))
            elif isinstance(part, _Field):
                yield part


def _render_clause(clause: _Clause, values: Mapping[str, str | None]) -> str:
    out: list[str] = []
    for joint, member in zip(clause.joints, clause.members, strict=True):
        pieces = [piece if isinstance(piece, str) else values.get(piece.name) for piece in member]
        if all(pieces):
            out += [joint if out else "", *(piece for piece in pieces if piece)]
    return "".join([clause.opening, *out, clause.closing]) if out else ""


class _Parser:
    """One pass over the tokens of a template."""

    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source

    def parts(self) -> Iterator[str | _Field | _Clause]:
        bars: list[list[str | _Field]] | None = None
        opened = 0
        for symbol, line in self._tokens():
            if symbol == "[[" and bars is None:
                bars, opened = [[]], line
            elif symbol == "[[":
                raise self._error(line, "a clause [[ inside another; close the first with ]]")
            elif symbol == "]]" and bars is None:
                raise self._error(line, "]] closes no clause; open it with [[")
            elif symbol == "]]":
                assert bars is not None
                yield self._clause(bars, opened)
                bars = None
            elif symbol == "|" and bars is not None:
                bars.append([])
            else:
                piece = self._piece(symbol, line)
                if bars is None:
                    yield piece
                else:
                    bars[-1].append(piece)
        if bars is not None:
            raise self._error(opened, "this clause [[ is never closed with ]]")

    def _tokens(self) -> Iterator[tuple[str, int]]:
        line, end = 1, 0
        for match in _TOKEN.finditer(self._text):
            if match.start() > end:
                yield self._text[end : match.start()], line
                line += self._text.count("\n", end, match.start())
            yield match.group(), line
            end = match.end()
        if end < len(self._text):
            yield self._text[end:], line

    def _piece(self, symbol: str, line: int) -> str | _Field:
        if symbol in {"{{", "}}"}:
            return symbol[0]
        if symbol in {"{", "}"}:
            raise self._error(
                line, f"a single {symbol!r}; write {symbol * 2!r} for a brace, {{name}} for a field"
            )
        return _Field(symbol[1:-1], line) if symbol.startswith("{") else symbol

    def _clause(self, bars: list[list[str | _Field]], line: int) -> _Clause:
        if len(bars) % 2 == 0:
            raise self._error(line, "a list clause is [[opening|member|joint|member|closing]]")
        if len(bars) == 1:
            bars = [[], bars[0], []]
        members = tuple(tuple(piece) for piece in bars[1::2])
        joints = [self._plain(piece, line) for piece in bars[::2]]
        for member in members:
            if not any(isinstance(piece, _Field) for piece in member):
                raise self._error(
                    line, "a clause without a field would always stand; write it outside of [[ ]]"
                )
        return _Clause(joints[0], members, ("", *joints[1:-1]), joints[-1])

    def _plain(self, pieces: list[str | _Field], line: int) -> str:
        for piece in pieces:
            if isinstance(piece, _Field):
                raise self._error(line, f"{{{piece.name}}} stands where a joint between members should")
        return "".join(piece for piece in pieces if isinstance(piece, str))

    def _error(self, line: int, problem: str) -> TemplateError:
        return TemplateError(f"{self._source}:{line}: {problem}")
