"""RecBole's atomic files (Zhao et al., 2021): `.inter`, `.user` and `.item`, to and from a Dataset.

Tab-separated UTF-8; the header names each column and its type, as in `user_id:token`. RecBole reads them with
pandas' defaults, so a cell that begins with a quotation mark is quoted when written. Left out are fields that a
Dataset has no place for (brand, price ...) and the further kinds of file (`.kg`, `.link`, `.net`).
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recommender.data.dataset import DataError, Dataset
from recommender.data.interactions import Columns, Known, read_interactions
from recommender.data.skipping import TOLERANCE, Skips
from recommender.data.tables import Table, object_table, optional, read_records
from recommender.data.text_files import TextFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from recommender.data.skipping import Skipped

_TYPES = ("token", "token_seq", "float", "float_seq")
_COLUMN = re.compile(f"([^:,;\\s]+):({'|'.join(_TYPES)})")
_SYNTHETIC = "-synthetic"
"""End of the name of files that hold generated data, so that whoever reads them is told."""
_NAME = re.compile("[^/\\\\\0\ud800-\udfff]+")
_LONGEST_NAME = 200
"""Bytes; file systems take 255, with what is put before and behind it."""
_UNWRITABLE = re.compile("[\t\r\n\ud800-\udfff]")
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
# What Dataset calls a field, and how RecBole's own files spell it; the first spelling is the one that is written.
_USER_FIELDS = {
    "name": ("name",),
    "gender": ("gender",),
    "age": ("age",),
    "occupation": ("occupation",),
    "zip": ("zip_code", "zip"),
}
_TITLES = ("title", "movie_title", "name")
_GENRES = ("genre", "genres", "class", "categories")
_DESCRIPTIONS = ("description",)
_GENDERS = {"": None, "F": "F", "M": "M"}
_LIST_SEPARATORS = ("|", " > ", " ")


def read_atomic(path: Path, tolerance: float = TOLERANCE) -> Dataset:
    """The data set in the folder `path`, which holds one `.inter` file, or with the `.inter` file `path`.

    Without a `rating` column, or in an empty cell, the rating is NaN: it is not known. Without `.user` or `.item`
    the users or items are those of the interactions. An item without a title is called by its id. Lists (genre,
    genres, class, categories) are divided at "|" if the column has one, else at " > ", else at blanks.
    Left out and counted are lines that the format does not allow, ids that stand twice or that `.user` or `.item` lacks,
    times that are none, and all but the earliest interaction of a user and an item. Raises DataError with file:line for
    a wrong header, a code where words are needed (gender, occupation), and more than the share `tolerance` of
    malformed lines of one file.
    """
    inter_file = _inter_file(path)
    people, user_ids, skipped_users = _records(inter_file.with_suffix(".user"), "user_id", tolerance)
    goods, item_ids, skipped_items = _records(inter_file.with_suffix(".item"), "item_id", tolerance)
    source = _AtomicFile(inter_file)
    skips = Skips(inter_file, tolerance)
    inter, users, items = read_interactions(
        source,
        Columns("user_id", "item_id", "rating" if "rating" in source.names else None, "timestamp"),
        skips,
        None if people is None else Known(people.path, user_ids),
        None if goods is None else Known(goods.path, item_ids),
    )
    name = inter_file.stem
    return Dataset(
        name.removesuffix(_SYNTHETIC),
        synthetic=name.endswith(_SYNTHETIC),
        users=object_table({"user_id": users, **_user_columns(people)}),
        items=object_table({"item_id": items, **_item_columns(goods, items)}),
        interactions=inter,
        clock=inter.has_clock(),
        skipped=skipped_users + skipped_items + skips.close(len(inter) + skips.left_out),
    )


def atomic_files(path: Path) -> list[Path]:
    """The files of the data set that are there; DataError as `read_atomic` raises it."""
    inter_file = _inter_file(path)
    more = (inter_file.with_suffix(suffix) for suffix in (".user", ".item"))
    return [inter_file, *(file for file in more if file.exists())]


def write_atomic(dataset: Dataset, folder: Path) -> Path:
    """Write `folder`/NAME/NAME.inter, .user and .item, and give `folder`/NAME, as RecBole's `data_path` and `dataset`.

    NAME is the data set's, with "-synthetic" behind it if it is. All files are written or none: DataError if the
    folder exists, and for what the format cannot hold (no interactions, a tab or line end in a cell, an empty
    title or id). Genres of single words are separated by blanks, as RecBole's `seq_separator` expects; where a genre
    has a blank inside, each is followed by "|": give RecBole `seq_separator: "|"`.
    """
    name = _name(dataset)
    target = folder / name
    if target.exists():
        raise DataError(f"{target}: exists; give another folder, or remove it")
    files = {".inter": _inter_cells(dataset), ".user": _user_cells(dataset), ".item": _item_cells(dataset)}
    texts = {suffix: _text(target / f"{name}{suffix}", columns) for suffix, columns in files.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder) as place:
            unfinished = Path(place) / name
            unfinished.mkdir()
            for suffix, text in texts.items():
                (unfinished / f"{name}{suffix}").write_text(text, encoding="utf-8", newline="\n")
            unfinished.rename(target)
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error.strerror})") from error
    return target


def _inter_file(path: Path) -> Path:
    if not path.is_dir():
        if path.suffix != ".inter":
            raise DataError(f"{path}: no such folder; data.path is the folder that holds one .inter file")
        return path
    found = sorted(path.glob("*.inter"))
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise DataError(f"{path}: should hold one .inter file, not {names}; or give the file as data.path")
    return found[0]


class _AtomicFile:
    """A text whose header names columns and types, as a source of tables with plain names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = TextFile(path, "\t", quoted=False)
        names = []
        for header in self._file.names:
            column = _COLUMN.fullmatch(header)
            if column is None:
                raise DataError(
                    f"{path}:1: {header[:80]!r} is not a column such as user_id:token, with tabs between columns "
                    f"and one of the types {', '.join(_TYPES)}"
                )
            if column[1] in names:
                raise DataError(f"{path}:1: column {column[1]!r} is named twice")
            names.append(column[1])
        self.names = tuple(names)

    def tables(self, skips: Skips) -> Iterator[Table]:
        """The rows in blocks, cells without quotation marks around them."""
        for table in self._file.tables(skips):
            cells = [_unquoted(column) for column in table.columns.columns]
            yield Table(self, pa.table(cells, names=list(self.names)), table.rows)

    def places(self, rows: Sequence[int]) -> list[str]:
        """file:line of rows."""
        return self._file.places(rows)


