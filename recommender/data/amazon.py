"""Readers for Amazon's product reviews, the releases of 2014 and 2023.

2014: McAuley et al. (2015), He & McAuley (2016); 2023: Hou et al. (2024). The names under which people review are
personal data and stay unread; so do the texts of the reviews.
"""

from __future__ import annotations

import re
import reprlib
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender.data.amazon_metadata import MalformedError, Product, parse_json, read_products
from recommender.data.dataset import DataError, Dataset, Interactions
from recommender.data.line_files import LineFile
from recommender.data.repeats import keep_earliest
from recommender.data.skipping import TOLERANCE
from recommender.data.tables import object_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from recommender.data.dataset import Domain

_FIRST_TIME = 788_918_400
"""1995-01-01, the year in which Amazon opened, in seconds."""
_LAST_TIME = 4_102_444_800
"""2100-01-01. Between the two, seconds are never mistaken for milliseconds."""
_DOMAINS: Mapping[str, Domain] = {
    "Books": "books",
    "Kindle_Store": "books",
    "Movies_and_TV": "movies",
    "Clothing_Shoes_and_Jewelry": "fashion",
    "Amazon_Fashion": "fashion",
    "AMAZON_FASHION": "fashion",
}
"""Categories that are no mere products."""
_NO_PRODUCT = Product("", (), "", None, None)


@dataclass(frozen=True)
class _Release:
    year: int
    reviews: str
    """Pattern of the name of a file of reviews; its first group is the category."""
    named: str
    """What such a name looks like, for messages."""
    ending: str
    user: str
    item: str
    stars: str
    time: str
    per_second: int
    brand: str


_RELEASE_2014 = _Release(
    year=2014,
    reviews=r"reviews_(.+?)(?:_5)?\.json(?:\.gz)?",
    named="reviews_CATEGORY_5.json.gz",
    ending=".json",
    user="reviewerID",
    item="asin",
    stars="overall",
    time="unixReviewTime",
    per_second=1,
    brand="brand",
)
_RELEASE_2023 = _Release(
    year=2023,
    reviews=r"(?!meta_)(.+)\.jsonl(?:\.gz)?",
    named="CATEGORY.jsonl.gz",
    ending=".jsonl",
    user="user_id",
    item="parent_asin",
    stars="rating",
    time="timestamp",
    per_second=1000,
    brand="store",
)


def read_amazon_2014(path: Path, tolerance: float = TOLERANCE) -> Dataset:
    """`reviews_CATEGORY_5.json.gz` (or without `_5`, or not compressed) and, if it is there, `meta_CATEGORY.json.gz`.

    `path` is the folder, which holds one file of reviews, or that file. Reviews are JSON lines; metadata are JSON or
    literals of Python, one a line. Users and items stand in the order of their first review. An item without title is
    called by its id; `genres` are its categories without CATEGORY itself; with metadata, items have `image` (URL or None)
    and `brand` (None if unknown) too. Of several reviews of one item by one user the earliest is kept.

    Raises DataError for a missing, ambiguous or empty file, gzip that is cut short or damaged, a last line that is broken
    off, and more than the share `tolerance` of malformed lines in a file; fewer are left out and stand in `skipped`.
    """
    return _read(path, tolerance, _RELEASE_2014)


def read_amazon_2023(path: Path, tolerance: float = TOLERANCE) -> Dataset:
    """`CATEGORY.jsonl.gz` (or `.jsonl`) and, if it is there, `meta_CATEGORY.jsonl.gz`: as `read_amazon_2014`.

    An item is a `parent_asin`, which stands for all colours and sizes of a product; so one user often reviews it twice.
    `brand` is the store, and `image` the large form of the main picture.
    """
    return _read(path, tolerance, _RELEASE_2023)


def amazon_2014_files(path: Path) -> list[Path]:
    """The files that are read; DataError as `read_amazon_2014` raises it."""
    return _files(path, _RELEASE_2014)


def amazon_2023_files(path: Path) -> list[Path]:
    """The files that are read; DataError as `read_amazon_2023` raises it."""
    return _files(path, _RELEASE_2023)


def _files(path: Path, release: _Release) -> list[Path]:
    reviews, category = _reviews_file(path, release)
    metadata = _metadata_file(reviews, category, release, sole=path.is_dir())
    return [reviews] if metadata is None else [reviews, metadata]


def _read(path: Path, tolerance: float, release: _Release) -> Dataset:
    reviews, category = _reviews_file(path, release)
    metadata = _metadata_file(reviews, category, release, sole=path.is_dir())
    file = LineFile(reviews, tolerance)
    inter, users, items = _interactions(file, release)
    skipped = file.close()
    columns: dict[str, Sequence[object]] = {
        "item_id": list(items),
        "title": list(items),
        "genres": [()] * len(items),
        "description": [""] * len(items),
    }
    if metadata is not None:
        products_file = LineFile(metadata, tolerance)
        products = read_products(products_file, items, release.item, category, release.brand)
        skipped += products_file.close()
        if not products:
            raise DataError(f"{metadata}: has none of the items of {reviews}; is it of another category?")
        columns |= _product_columns(items, products)
    return Dataset(
        f"Amazon {category} {release.year}",
        synthetic=False,
        users=object_table({"user_id": list(users)}),
        items=object_table(columns),
        interactions=inter,
        skipped=skipped,
        domain=_DOMAINS.get(category, "products"),
    )


