"""Reader for Taobao's fashion collocation data (Tianchi, 2015): purchases, categories, outfits and pictures."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recommender.data.dataset import DataError, Dataset, Interactions
from recommender.data.line_files import LineFile
from recommender.data.repeats import keep_earliest
from recommender.data.skipping import TOLERANCE
from recommender.data.tables import object_table
from recommender.data.text_files import read_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recommender.data.dataset import MatchSet
    from recommender.data.skipping import Skipped

_PURCHASES = {
    "user_bought_history.txt": "Taobao fashion",
    "small_user_bought_history.txt": "Taobao fashion (small)",
}
"""The whole data and the sample of them are two data sets."""
_PRODUCTS, _OUTFITS = "dim_items.txt", "dim_fashion_matchsets.txt"
_FIRST_DAY, _LAST_DAY = 2003_01_01, 2099_12_31
"""Taobao opened in 2003."""
_ID = b"[0-9]{1,18}"
_PURCHASE = re.compile(rb"\s*%b[ \t]+%b[ \t]+[1-9][0-9]{7}\s*" % (_ID, _ID))
_PRODUCT = re.compile(rb"\s*(%b)[ \t]+(%b)(?:[ \t].*)?\s*" % (_ID, _ID))
_OUTFIT = re.compile(rb"\s*(%b)[ \t]+(%b(?:[;,]%b)*)\s*" % (_ID, _ID, _ID))
_PICTURE = re.compile("([0-9]{1,18})[.]jpg", re.IGNORECASE)


def read_taobao(path: Path, tolerance: float = TOLERANCE) -> Dataset:
    """`user_bought_history.txt` or the sample `small_user_bought_history.txt`, and what stands beside it.

    `path` is the folder, or the file of purchases in it. Its lines are `user item yyyymmdd`; the time is 00:00 UTC of
    the day, the rating NaN (a purchase says what was chosen, not how it was liked), and of several purchases of one item
    by one user the earliest is kept. Users and items stand in the order of their numbers; items are all that a file
    names, bought or not. Optional are

    - `dim_items.txt`, lines `item category [terms [picture]]`: the category is the one genre, "category 42". There are no
      titles, so an item is called "Item 29 (category 42)". The terms are numbers in place of the words of the title, in
      random order: no reader and no language model could make sense of them, so there is no description;
    - `dim_fashion_matchsets.txt`, lines `outfit item,item;item`, items that can replace each other joined by ",": the
      `match_sets`;
    - pictures ITEM.jpg in or below folders `images` or `tianchi_fm_img*`: the paths in the column `image`.

    A `fashion_cat.txt`, which some copies have, lists the distinct categories of each outfit without saying which item is
    of which, and stays unread.

    Raises DataError for a missing, ambiguous or empty file of purchases, a last line that is broken off, and more than
    the share `tolerance` of malformed lines in a file; fewer are left out and stand in `skipped`.
    """
    file = LineFile(_purchases_file(path), tolerance)
    folder = file.path.parent
    table, lines = _purchases(file)
    categories, skipped_products = _categories(folder / _PRODUCTS, tolerance)
    outfits, skipped_outfits = _outfits(folder / _OUTFITS, tolerance)
    users, user_rows = np.unique(table[:, 0], return_inverse=True)
    worn = np.array([int(item) for outfit in outfits for place in outfit for item in place], dtype=np.int64)
    known = np.array(list(categories), dtype=np.int64)
    items = np.unique(np.concatenate([table[:, 1], worn, known]))
    user_ids, item_ids = users.astype(str).tolist(), items.astype(str).tolist()
    inter = keep_earliest(
        Interactions(
            user_rows.astype(np.int32),
            np.searchsorted(items, table[:, 1]).astype(np.int32),
            np.full(len(table), np.nan, dtype=np.float32),
            table[:, 2],
        ),
        user_ids,
        item_ids,
        lambda rows: [file.place(int(lines[row])) for row in rows],
        file.skips,
    )
    return Dataset(
        _PURCHASES[file.path.name],
        synthetic=False,
        users=object_table({"user_id": user_ids}),
        items=object_table(
            {
                "item_id": item_ids,
                **_descriptions([categories.get(item) for item in items.tolist()], item_ids),
                **_images(folder, item_ids),
            }
        ),
        interactions=inter,
        skipped=file.close() + skipped_products + skipped_outfits,
        match_sets=outfits,
        domain="fashion",
    )


def taobao_files(path: Path) -> list[Path]:
    """The files that are read and the folders of pictures; DataError as `read_taobao` raises it."""
    purchases = _purchases_file(path)
    more = [purchases.with_name(name) for name in (_PRODUCTS, _OUTFITS)]
    return [purchases, *(file for file in more if file.exists()), *_picture_folders(purchases.parent)]


def _purchases_file(path: Path) -> Path:
    if not path.is_dir():
        if path.name in _PURCHASES:
            return path
        raise DataError(
            f"{path}: no such folder; data.path is the folder that holds {' or '.join(_PURCHASES)}"
        )
    found = [path / name for name in _PURCHASES if (path / name).exists()]
    if len(found) != 1:
        raise DataError(
            f"{path}: should hold one of {' and '.join(_PURCHASES)}, not {'both' if found else 'none'}; "
            "or give the file as data.path"
        )
    return found[0]


def _purchases(file: LineFile) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n, 3) user, item and seconds of every purchase, and (n,) the numbers of their lines."""
    raw = read_bytes(file.path)
    table = _whole_numbers(raw)
    if table is not None:
        file.rows = len(table)
        lines = np.arange(1, len(table) + 1)
    else:
        good: list[bytes] = []
        numbers: list[int] = []
        for number, line in file:
            if _PURCHASE.fullmatch(line):
                good.append(b" ".join(line.split()))
                numbers.append(number)
            else:
                file.unreadable(
                    number,
                    line,
                    f"{_shown(line)} is not 'user item yyyymmdd' of whole numbers with blanks between",
                )
        table = _whole_numbers(b"\n".join(good))
        lines = np.array(numbers, dtype=np.int64)
    if table is None:
        file.close()
        raise DataError(f"{file.path}: holds no purchases")
    day, real = _days(table[:, 2])
    for row in np.flatnonzero(~real).tolist():
        file.malformed(int(lines[row]), f"{table[row, 2]} is not a day yyyymmdd from 2003 to 2099")
    if not real.any():
        file.close()
        raise DataError(f"{file.path}: holds no purchases")
    seconds = day.astype("datetime64[s]").astype(np.int64)
    return np.column_stack([table[:, 0], table[:, 1], seconds])[real], lines[real]


