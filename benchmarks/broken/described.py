"""Tables that a YAML file describes: mistakes and bombs in the YAML, and Parquet that is not what it should be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from benchmarks.broken import faults, shop
from benchmarks.broken.cases import Counted, Refused, Whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.broken.cases import Case

_YAML = shop.CSV.path
_BOMB = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%b]\n" % (name, name, b", ".join([b"*%c" % (name - 1)] * 9)) for name in b"bcdefghij"
)
_MERGE_BOMB = b"a0: &a0 {x: y}\n" + b"".join(
    b"a%d: &a%d {<<: [%b]}\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 9)
)
_BAD_YAML = {
    "YAML indented by tabs": (faults.replaced(b"  user:", b"\tuser:"), "cannot start any token", 4),
    "YAML flow left open": (faults.replaced(b"items:", b"items: {"), "expected ',' or '}'", None),
    "YAML quotation mark left open": (faults.replaced(b"Shop", b"'Shop"), "unexpected end of stream", None),
    "YAML key twice": (faults.replaced(b"items:", b"name: Other\nitems:"), 'duplicate key "name"', 8),
    "YAML of a list": (faults.content(b"- Shop\n"), "the description", 1),
    "YAML of a word": (faults.content(b"Shop\n"), "the description", 1),
    "YAML of two documents": (faults.replaced(b"items:", b"---\nitems:"), "another document", None),
    "YAML alias of nothing": (faults.replaced(b"Shop", b"*shop"), "undefined alias", 1),
    "YAML that holds itself": (faults.content(b"&a [*a]\n"), "the description", 1),
    "YAML key that holds itself": (faults.content(b"name: &a [*a]\ninteractions: *a\nitems: *a\n"), "name", 1),
    "YAML tag of a Python call": (
        faults.replaced(b"Shop", b"!!python/object/apply:os.system ['touch called']"),
        "name",
        1,
    ),
    "YAML tag that is not known": (faults.replaced(b"Shop", b"!shop {a: b}"), "name", 1),
    "YAML bomb of aliases": (faults.content(_BOMB), "name is missing", 1),
    "YAML bomb of merges": (faults.content(_MERGE_BOMB), "name is missing", 1),
    "YAML bomb in a name": (faults.changed(lambda content: _BOMB + content.replace(b"Shop", b"*j")), "is no key that is known", 1),
    "YAML of thousands of brackets": (faults.content(b"name: " + b"[" * 10_000), "more than 100 brackets", None),
    "YAML nested too deeply": (faults.content(b"- " * 4_000), "nested too deeply", None),
    "YAML date that is none": (faults.replaced(b"Shop", b"2014-99-99"), "month must be in 1..12", None),
    "YAML number of 10,000 digits": (faults.replaced(b"Shop", b"9" * 10_000), "10000 digits", None),
    "YAML key that is a list": (faults.replaced(b"items:", b"[a, b]: c\nitems:"), "Keys should be strings", None),
    "YAML with a zero byte": (faults.replaced(b"Shop", b"Sh\0p"), "not readable as YAML|special characters", None),
    "YAML that is not UTF-8": (faults.replaced(b"Shop", b"Caf\xe9"), "not readable as YAML", None),
    "YAML version to come": (faults.changed(lambda content: b"%YAML 9.9\n---\n" + content), "incompatible YAML document", None),
    "table in place of its description": (
        faults.content(shop.CSV.files["bought.csv"]),
        "more than 16,384 bytes",
        None,
    ),
    "empty file": (faults.content(b""), "the description", 1),
    "folder in place of a file": (faults.folder, "is a folder", None),
    "noise": (faults.content(bytes(range(256)) * 9), "not readable as YAML", None),
    "key unknown": (faults.replaced(b"rating:", b"ratings:"), "interactions.ratings is no key", 6),
    "key missing": (faults.replaced(b"  time: at\n", b""), "interactions.time is missing", 2),
    "number where a name is wanted": (faults.replaced(b"customer", b"7"), "interactions.user", 4),
    "column that the table lacks": (faults.replaced(b"customer", b"client"), "no column 'client'", None),
    "file that is not there": (faults.replaced(b"goods.csv", b"wares.csv"), "wares.csv: no such file", None),
    "separator of two characters": (faults.replaced(b"  user:", b"  separator: '::'\n  user:"), "separator", 4),
}  # fmt: skip
_ELSEWHERE = ("column that the table lacks", "file that is not there")
"""What is noticed in another file."""
_PARQUET = shop.PARQUET


def _table(change: Callable[[pa.Table], pa.Table]) -> faults.Fault:
    """The table of the log is changed."""
    return faults.content(shop.parquet_bytes(change(shop.BOUGHT)))


def _column(name: str, values: object) -> Callable[[pa.Table], pa.Table]:
    array = values if isinstance(values, pa.Array) else pa.array(values)
    return lambda table: table.set_column(table.column_names.index(name), name, array)


def _row(**cells: object) -> Callable[[pa.Table], pa.Table]:
    """One more row, good but for `cells`."""
    row = {"customer": 1, "sku": 900, "stars": 4.0, "at": datetime(2014, 5, 13, tzinfo=UTC)} | cells
    return lambda table: pa.concat_tables(
        [table, pa.table({name: pa.array([row[name]], table[name].type) for name in row})]
    )


_ROWS = shop.ROWS
_BAD_PARQUET = {
    "Parquet cut short": (faults.cut(0.7), "not a whole Parquet file"),
    "Parquet cut inside its end": (faults.changed(lambda content: content[:-3]), "not a whole Parquet file"),
    "Parquet without its beginning": (faults.changed(lambda content: content[2_000:]), "not a whole Parquet file"),
    "Parquet with zeros in a page": (
        faults.changed(lambda content: content[:100] + bytes(2_000) + content[2_100:]),
        "not a whole Parquet file",
    ),
    "Parquet with noise in its end": (
        faults.changed(lambda content: content[:-400] + b"\xa5" * 390 + content[-10:]),
        "not a whole Parquet file",
    ),
    "Parquet that is text": (faults.content(shop.CSV.files["bought.csv"]), "not a whole Parquet file"),
    "empty file": (faults.content(b""), "not a whole Parquet file"),
    "noise": (faults.content(b"\xa5" * 9_999), "not a whole Parquet file"),
    "zeros only": (faults.content(bytes(9_999)), "not a whole Parquet file"),
    "folder in place of a file": (faults.folder, "not a whole Parquet file|cannot be read"),
    "named pipe": (faults.pipe, "pipe"),
    "endless device": (faults.endless, "device"),
    "no such file": (faults.removed, "no such file"),
    "column missing": (_table(lambda table: table.drop_columns(["at"])), "no column 'at'"),
    "column named twice": (_table(lambda table: table.append_column("at", table["at"])), "'at' is named twice"),
    "no rows": (_table(lambda table: table.slice(0, 0)), "holds no interactions"),
    "Parquet ids in lists": (_table(_column("sku", [[1]] * _ROWS)), "column sku"),
    "Parquet ids in structs": (_table(_column("sku", [{"a": 1}] * _ROWS)), "column sku"),
    "Parquet ids of bytes that are no text": (_table(_column("sku", [b"\xff"] * _ROWS)), "column sku"),
    "Parquet ids that are null": (_table(_column("sku", pa.nulls(_ROWS))), "sku is empty"),
    "Parquet ratings in lists": (_table(_column("stars", [[1.0]] * _ROWS)), "column stars"),
    "Parquet ratings of true and false": (_table(_column("stars", [True] * _ROWS)), "'True' is not|'true' is not"),
    "Parquet ratings in words": (_table(_column("stars", ["five"] * _ROWS)), "'five' is not a number"),
    "Parquet times that are null": (_table(_column("at", pa.nulls(_ROWS))), "is not a time"),
    "Parquet times in structs": (_table(_column("at", [{"a": 1}] * _ROWS)), "column at"),
    "Parquet times of the day": (_table(_column("at", pa.array([1] * _ROWS, pa.time32("s")))), "at"),
    "Parquet durations for times": (_table(_column("at", pa.array([1] * _ROWS, pa.duration("s")))), "at"),
    "Parquet times before 1970": (
        _table(_column("at", [datetime(1950, 1, 1, tzinfo=UTC)] * _ROWS)),
        "is not a time",
    ),
    "Parquet times beyond all years": (_table(_column("at", np.full(_ROWS, 2**62))), "is not a time"),
}  # fmt: skip
_BAD_ROWS: dict[str, dict[str, object]] = {
    "empty user": {"customer": None},
    "empty item": {"sku": None},
    "item that is not in the table": {"sku": 99_999},
    "rating is NaN": {"stars": float("nan")},
    "rating is infinite": {"stars": float("-inf")},
    "rating beyond all numbers": {"stars": 1e300},
    "empty time": {"at": None},
    "negative time": {"at": datetime(1950, 1, 1, tzinfo=UTC)},
}


def cases() -> Iterator[Case]:
    """Each of these in the description, the log, or one row of the log."""
    for kind, (fault, says, line) in _BAD_YAML.items():
        yield shop.CSV.case(kind, fault, Refused(_YAML if kind not in _ELSEWHERE else "", says, line), _YAML)
    in_utf16 = faults.changed(lambda content: content.decode().encode("utf-16"))
    yield shop.CSV.case("UTF-16", in_utf16, Whole(), _YAML)
    for kind, (fault, says) in _BAD_PARQUET.items():
        yield _PARQUET.case(kind, fault, Refused(_PARQUET.log, says))
    for kind, cells in _BAD_ROWS.items():
        expects = Counted(f"{_PARQUET.log}: row {_ROWS + 1}: ", 1)
        yield _PARQUET.case(kind, _table(_row(**cells)), expects)
    again = _table(_row(sku=1))
    yield _PARQUET.case(
        "the same user and item again", again, Counted(f"{_PARQUET.log}: row {_ROWS + 1}: ", repeated=1)
    )
