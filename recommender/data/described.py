"""Any CSV or Parquet files, described by a short YAML file that says which column is what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from recommender.data.dataset import DataError, Dataset, Domain
from recommender.data.interactions import Columns, Known, read_interactions
from recommender.data.parquet_files import ParquetFile
from recommender.data.skipping import TOLERANCE, Skips
from recommender.data.tables import object_table, optional, read_records, require
from recommender.data.text_files import TextFile, read_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic_core import ErrorDetails

    from recommender.data.skipping import Skipped
    from recommender.data.tables import Source, Table

_LARGEST = 2**14
"""Bytes of a description; a parser of YAML would take minutes for a table of data that is given by mistake."""
_MOST_BRACKETS = 100
"""Of a description: what is nested in thousands of them takes a parser minutes as well."""
_Column = Annotated[str, Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class _File(_Section):
    file: _Column
    """Path, relative to the YAML file; `.parquet` is Parquet, anything else is text with a header line, UTF-8."""
    separator: Literal[",", ";", "|", "\t"] = ","
    """Between the cells of a text; cells may stand in double quotes."""


class _Interactions(_File):
    """One row for each pair of user and item; the values are names of columns."""

    user: _Column
    item: _Column
    rating: _Column | None = None
    """Left out: there are no ratings, and every row is a positive."""
    time: _Column
    """Whole numbers since 1970-01-01 UTC, or Parquet's timestamps."""
    time_unit: Literal["seconds", "milliseconds"] = "seconds"
    """Times are kept in seconds; within one, the order of the rows counts."""


class _Users(_File):
    """One row a user; what is left out is not known of any user."""

    user: _Column
    name: _Column | None = None
    gender: _Column | None = None
    age: _Column | None = None
    occupation: _Column | None = None
    zip: _Column | None = None
    genders: dict[str, Literal["F", "M"]] = {"F": "F", "M": "M"}
    """What the cells of the gender column mean; an empty cell is not known."""


class _Items(_File):
    """One row an item."""

    item: _Column
    title: _Column
    genres: _Column | None = None
    """Parquet's lists, or text divided at `genre_separator`."""
    genre_separator: Annotated[str, Field(min_length=1)] = "|"
    description: _Column | None = None
    image: _Column | None = None
    """Path of a picture, relative to the YAML file, or its URL; empty if there is none."""


class _Description(_Section):
    """The whole YAML file."""

    name: _Column
    """How outputs name the data."""
    synthetic: bool = False
    """True if the data are generated: every output then says so."""
    domain: Domain = "products"
    """What the items are, for the words of prompts."""
    interactions: _Interactions
    users: _Users | None = None
    """Left out: users are those of the interactions, and nothing is known of them."""
    items: _Items
    """Titles are needed: they are what a simulated user is told."""


def read_described(path: Path, tolerance: float = TOLERANCE) -> Dataset:
    """The data set that the YAML file `path` describes (keys: see the classes above; docs/data.md).

    Rows that say nothing usable are left out and counted. Raises DataError with file:line for a mistake in the
    description, a missing column, a gender without a meaning, an item without a title, and more than the share
    `tolerance` of malformed rows of one file.
    """
    described = _load(path)
    items, item_ids, skipped_items = _records(path, described.items, described.items.item, tolerance)
    users, known_users = None, None
    skipped_users: tuple[Skipped, ...] = ()
    if described.users is not None:
        users, ids, skipped_users = _records(path, described.users, described.users.user, tolerance)
        known_users = Known(users.path, ids)
    says = described.interactions
    source = _open(path, says)
    skips = Skips(source.path, tolerance)
    columns = Columns(
        says.user, says.item, says.rating, says.time, per_second=1 if says.time_unit == "seconds" else 1000
    )
    inter, user_ids, _ = read_interactions(source, columns, skips, known_users, Known(items.path, item_ids))
    return Dataset(
        described.name,
        synthetic=described.synthetic,
        users=object_table({"user_id": user_ids, **_user_columns(described.users, users)}),
        items=object_table({"item_id": item_ids, **_item_columns(path, described.items, items)}),
        interactions=inter,
        clock=inter.has_clock(),
        domain=described.domain,
        skipped=skipped_items + skipped_users + skips.close(len(inter) + skips.left_out),
    )


