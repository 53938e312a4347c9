"""The paper's Table I beside the same figures of a data set, at every step from reading to the parts of the split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.table import Table
from rich.text import Text

from recommender.data.filtering import Counts, core_mask, counts
from recommender.data.splitting import prepare

if TYPE_CHECKING:
    from rich.console import Console

    from recommender.data.dataset import Dataset
    from recommender.data.splitting import SplitKind

_PAPER = "paper, Table I"
PUBLISHED = {
    "movielens-1m": Counts(_PAPER, 6_040, 3_416, 999_611),
    "beauty": Counts(_PAPER, 15_576, 8_678, 139_318),
    "taobao": Counts(_PAPER, 12_539, 8_735, 83_648),
}
"""Table I, by a word in the name of the data set."""


@dataclass(frozen=True)
class Statistics:
    """Sizes of one data set on its way into an experiment."""

    data: str
    """The data set's label; generated data are called synthetic."""
    steps: tuple[Counts, ...]
    """As read, and after each filter."""
    parts: tuple[Counts, ...]
    """Train, validation and test."""
    rated_core: Counts | None
    """The core of all ratings, low ones too; None where the filter of ratings dropped nothing."""
    published: Counts | None
    """The paper's figures; None for data that the paper does not have."""

    @property
    def rows(self) -> tuple[Counts, ...]:
        """All of it, in the order of the table."""
        last = (row for row in (self.rated_core, self.published) if row is not None)
        return (*self.steps, *self.parts, *last)

    @property
    def matching(self) -> str | None:
        """The step that has exactly the paper's users, items and interactions; None if none has."""
        if self.published is None:
            return None
        wanted = _size(self.published)
        return next((row.step for row in self.rows if row.step != _PAPER and _size(row) == wanted), None)


def statistics(
    dataset: Dataset, min_rating: float = 3, core: int = 5, split: SplitKind = "ratio"
) -> Statistics:
    """Prepare the data as an experiment would and count at each step; raises what `prepare` raises."""
    prepared = prepare(dataset, min_rating, core, split)
    read, positive = prepared.steps[:2]
    inter = dataset.interactions
    low = positive.interactions < read.interactions
    name = dataset.name.lower()
    return Statistics(
        dataset.label,
        prepared.steps,
        tuple(counts(part, getattr(prepared, part)) for part in ("train", "validation", "test")),
        counts(f"{core}-core of all ratings", inter, core_mask(inter, core)) if low else None,
        None if dataset.synthetic else next((row for word, row in PUBLISHED.items() if word in name), None),
    )


def show_statistics(console: Console, found: Statistics) -> None:
    """Print the table, and which step has the paper's figures; fits 80 columns, good without colour."""
    table = Table(
        title=Text(found.data),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
        pad_edge=False,
        show_edge=False,
    )
    table.add_column("")
    for column in ("users", "items", "interactions", "per user", "per item", "density"):
        table.add_column(column, justify="right")
    for row in found.rows:
        table.add_row(
            row.step,
            f"{row.users:,}",
            f"{row.items:,}",
            f"{row.interactions:,}",
            _number(row.per_user, ".1f"),
            _number(row.per_item, ".1f"),
            _number(row.density, ".3%"),
        )
    console.print(table)
    if found.published is not None:
        same = f"those of the step {found.matching!r}" if found.matching else "not those of any step here"
        console.print(f"The paper's figures are {same}.", highlight=False, markup=False, soft_wrap=True)


def _size(row: Counts) -> tuple[int, int, int]:
    return row.users, row.items, row.interactions


def _number(value: float, form: str) -> str:
    return "n/a" if np.isnan(value) else format(value, form)