def _records(path: Path, name: str, tolerance: float) -> tuple[Table | None, list[str], tuple[Skipped, ...]]:
    """A table of users or items, None where there is no such file."""
    if not path.exists():
        return None, [], ()
    skips = Skips(path, tolerance)
    table, ids = read_records(_AtomicFile(path), name, skips)
    return table, ids, skips.close(len(table) + skips.left_out)


def _unquoted(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cells without the quotation marks that a writer of CSV puts around one that begins with a quotation mark."""
    if not pc.any(pc.starts_with(column, '"')).as_py():
        return column
    cells = column.to_pylist()
    return pa.chunked_array(
        [[cell[1:-1].replace('""', '"') if _QUOTED.fullmatch(cell) else cell for cell in cells]], pa.string()
    )


def _first(table: Table | None, names: Sequence[str]) -> str | None:
    return next((name for name in names if table is not None and name in table), None)


def _user_columns(table: Table | None) -> dict[str, list[str | None]]:
    found: dict[str, list[str | None]] = {}
    for field, names in _USER_FIELDS.items():
        column = _first(table, names)
        if table is None or column is None:
            continue
        cells = table.text(column)
        for row, cell in enumerate(cells):
            if (field == "gender" and cell not in _GENDERS) or (field == "occupation" and cell.isdigit()):
                wish = "F, M or empty" if field == "gender" else "words"
                raise DataError(
                    f"{table.place(row)}: {column} {cell!r} should be {wish}: a code would be told to simulated "
                    "users as it is; replace the codes or remove the column"
                )
        found[field] = optional(cells)
    return found


def _item_columns(table: Table | None, ids: Sequence[str]) -> dict[str, list[object]]:
    title, genres, description = (_first(table, names) for names in (_TITLES, _GENRES, _DESCRIPTIONS))
    empty = [""] * len(ids)
    titles, lists, texts = (
        empty if table is None or column is None else table.text(column)
        for column in (title, genres, description)
    )
    return {
        "title": [given or id_ for given, id_ in zip(titles, ids, strict=True)],
        "genres": _divided(lists),
        "description": list(texts),
    }


def _divided(cells: Sequence[str]) -> list[object]:
    separator = next(sep for sep in _LIST_SEPARATORS if sep == " " or any(sep in cell for cell in cells))
    return [tuple(part for part in cell.split(separator) if part) for cell in cells]


def _name(dataset: Dataset) -> str:
    plain = bool(_NAME.fullmatch(dataset.name)) and dataset.name.strip(". ") == dataset.name
    if not plain or len(dataset.name.encode()) > _LONGEST_NAME or dataset.name.endswith(_SYNTHETIC):
        raise DataError(f"{dataset.name!r} cannot be the name of files; rename the data set")
    return f"{dataset.name}{_SYNTHETIC}" if dataset.synthetic else dataset.name


def _inter_cells(dataset: Dataset) -> dict[str, list[str]]:
    inter = dataset.interactions
    if not len(inter):
        raise DataError(f"{dataset.name}: has no interactions to write")
    if inter.time.min() < 0:
        raise DataError(f"{dataset.name}: has a negative time, which would not be read back")
    users, items = (dataset.users["user_id"].to_numpy(), dataset.items["item_id"].to_numpy())
    columns = {
        "user_id:token": users[inter.user].tolist(),
        "item_id:token": items[inter.item].tolist(),
    }
    if not np.isnan(inter.rating).all():
        # The shortest text that reads back as the same float32.
        columns["rating:float"] = ["" if np.isnan(stars) else str(stars) for stars in inter.rating]
    return columns | {"timestamp:float": [str(time) for time in inter.time.tolist()]}


def _user_cells(dataset: Dataset) -> dict[str, list[str]]:
    users = dataset.users
    columns = {"user_id:token": users["user_id"].tolist()}
    for field, names in _USER_FIELDS.items():
        if field in users:
            columns[f"{names[0]}:token"] = [value or "" for value in users[field]]
    return columns


def _item_cells(dataset: Dataset) -> dict[str, list[str]]:
    items = dataset.items
    columns = {"item_id:token": items["item_id"].tolist(), "title:token_seq": items["title"].tolist()}
    genres = [tuple(row) for row in items["genres"]]
    blank = [" ".join(row) for row in genres]
    if any(genres):
        cells = (
            blank if _divided(blank) == genres else ["".join(f"{genre}|" for genre in row) for row in genres]
        )
        if _divided(cells) != genres:
            raise DataError(f'{dataset.name}: a genre is empty or holds "|", which separates genres')
        columns["genre:token_seq"] = cells
    if any(items["description"]):
        columns["description:token_seq"] = items["description"].tolist()
    return columns


def _text(path: Path, columns: Mapping[str, Sequence[str]]) -> str:
    for header in ("user_id:token", "item_id:token", "title:token_seq"):
        for cell in columns.get(header, ()):
            if not cell:
                raise DataError(
                    f"{path}: a cell of {header} would be empty, which reads back as something else"
                )
    written = []
    for header, cells in columns.items():
        for cell in cells:
            if _UNWRITABLE.search(cell):
                raise DataError(
                    f"{path}: {header} {cell[:80]!r} holds a tab, a line end or half a character, which the format cannot"
                )
        written.append(
            ['"' + cell.replace('"', '""') + '"' if cell.startswith('"') else cell for cell in cells]
        )
    lines = ["\t".join(row) for row in zip(*written, strict=True)]
    return "\n".join(["\t".join(columns), *lines, ""])
