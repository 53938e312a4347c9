"""What is kept on disk: a cache that was damaged after it was written, and data that cannot be written as atomic files."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.broken import faults, shop
from benchmarks.broken.cases import Case, Read, Refused, Whole
from recommender.caching import content_key
from recommender.data import CacheFolderError, Dataset, load, write_atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.broken.cases import Sandbox


class _Canary:
    """Leaves a file in the working folder if it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, ("called", "w")


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


_DAMAGE: dict[str, faults.Fault] = {
    "cut short": faults.cut(0.7),
    "emptied": faults.content(b""),
    "overwritten with noise": faults.content(b"\xa5" * 9_999),
    "overwritten with zeros": faults.content(bytes(9_999)),
    "removed": faults.removed,
    "replaced by a folder": faults.folder,
}
_FILES = ("user.npy", "item.npy", "rating.npy", "time.npy", "users.parquet", "items.parquet", "dataset.json")
_MORE_DAMAGE: dict[str, tuple[str, faults.Fault]] = {
    "column with fewer rows": ("time.npy", faults.content(_npy(np.zeros(9, np.int64)))),
    "column with rows of no user": ("user.npy", faults.content(_npy(np.full(shop.ROWS, 10**6, np.int32)))),
    "column of pickled objects": (
        "time.npy",
        faults.content(_npy(np.array([_Canary()] * shop.ROWS, dtype=object))),
    ),
    "description of null": ("dataset.json", faults.content(b"null")),
    "description of a list": ("dataset.json", faults.content(b"[]")),
    "description of another object": ("dataset.json", faults.content(b'{"name": 1}')),
    "description with other lists": (
        "dataset.json",
        faults.replaced(b'"match_sets": []', b'"match_sets": [7]'),
    ),
    "table of another kind": ("items.parquet", faults.content(shop.parquet_bytes(shop.GOODS))),
}


def _same(dataset: Dataset) -> Dataset:
    return dataset


def _item(**cells: object) -> Callable[[Dataset], Dataset]:
    """The first item has these cells."""

    def change(dataset: Dataset) -> Dataset:
        columns = {name: [cell, *dataset.items[name][1:]] for name, cell in cells.items()}
        return replace(
            dataset,
            items=dataset.items.assign(
                **{name: pd.Series(cells, dtype=object) for name, cells in columns.items()}
            ),
        )

    return change


def _named(name: str) -> Callable[[Dataset], Dataset]:
    return lambda dataset: replace(dataset, name=name)


def _without_rows(dataset: Dataset) -> Dataset:
    return dataset.with_interactions(dataset.interactions.take(np.zeros(0, np.int64)))


def _before_1970(dataset: Dataset) -> Dataset:
    inter = dataset.interactions
    return dataset.with_interactions(replace(inter, time=inter.time - 2**40))


_UNWRITABLE: dict[str, tuple[Callable[[Dataset], Dataset], str]] = {
    "title with a tab": (_item(title="a\tb"), "shop.item: .*holds a tab"),
    "title with a line end": (_item(title="a\nb"), "shop.item: .*holds a tab"),
    "title of half a character": (_item(title="\ud83d"), "shop.item: .*half a character"),
    "empty title": (_item(title=""), "shop.item: .*would be empty"),
    "empty id": (_item(item_id=""), "would be empty"),
    "genre with a bar": (_item(genres=("a|b",)), "shop: a genre is empty or holds"),
    "name that leads out": (_named("../evil"), "cannot be the name of files"),
    "name that is a place": (_named("/evil"), "cannot be the name of files"),
    "name with a zero byte": (_named("a\0b"), "cannot be the name of files"),
    "name of dots": (_named(".."), "cannot be the name of files"),
    "name of nothing": (_named(""), "cannot be the name of files"),
    "name of half a character": (_named("\ud83d"), "cannot be the name of files"),
    "name of 300 characters": (_named("n" * 300), "cannot be the name of files"),
    "no interactions": (_without_rows, "shop: has no interactions"),
    "negative time": (_before_1970, "shop: has a negative time"),
}
_ODD = {
    "title in quotation marks": _item(title='"Quoted"'),
    "title that begins with a quotation mark": _item(title='"Quoted" and not'),
    "title that looks like nothing": _item(title="NA"),
    "title with rare line ends": _item(title="a\x0bb\x0cc\x1cd\x85e\u2028f"),
    "title with control characters": _item(title="a\x1ab\x1fc\x00d"),
    "title that begins with a byte order mark": _item(title="\ufeffThing"),
    "genre of two words": _item(genres=("Science fiction", "Drama")),
    "id with blanks": _item(item_id=" 1 "),
}


