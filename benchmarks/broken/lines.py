"""Single lines that say nothing usable among thousands of good ones, and headers that do not say what is in the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.broken import faults, shop
from benchmarks.broken.any_file import TEXTS
from benchmarks.broken.cases import Counted, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.broken.cases import Case
    from benchmarks.broken.shop import Form

_LINE = 2_000
_GOOD = ("1", "900", "4", "1400000000")
"""Of a user and an item that the log does not have together."""
_USER, _ITEM, _STARS, _TIME = range(4)
_RATED = tuple(form for form in TEXTS if form is not shop.TAOBAO)
_STARRED = tuple(form for form in _RATED if form not in (shop.ATOMIC, shop.CSV))
"""Formats whose ratings are 1 to 5 stars; elsewhere they can be any number."""
_LISTED = (shop.ML_1M, shop.ML_100K, shop.ATOMIC)
"""Formats with a table of users."""
_CATALOGUED = (*_LISTED, shop.ML_20M, shop.CSV)
"""Formats in which an item that is not in the table of items cannot be."""
_BAD_CELLS = (
    ("empty user", _USER, "", TEXTS),
    ("empty item", _ITEM, "", TEXTS),
    ("user that is not in the table", _USER, "99999", _LISTED),
    ("item that is not in the table", _ITEM, "99999", _CATALOGUED),
    ("rating is a word", _STARS, "five", _RATED),
    ("rating is NaN", _STARS, "NaN", _RATED),
    ("rating is infinite", _STARS, "inf", _RATED),
    ("rating beyond all numbers", _STARS, "1e400", _RATED),
    ("rating of six stars", _STARS, "6", _STARRED),
    ("rating below all stars", _STARS, "-1", _STARRED),
    ("rating with a decimal comma", _STARS, "3;5", _RATED),
    ("empty rating", _STARS, "", _STARRED),
    ("negative time", _TIME, "-86400", TEXTS),
    ("absurd time", _TIME, "99999999999999999999", TEXTS),
    ("time is NaN", _TIME, "nan", TEXTS),
    ("time is infinite", _TIME, "1e400", TEXTS),
    ("time is a date in words", _TIME, "May 13 2014", TEXTS),
    ("empty time", _TIME, "", TEXTS),
)
_SEPARATORS = {
    shop.ML_1M: b"::",
    shop.ML_100K: b"\t",
    shop.ML_20M: b",",
    shop.ATOMIC: b"\t",
    shop.CSV: b",",
    shop.TAOBAO: b" ",
}
_DOUBLED = {
    # A line of the table of users or items whose id stands before already.
    (shop.ML_1M, "users.dat"): b"7::M::18::3::90210",
    (shop.ML_1M, "movies.dat"): b"7::Other (2001)::Drama",
    (shop.ML_100K, "u.user"): b"7|44|F|writer|90210",
    (shop.ML_100K, "u.item"): b"7|Other (2001)|01-Jan-2001||" + b"|0" * 19,
    (shop.ML_20M, "movies.csv"): b"7,Other (2001),Drama",
    (shop.ATOMIC, "shop.user"): b"7\tM",
    (shop.ATOMIC, "shop.item"): b"7\tOther (2001)",
    (shop.CSV, "goods.csv"): b"7,Other (2001)",
    (shop.AMAZON_2014, "meta_Shop.json"): b"{'asin': '7', 'title': 'Other'}",
    (shop.AMAZON_2023, "meta_Shop.jsonl"): b'{"parent_asin": "7", "title": "Other"}',
    (shop.TAOBAO, "dim_items.txt"): b"7 3 1,2",
    (shop.TAOBAO, "dim_fashion_matchsets.txt"): b"7 1,2;3",
}
_HEADERS: Mapping[Form, Mapping[str, tuple[bytes, str]]] = {
    shop.ML_20M: {
        "column missing": (b"userId,movieId,rating,when", "no column 'timestamp'"),
        "column named twice": (b"userId,movieId,rating,rating", "'rating' is named twice"),
        "other separator": (b"userId;movieId;rating;timestamp", "no column 'userId'"),
        "no header": (b"1,900,4.0,1400000000", "no column 'userId'"),
        "quotation mark left open in the header": (b'userId,"movieId,rating,timestamp', "quotation mark"),
    },
    shop.ATOMIC: {
        "column missing": (b"user_id:token\titem_id:token\trating:float\twhen:float", "no column 'timestamp'"),
        "column named twice": (b"user_id:token\titem_id:token\titem_id:token\ttimestamp:float", "named twice"),
        "other separator": (b"user_id:token,item_id:token,rating:float,timestamp:float", "with tabs between"),
        "no header": (b"1\t900\t4\t1400000000", "is not a column such as"),
        "column without a type": (b"user_id\titem_id\trating\ttimestamp", "is not a column such as"),
        "column of no known type": (b"user_id:int\titem_id:token\trating:float\ttimestamp:float", "one of the types"),
    },
    shop.CSV: {
        "column missing": (b"customer,sku,stars,when", "no column 'at'"),
        "column named twice": (b"customer,sku,sku,at", "named twice"),
        "other separator": (b"customer;sku;stars;at", "no column 'customer'"),
        "no header": (b"1,900,4,1400000000", "no column 'customer'"),
        "header that is not UTF-8": (b"caf\xe9,sku,stars,at", "byte 4 of the line is not UTF-8"),
    },
}  # fmt: skip


def cases() -> Iterator[Case]:
    """Each of these in the log or the tables of each reader that has such a thing."""
    for kind, cell, text, forms in _BAD_CELLS:
        for form in forms:
            cells = list(_GOOD)
            cells[cell] = text
            yield _one_line(form, kind, form.line(*cells).encode())
    for form in TEXTS:
        again = form.line("1", "1", "2", "1400000000").encode()
        yield form.case(
            "the same user and item again",
            faults.inserted(_LINE, again),
            Counted(f"{form.log}:{_LINE}: ", repeated=1),
        )
        yield form.case(
            "all lines twice",
            faults.twice(2 if form in _HEADERS else 1),
            Counted(f"{form.log}:", repeated=shop.ROWS),
        )
    for form, separator in _SEPARATORS.items():
        good = form.line(*_GOOD).encode()
        yield _one_line(form, "too few cells", good.rpartition(separator)[0])
        yield _one_line(form, "too many cells", good + separator + good)
        yield _one_line(form, "other separator in one line", good.replace(separator, b"^"))
        if form is not shop.TAOBAO:  # there, they are a blank line
            yield _one_line(form, "separators only", separator * 3)
        yield form.case(
            "other separator in all lines",
            faults.everywhere(separator, b"^"),
            Refused(form.log, "cells where|not a column|no column|is not 'user item", 1),
        )
    for (form, file), line in _DOUBLED.items():
        number = form.files[file].count(b"\n") // 2
        yield form.case(
            "id that stands twice in its table",
            faults.inserted(number, line),
            Counted(f"{file}:{number}: ", 1),
            file,
        )
    for form, headers in _HEADERS.items():
        for kind, (header, says) in headers.items():
            yield form.case(kind, faults.header(header), Refused(form.log, says, 1))
        yield form.case(
            "header only",
            faults.changed(lambda content: content[: content.index(b"\n") + 1]),
            Refused(form.log, "holds no interactions"),
        )
    for form in (shop.ML_20M, shop.CSV):
        good = form.line(*_GOOD).encode()
        yield form.case(
            "quotation mark left open",
            faults.inserted(_LINE, b'"' + good),
            Refused(form.log, "quotation mark is not closed", _LINE),
        )
        yield form.case(
            "quotation mark inside a cell",
            faults.inserted(_LINE, b'1,900,"4" stars,1400000000'),
            Refused(form.log, "quotation mark", _LINE),
        )


def _one_line(form: Form, kind: str, line: bytes) -> Case:
    return form.case(kind, faults.inserted(_LINE, line), Counted(f"{form.log}:{_LINE}: ", 1))