def described_files(path: Path) -> list[Path]:
    """The YAML file and the files it names; DataError as `read_described` raises it."""
    described = _load(path)
    sections = (described.interactions, described.users, described.items)
    return [path, *(path.parent / section.file for section in sections if section is not None)]


def _load(path: Path) -> _Description:
    if path.is_dir():
        raise DataError(f"{path}: is a folder; data.path of a table is the YAML file that describes it")
    raw = read_bytes(path, _LARGEST + 1)
    if len(raw) > _LARGEST:
        raise DataError(
            f"{path}: has more than {_LARGEST:,} bytes; data.path of a table is the short YAML file that describes it"
        )
    if raw.count(b"[") + raw.count(b"{") > _MOST_BRACKETS:
        raise DataError(f"{path}: opens more than {_MOST_BRACKETS} brackets; a description has hardly any")
    try:
        value = YAML().load(raw)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DataError(f"{path}:{mark.line + 1 if mark else 1}: {error.problem or error.context}") from None
    except (YAMLError, ValueError) as error:
        raise DataError(f"{path}: not readable as YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise DataError(f"{path}: is nested too deeply") from None
    try:
        return _Description.model_validate(value)
    except ValidationError as error:
        mistakes = [_mistake(path, value, each) for each in error.errors(include_url=False)]
        raise DataError("\n".join(mistakes)) from None


def _mistake(path: Path, value: object, error: ErrorDetails) -> str:
    """`file:line: key what`: the line of the key, or of the section that lacks it."""
    line = 1
    for part in error["loc"]:
        if not (isinstance(value, dict) and part in value):
            break
        line = value.lc.key(part)[0] + 1  # type: ignore[attr-defined]
        value = value[part]
    key = ".".join(map(str, error["loc"])) or "the description"
    wishes = {"missing": "is missing", "extra_forbidden": "is no key that is known here"}
    return f"{path}:{line}: {key} {wishes.get(error['type'], error['msg'])}"


def _open(path: Path, says: _File) -> Source:
    file = path.parent / says.file
    if Path(says.file).suffix == ".parquet":
        return ParquetFile(file)
    return TextFile(file, says.separator, quoted=True)


def _records(
    path: Path, says: _Users | _Items, id_column: str, tolerance: float
) -> tuple[Table, list[str], tuple[Skipped, ...]]:
    source = _open(path, says)
    skips = Skips(source.path, tolerance)
    table, ids = read_records(source, id_column, skips)
    return table, ids, skips.close(len(table) + skips.left_out)


def _user_columns(says: _Users | None, table: Table | None) -> Mapping[str, Sequence[object]]:
    if says is None or table is None:
        return {}
    found: dict[str, Sequence[object]] = {}
    for field in ("name", "gender", "age", "occupation", "zip"):
        column: str | None = getattr(says, field)
        if column is None:
            continue
        require(table.source, column)
        cells = table.text(column)
        if field == "gender":
            for row, cell in enumerate(cells):
                if cell and cell not in says.genders:
                    raise DataError(
                        f"{table.place(row)}: {column} {cell!r} is not one of {', '.join(says.genders)}; "
                        "say what it means in users.genders"
                    )
            cells = [says.genders[cell] if cell else "" for cell in cells]
        found[field] = optional(cells)
    return found


def _item_columns(path: Path, says: _Items, table: Table) -> Mapping[str, Sequence[object]]:
    told = (says.title, says.genres, says.description, says.image)
    require(table.source, *(column for column in told if column is not None))

    def split(cell: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in cell.split(says.genre_separator) if part.strip())

    titles = table.text(says.title)
    untold = next((row for row, title in enumerate(titles) if not title.strip()), None)
    if untold is not None:
        raise DataError(f"{table.place(untold)}: {says.title} is empty; an item needs a title to be told of")
    columns: dict[str, Sequence[object]] = {
        "title": titles,
        "genres": [()] * len(table) if says.genres is None else table.lists(says.genres, split),
        "description": [""] * len(table) if says.description is None else table.text(says.description),
    }
    if says.image is not None:
        columns["image"] = [_picture(path, cell) for cell in table.text(says.image)]
    return columns


def _picture(path: Path, cell: str) -> str | None:
    if not cell or "://" in cell:
        return cell or None
    return str((path.parent / cell).resolve())