def cases() -> Iterator[Case]:
    """Each kind of damage of each file; each thing that a file cannot hold."""
    for file in _FILES:
        for kind, fault in _DAMAGE.items():
            yield _damaged(kind, file, fault)
    for kind, (file, fault) in _MORE_DAMAGE.items():
        yield _damaged(kind, file, fault)
    yield _damaged("file in place of a folder", ".", _file_in_place)
    for kind, content in (("noise", b"\xa5\0"), ("a list", b"[]"), ("another object", b'{"seen": 1}')):
        yield Case(
            f"remembered hash of {kind}", "cache", Whole(), partial(_remembered, content), shop.ML_1M.read
        )
    yield Case(
        "file in place of the cache",
        "cache",
        Refused("cache", "set SCREENTEST_CACHE", error=CacheFolderError),
        _no_cache,
        shop.ML_1M.read,
    )
    for kind, (change, says) in _UNWRITABLE.items():
        yield Case(kind, "write_atomic", Refused("", says), _loaded, partial(_written, change))
    for kind, change in _ODD.items():
        yield Case(kind, "write_atomic", Whole(), _loaded, partial(_written, change))
    yield Case(
        "folder that is there", "write_atomic", Refused("shop", "exists"), _there, partial(_written, _same)
    )
    in_the_way = Refused("target", "cannot be written")
    yield Case(
        "file in place of the folder", "write_atomic", in_the_way, _in_the_way, partial(_written, _same)
    )


def _damaged(kind: str, file: str, fault: faults.Fault) -> Case:
    def prepare(sandbox: Sandbox) -> None:
        shop.ML_1M.write(sandbox)
        load("ml-1m", sandbox.data)
        [kept] = [path for path in (sandbox.cache / "data").iterdir() if path.is_dir()]
        fault(kept / file)

    return Case(kind, f"cache: {file}", Whole(), prepare, shop.ML_1M.read)


def _file_in_place(path: Path) -> None:
    shutil.rmtree(path)
    path.write_bytes(b"")


def _remembered(content: bytes, sandbox: Sandbox) -> None:
    """A note of the hash of the log as the reader leaves it, but broken."""
    shop.ML_1M.write(sandbox)
    notes = sandbox.cache / "hashes"
    notes.mkdir()
    for name in shop.ML_1M.files:
        (notes / f"{content_key(str((sandbox.data / name).resolve()))}.json").write_bytes(content)


def _no_cache(sandbox: Sandbox) -> None:
    shop.ML_1M.write(sandbox)
    sandbox.cache.rmdir()
    sandbox.cache.write_bytes(b"")


def _loaded(sandbox: Sandbox) -> None:
    shop.ATOMIC.write(sandbox)
    load("atomic", sandbox.data)


def _there(sandbox: Sandbox) -> None:
    _loaded(sandbox)
    (sandbox.target / "shop").mkdir()


def _in_the_way(sandbox: Sandbox) -> None:
    _loaded(sandbox)
    sandbox.target.rmdir()
    sandbox.target.write_bytes(b"")


def _written(change: Callable[[Dataset], Dataset], sandbox: Sandbox) -> Read:
    """Write the changed data set, and hold what is read again against it."""
    dataset = change(load("atomic", sandbox.data))
    again = load("atomic", write_atomic(dataset, sandbox.target))
    before, after = dataset.interactions, again.interactions
    return Read(
        missing=int(not again.items.equals(dataset.items)) + int(not again.users.equals(dataset.users)),
        invented=sum(
            not np.array_equal(getattr(before, name), getattr(after, name))
            for name in ("user", "item", "rating", "time")
        ),
        malformed=sum(each.count for each in again.skipped),
    )