def _product_columns(
    items: Mapping[str, int], products: Mapping[int, Product]
) -> dict[str, Sequence[object]]:
    rows = [products.get(row, _NO_PRODUCT) for row in range(len(items))]
    return {
        "title": [product.title or id_ for id_, product in zip(items, rows, strict=True)],
        "genres": [product.genres for product in rows],
        "description": [product.description for product in rows],
        "image": [product.image for product in rows],
        "brand": [product.brand for product in rows],
    }


def _interactions(
    file: LineFile, release: _Release
) -> tuple[Interactions, Mapping[str, int], Mapping[str, int]]:
    """The reviews, and the numbers of user and item ids."""
    users: dict[str, int] = {}
    items: dict[str, int] = {}
    # 24 bytes a review: a list of Python's own numbers would take six times that.
    user_column, item_column, stars_column, time_column = array("i"), array("i"), array("f"), array("q")
    line_column = array("I")
    first, last = _FIRST_TIME * release.per_second, _LAST_TIME * release.per_second
    for number, line in file:
        try:
            record = parse_json(line)
        except MalformedError as error:
            file.unreadable(number, line, str(error))
            continue
        user, item = record.get(release.user), record.get(release.item)
        stars, time = record.get(release.stars), record.get(release.time)
        if not (isinstance(user, str) and user and user.isprintable()):
            file.malformed(number, f"{release.user} {reprlib.repr(user)} is not the id of a user")
        elif not (isinstance(item, str) and item and item.isprintable()):
            file.malformed(number, f"{release.item} {reprlib.repr(item)} is not the id of an item")
        # A bool is an int to Python, but no rating.
        elif not ((isinstance(stars, float) or type(stars) is int) and 1 <= stars <= 5):
            file.malformed(number, f"{release.stars} {reprlib.repr(stars)} is not a rating from 1 to 5")
        elif not (isinstance(time, int) and first <= time < last):
            unit = "seconds" if release.per_second == 1 else "milliseconds"
            file.malformed(
                number, f"{release.time} {reprlib.repr(time)} is not a time in {unit} from 1995 to 2099"
            )
        else:
            user_column.append(users.setdefault(user, len(users)))
            item_column.append(items.setdefault(item, len(items)))
            stars_column.append(stars)
            time_column.append(time // release.per_second)
            line_column.append(number)
    if not line_column:
        file.close()
        raise DataError(f"{file.path}: holds no reviews")
    inter = Interactions(
        np.frombuffer(user_column, dtype=np.int32),
        np.frombuffer(item_column, dtype=np.int32),
        np.frombuffer(stars_column, dtype=np.float32),
        np.frombuffer(time_column, dtype=np.int64),
    )
    kept = keep_earliest(
        inter,
        list(users),
        list(items),
        lambda rows: [file.place(line_column[row]) for row in rows],
        file.skips,
    )
    return kept, users, items


def _reviews_file(path: Path, release: _Release) -> tuple[Path, str]:
    """The file of reviews and the category in its name."""
    if not path.exists():
        raise DataError(
            f"{path}: no such file or folder; give the folder that holds {release.named}, or that file, "
            "with --set data.path=PATH"
        )
    candidates = sorted(path.iterdir()) if path.is_dir() else [path]
    found = [(file, named[1]) for file in candidates if (named := re.fullmatch(release.reviews, file.name))]
    if len(found) != 1:
        what = "should hold one file of reviews" if path.is_dir() else "should be a file of reviews"
        names = ", ".join(file.name for file, _ in found) or "none"
        raise DataError(
            f"{path}: {what} of the release of {release.year}, called {release.named}; found {names}. "
            "Where there are several, give the file as data.path"
        )
    return found[0]


def _metadata_file(reviews: Path, category: str, release: _Release, *, sole: bool) -> Path | None:
    """The metadata of the category beside the reviews; `sole`: those of another one are a mistake."""
    plain = reviews.parent / f"meta_{category}{release.ending}"
    wished = [plain, plain.with_name(f"{plain.name}.gz")]
    found = [file for file in wished if file.exists()]
    if len(found) == 2:
        raise DataError(f"{plain}: stands beside {wished[1].name}; remove one of the two")
    endings = (release.ending, f"{release.ending}.gz")
    others = sorted(file.name for file in reviews.parent.glob("meta_*") if file.name.endswith(endings))
    if not found and sole and others:
        raise DataError(
            f"{reviews.parent}: holds {', '.join(others)}, but the metadata of {reviews.name} are {wished[1].name}; "
            "rename or remove them"
        )
    return found[0] if found else None
