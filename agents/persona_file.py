"""Personas from a CSV file: one user a row, its texts as the profile template is to insert them."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from agents.persona import LABEL_WORDS, Persona, behaviour_of, draw_name
from prompts import inline

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_USER = "user_id"
_TEXTS = ("name", "gender", "age", "location", "occupation", "behaviour", "interests")
_COLUMNS = (_USER, *_TEXTS, *LABEL_WORDS)
_UNKNOWN = "unknown"


class PersonaError(ValueError):
    """A file of personas cannot be used; the message says where (file:line), what is wrong and what to do."""


@dataclass(frozen=True)
class Row:
    """What a file says of one user; a cell that was empty is not there."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True)
class PersonaFile:
    """The rows of a file by user id."""

    path: Path
    rows: Mapping[str, Row]
    sha256: str
    """Of its bytes."""

    def persona(self, user_id: str, seed: int) -> Persona:
        """Of a user that has a row. What the row leaves empty is not said, whatever the data know; a name is drawn."""
        cells = self.rows[user_id].cells
        told = [cells["behaviour"]] if "behaviour" in cells else []
        labels = {name: cells[name] for name in LABEL_WORDS if name in cells}
        return Persona(
            name=cells.get("name") or draw_name(user_id, cells.get("gender"), seed),
            gender=cells.get("gender"),
            age=cells.get("age"),
            location=cells.get("location"),
            occupation=cells.get("occupation"),
            behaviour=behaviour_of(labels, told),
            interests=cells.get("interests"),
        )


def read_personas(path: Path) -> PersonaFile:
    """Read a file of personas: UTF-8, a header, `user_id` and any of the fields of a persona.

    `economic_status`, `novelty_acceptance` and the other labels of the enhanced profile are low, medium, high or unknown;
    all else is text. PersonaError with file:line for what does not fit.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PersonaError(f"{path}: cannot read the personas ({error.strerror})") from None
    return _parsed(path, content)


@lru_cache(maxsize=8)
def _parsed(path: Path, content: bytes) -> PersonaFile:
    """Remembered by content: the arms of a study have one file."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PersonaError(f"{path}:{line}: not UTF-8 text; save the file as UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: dict[str, Row] = {}
    header: list[str] = []
    line = 1
    try:
        for cells in reader:
            if not header and cells:
                header = [cell.strip() for cell in cells]
                _check_header(header, f"{path}:{line}")
            elif cells:
                row = Row(line, _cells(header, cells, f"{path}:{line}"))
                user = row.cells[_USER]
                if user in rows:
                    raise PersonaError(
                        f"{path}:{line}: user {user!r} has a row in line {rows[user].line} already; keep one of them"
                    )
                rows[user] = row
            line = reader.line_num + 1
    except csv.Error as error:
        raise PersonaError(f"{path}:{line}: not a row of a CSV file: {error}") from None
    if not header:
        raise PersonaError(
            f"{path}:1: no header; its columns are {', '.join(_COLUMNS)}, of which {_USER} is needed"
        )
    return PersonaFile(path, rows, hashlib.sha256(content).hexdigest())


def _check_header(header: list[str], where: str) -> None:
    for number, name in enumerate(header):
        if name not in _COLUMNS:
            raise PersonaError(f"{where}: unknown column {name!r}; known are {', '.join(_COLUMNS)}")
        if name in header[:number]:
            raise PersonaError(f"{where}: column {name!r} is there twice; keep one of them")
    if _USER not in header:
        raise PersonaError(f"{where}: no column {_USER!r}, which says whose row it is")


def _cells(header: list[str], values: list[str], where: str) -> dict[str, str]:
    if len(values) != len(header):
        raise PersonaError(
            f"{where}: {len(values)} cells under {len(header)} columns; put a text with commas in quotation marks"
        )
    # The id as it is: it is compared with the data's. The rest is a stranger's text on its way into a prompt.
    cells = {
        name: value if name == _USER else inline(value)
        for name, value in zip(header, values, strict=True)
        if value.strip()
    }
    if _USER not in cells:
        raise PersonaError(f"{where}: no {_USER}; say whose row it is")
    for name in LABEL_WORDS.keys() & cells.keys():
        if cells[name] not in {"low", "medium", "high", _UNKNOWN}:
            raise PersonaError(
                f"{where}: {name} is {cells[name]!r}; it should be low, medium, high or {_UNKNOWN}, and words of your own go "
                "into behaviour"
            )
    return cells
