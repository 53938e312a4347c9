"""Texts and pictures that a data set comes without, put beside it by item id."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from recommender.data.dataset import DataError, Dataset
from recommender.data.images import local_images
from recommender.data.skipping import TOLERANCE, Skips
from recommender.data.tables import read_records
from recommender.data.text_files import TextFile

if TYPE_CHECKING:
    from pathlib import Path


def with_texts(dataset: Dataset, file: Path, tolerance: float = TOLERANCE) -> Dataset:
    """The data set with what a CSV file (UTF-8, a header) says of its items at the end of their `description`.

    The first column holds item ids, the others texts, which are joined in their order. Items that the file lacks stay as
    they are, and rows of other items are not read. Malformed lines are left out and counted. Raises DataError where more
    than the share `tolerance` is malformed, and where the file has none of the items.
    """
    skips = Skips(file, tolerance)
    source = TextFile(file, ",", quoted=True)
    id_column, *columns = source.names
    if not columns:
        raise DataError(f"{file}:1: one column only; the first is the item id, the others are texts")
    item_ids = dataset.items["item_id"].tolist()
    if id_column in item_ids:
        raise DataError(
            f"{file}:1: begins with the item {id_column!r}; the first line should name the columns"
        )
    table, ids = read_records(source, id_column, skips)
    skipped = skips.close(len(table) + skips.left_out)
    texts = zip(*(table.text(column) for column in columns), strict=True)
    told = {id_: " ".join(filter(None, map(str.strip, row))) for id_, row in zip(ids, texts, strict=True)}
    if not told.keys() & set(item_ids):
        raise DataError(
            f"{file}: has none of the items of {dataset.name}; its first column, {id_column}, should hold item ids "
            f"such as {item_ids[0]!r}"
        )
    descriptions = [
        " ".join(filter(None, (before, told.get(id_, ""))))
        for before, id_ in zip(dataset.items["description"], item_ids, strict=True)
    ]
    return replace(
        dataset,
        items=dataset.items.assign(description=pd.Series(descriptions, dtype=object)),
        skipped=dataset.skipped + skipped,
    )


def with_images(dataset: Dataset, folder: Path) -> Dataset:
    """The data set with the pictures `folder`/ITEM.jpg (or jpeg, png, webp, gif) in place of its own `image` column.

    Raises DataError where the folder has a picture of none of the items.
    """
    paths = local_images(folder, dataset.items["item_id"].tolist())
    if not any(paths):
        raise DataError(f"{folder}: has a picture of none of the items of {dataset.name}, such as ITEM.jpg")
    images = [None if path is None else str(path) for path in paths]
    return replace(dataset, items=dataset.items.assign(image=pd.Series(images, dtype=object)))
