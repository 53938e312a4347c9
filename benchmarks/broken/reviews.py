"""Amazon's files: JSON that is none, literals of Python that are calls, gzip that is not whole."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from benchmarks.broken import faults, shop
from benchmarks.broken.cases import Counted, Refused, Whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.broken.cases import Case


def _beside(path: Path) -> None:
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))


def _renamed(path: Path) -> None:
    path.rename(path.with_name("meta_Other.json"))


_LINE = 2_000
_GOOD = shop.AMAZON_2014.line("1", "900", "4", "1400000000")
_BAD_REVIEWS = {
    "JSON cut inside a line": _GOOD[:40],
    "JSON of two objects in a line": _GOOD + _GOOD,
    "JSON of a list": "[1, 2, 3]",
    "JSON of a number": "7",
    "JSON of a text": '"reviewerID"',
    "JSON null": "null",
    "JSON in single quotes": _GOOD.replace('"', "'"),
    "JSON nested too deeply": "[" * 200_000 + "]" * 200_000,
    "JSON number of 10,000 digits": _GOOD.replace("1400000000", "9" * 10_000),
    "key missing": _GOOD.replace("asin", "item"),
    "id is a number": _GOOD.replace('"900"', "900"),
    "id is a list": _GOOD.replace('"900"', '["900"]'),
    "id of half a character": _GOOD.replace('"900"', r'"\ud83d"'),
    "id with a zero byte": _GOOD.replace('"900"', r'"9\u0000"'),
    "rating is true": _GOOD.replace(" 4,", " true,"),
    "time in text": _GOOD.replace("1400000000", '"1400000000"'),
    "milliseconds where seconds are": _GOOD.replace("1400000000", "1400000000000"),
}
# Each of them would leave a file in the working folder if it was called.
_CALLS = {
    "call in a literal": "__import__('os').system('touch called')",
    "call of open in a literal": "open('called', 'w')",
    "comprehension in a literal": "[open('called', 'w') for _ in '1']",
    "lambda in a literal": "(lambda: open('called', 'w'))()",
    "f-string in a literal": "f\"{open('called', 'w')}\"",
}
_BAD_PRODUCTS = {
    **{kind: f"{{'asin': '7', 'title': {call}}}" for kind, call in _CALLS.items()},
    "literal nested too deeply": "{'asin': '7', 'title': " + "[" * 9_999 + "]" * 9_999 + "}",
    "literal of powers": "{'asin': '7', 'title': 9**9**9**9}",
    "literal of repetition": "{'asin': '7', 'title': 'a' * 10**10}",
    "literal of a set": "{'asin', '7'}",
    "product without id": "{'title': 'Thing'}",
    "title is a number": "{'asin': '7', 'title': 7}",
    "picture is a file": "{'asin': '7', 'imUrl': '/etc/hostname'}",
    "picture of another scheme": "{'asin': '7', 'imUrl': 'file:///etc/hostname'}",
}
_PACKED_2014, _PACKED_2023 = shop.packed(shop.AMAZON_2014), shop.packed(shop.AMAZON_2023)
_BAD_GZIP = {
    "gzip cut short": (faults.cut(0.6), "cut short"),
    "gzip cut inside its checksum": (faults.changed(lambda content: content[:-5]), "cut short"),
    "gzip of nothing but a header": (faults.changed(lambda content: content[:10]), "cut short"),
    "gzip with a wrong checksum": (
        faults.changed(lambda content: content[:-8] + bytes(4) + content[-4:]),
        "CRC check failed",
    ),
    "gzip with a wrong length": (faults.changed(lambda content: content[:-4] + bytes(4)), "[Ii]ncorrect length"),
    "gzip with changed bytes": (
        faults.changed(lambda content: content[:5_000] + bytes(90) + content[5_090:]),
        "not a whole gzip file|cut short",
    ),
    "gzip followed by something else": (
        faults.changed(lambda content: content + b"something else"),
        "not a whole gzip file",
    ),
    "no gzip under the name of one": (faults.unpacked, "not a whole gzip file"),
    "empty file": (faults.content(b""), "holds no reviews"),
    "gzip of nothing": (faults.content(gzip.compress(b"")), "holds no reviews"),
    "UTF-16": (
        faults.changed_inside(lambda content: content.decode().encode("utf-16")),
        "not UTF-8|cannot be used",
    ),
}  # fmt: skip
_WRONG_PRODUCTS = {
    "file beside its gzip": (_beside, "remove one of the two"),
    "products of another category": (_renamed, "rename or remove"),
    "products of other items": (faults.everywhere(b"'asin': '", b"'asin': 'X"), "has none of the items"),
    "products cut inside the last line": (faults.changed(lambda content: content[:-9]), "cut short"),
}


def cases() -> Iterator[Case]:
    """Each of these in reviews or products."""
    reviews, products = shop.AMAZON_2014.log, shop.AMAZON_2014.items
    for kind, line in _BAD_REVIEWS.items():
        fault = faults.inserted(_LINE, line.encode())
        yield shop.AMAZON_2014.case(kind, fault, Counted(f"{reviews}:{_LINE}: ", 1))
    for kind, line in _BAD_PRODUCTS.items():
        # Before the good line of the same product: of two of one product the first counts.
        yield shop.AMAZON_2014.case(
            kind, faults.inserted(5, line.encode()), Counted(f"{products}:5: ", 1), products
        )
    for form in (_PACKED_2014, _PACKED_2023):
        for kind, (fault, says) in _BAD_GZIP.items():
            yield form.case(kind, fault, Refused(form.log, says))
        yield form.case("gzip in two parts", faults.changed(_in_two_parts), Whole())
        yield form.case("zeros behind gzip", faults.changed(lambda content: content + bytes(512)), Whole())
        yield form.case(
            "gzip bomb of one line",
            faults.changed_inside(lambda content: content + bytes(3 * 10**8) + b"\n"),
            Counted(f"{form.log}:{shop.ROWS + 1}: a line of more than", 1),
            slow=True,
        )
    for kind, (fault, says) in _WRONG_PRODUCTS.items():
        yield shop.AMAZON_2014.case(kind, fault, Refused("meta_", says), products)


def _in_two_parts(content: bytes) -> bytes:
    lines = gzip.decompress(content)
    return gzip.compress(lines[:50_000]) + gzip.compress(lines[50_000:])
