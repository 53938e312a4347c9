"""What Amazon's product pages say of the items: titles, categories, descriptions and pictures."""

from __future__ import annotations

import ast
import html
import json
import re
import reprlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recommender.data.line_files import LineFile


class MalformedError(ValueError):
    """A line says nothing usable; the message says why."""


@dataclass(frozen=True)
class Product:
    """The metadata of one item; text has no HTML entities, and single blanks only."""

    title: str
    """ "" if there is none."""
    genres: tuple[str, ...]
    description: str
    image: str | None
    """http(s) URL."""
    brand: str | None


def parse_json(line: bytes) -> dict[str, object]:
    """The JSON object of a line in UTF-8; MalformedError for anything else."""
    try:
        record = json.loads(str(line, "utf-8"))
    except UnicodeDecodeError as error:
        raise MalformedError(f"is not UTF-8 at byte {error.start + 1}") from None
    except RecursionError:
        raise MalformedError("is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise MalformedError(f"is no JSON: {error.msg} at character {error.pos + 1}") from None
    except ValueError as error:
        raise MalformedError(f"is no JSON: {error}") from None
    return _mapping(record)


def read_products(
    file: LineFile, items: Mapping[str, int], key: str, category: str, brand: str
) -> dict[int, Product]:
    """The products that `items` numbers by id, by that number; lines of other items are not looked into.

    `key` is the name of the id, `brand` of the maker. Genres are the distinct categories in their order, without
    `category`, the one that the whole file is about (compared by letters and digits, "&" being "and"): it tells no two
    items apart. Description and `features` (bullet points) make one text. Malformed lines and those of an item that
    stands on an earlier line are counted in `file`.
    """
    # Most lines are of items that nobody reviewed, and a literal is slow to parse.
    pattern = re.compile(rb"""['"]%b['"]\s*:\s*['"]([^'"\\]*)['"]""" % key.encode())
    own = _letters(category)
    found: dict[int, Product] = {}
    for number, line in file:
        named = pattern.findall(line)
        if named and not any(str(id_, "utf-8", "replace") in items for id_ in named):
            continue
        try:
            record = _parse(line)
        except MalformedError as error:
            file.unreadable(number, line, str(error))
            continue
        id_ = record.get(key)
        row = items.get(id_) if isinstance(id_, str) else None
        if not isinstance(id_, str):
            file.malformed(number, f"{key} {reprlib.repr(id_)} is not the id of an item")
        elif row in found:
            file.malformed(number, f"{key} {id_} stands on an earlier line already")
        elif row is not None:
            try:
                found[row] = _product(record, own, brand)
            except MalformedError as error:
                file.malformed(number, str(error))
    return found


def _parse(line: bytes) -> dict[str, object]:
    """A JSON object or, as the release of 2014 has them, the literal of a Python dict."""
    try:
        return parse_json(line)
    except MalformedError as error:
        if not line.lstrip().startswith((b"{'", b"{u'")):
            raise
        reason = error
    try:
        return _mapping(ast.literal_eval(str(line, "utf-8").strip()))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise MalformedError(f"{reason}, and no Python literal") from None


def _mapping(record: object) -> dict[str, object]:
    if not isinstance(record, dict):
        raise MalformedError(f"is a {type(record).__name__} where {{...}} was expected")
    return record


def _product(record: Mapping[str, object], own: str, brand: str) -> Product:
    image = _image(record)
    if image is not None and not re.match("https?://", image):
        # A path would be opened as a file of whoever reads the data.
        raise MalformedError(f"the picture {image[:80]!r} is not an http(s) URL")
    categories = dict.fromkeys(_pieces(record, "categories"))
    return Product(
        title=" ".join(_pieces(record, "title")),
        genres=tuple(genre for genre in categories if _letters(genre) != own),
        description=" ".join((*_pieces(record, "description"), *_pieces(record, "features"))),
        image=image,
        brand=" ".join(_pieces(record, brand)) or None,
    )


def _image(record: Mapping[str, object]) -> str | None:
    """`imUrl` (2014), or the main or else the first one of `images` (2023) in its large form."""
    images = record.get("images") or []
    if not isinstance(images, list) or not all(isinstance(image, dict) for image in images):
        raise MalformedError(f"images {reprlib.repr(images)} is not a list of pictures")
    main_first = sorted(images, key=lambda image: image.get("variant") != "MAIN")
    urls = [record.get("imUrl"), *(image.get(size) for image in main_first for size in ("large", "hi_res"))]
    for url in urls:
        if url is not None and not isinstance(url, str):
            raise MalformedError(f"the picture {reprlib.repr(url)} is not a URL")
    return next((url for url in urls if isinstance(url, str) and url), None)


def _pieces(record: Mapping[str, object], key: str) -> tuple[str, ...]:
    """The text, list of texts or list of such lists at `key`, folded; () if there is none."""
    value = record.get(key)
    outer = [] if value is None else value if isinstance(value, list) else [value]
    found = []
    for part in outer:
        for text in part if isinstance(part, list) else [part]:
            if not isinstance(text, str):
                raise MalformedError(f"{key} {reprlib.repr(value)} is not text")
            found.append(_folded(text))
    return tuple(text for text in found if text)


def _folded(text: str) -> str:
    # Half of a surrogate pair, which JSON can spell, could not be written to any file.
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return " ".join(html.unescape(whole).split())


def _letters(name: str) -> str:
    return re.sub(r"\W|_", "", name.replace("&", "and")).casefold()