def _whole_numbers(raw: bytes) -> NDArray[np.int64] | None:
    """(n, 3) the whole numbers of n lines, the last of each with eight digits; None if there is any other line."""
    if not raw or raw.translate(None, b"0123456789 \t\r\n") or raw.count(b"\r") != raw.count(b"\r\n"):
        return None
    try:
        table: NDArray[np.int64] = pd.read_csv(
            io.BytesIO(raw), sep=r"\s+", header=None, dtype=np.int64, quoting=3
        ).to_numpy()
    except (ValueError, OverflowError):
        return None
    rows = raw.count(b"\n") + (not raw.endswith(b"\n"))
    if table.shape != (rows, 3) or ((table[:, 2] < 10**7) | (table[:, 2] >= 10**8)).any():
        return None
    return table


def _days(numbers: NDArray[np.int64]) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
    """(n,) the days of numbers yyyymmdd, and (n,) whether there is such a day."""
    year, month, day = numbers // 10**4, numbers // 100 % 100, numbers % 100
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1).astype("timedelta64[D]")
    real = (days.astype("datetime64[M]") == months) & (month >= 1) & (month <= 12)
    return days, real & (numbers >= _FIRST_DAY) & (numbers <= _LAST_DAY)


def _categories(path: Path, tolerance: float) -> tuple[dict[int, str], tuple[Skipped, ...]]:
    """The category of each item; none without the file."""
    found: dict[int, str] = {}
    if not path.exists():
        return found, ()
    file = LineFile(path, tolerance)
    for number, line in file:
        product = _PRODUCT.fullmatch(line)
        if product is None:
            file.unreadable(number, line, f"{_shown(line)} is not 'item category [terms]'")
        elif (item := int(product[1])) in found:
            file.malformed(number, f"item {item} stands on an earlier line already")
        else:
            found[item] = str(int(product[2]))
    return found, file.close()


def _outfits(path: Path, tolerance: float) -> tuple[tuple[MatchSet, ...], tuple[Skipped, ...]]:
    """The outfits in the order of their file; none without the file."""
    found: dict[int, MatchSet] = {}
    if not path.exists():
        return (), ()
    file = LineFile(path, tolerance)
    for number, line in file:
        outfit = _OUTFIT.fullmatch(line)
        if outfit is None:
            file.unreadable(number, line, f"{_shown(line)} is not 'outfit item,item;item'")
        elif (id_ := int(outfit[1])) in found:
            file.malformed(number, f"outfit {id_} stands on an earlier line already")
        else:
            found[id_] = tuple(
                tuple(str(int(item)) for item in place.split(b",")) for place in outfit[2].split(b";")
            )
    return tuple(found.values()), file.close()


def _descriptions(categories: Sequence[str | None], item_ids: Sequence[str]) -> dict[str, list[object]]:
    genres = [() if category is None else (f"category {category}",) for category in categories]
    return {
        "title": [
            f"Item {id_} ({genre[0]})" if genre else f"Item {id_}"
            for id_, genre in zip(item_ids, genres, strict=True)
        ],
        "genres": list(genres),
        "description": [""] * len(item_ids),
    }


def _images(folder: Path, item_ids: Sequence[str]) -> dict[str, list[str | None]]:
    """The column `image`, if there is a folder of pictures."""
    roots = _picture_folders(folder)
    if not roots:
        return {}
    paths: dict[str, str] = {}
    while roots:
        for entry in sorted(os.scandir(roots.pop(0)), key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                roots.append(Path(entry.path))
            elif picture := _PICTURE.fullmatch(entry.name):
                paths.setdefault(picture[1], entry.path)
    return {"image": [paths.get(id_) for id_ in item_ids]}


def _picture_folders(folder: Path) -> list[Path]:
    return sorted(
        Path(entry.path)
        for entry in os.scandir(folder)
        if entry.is_dir() and (entry.name == "images" or entry.name.startswith("tianchi_fm_img"))
    )


def _shown(line: bytes) -> str:
    return repr(line[:80].decode("latin-1").strip())
