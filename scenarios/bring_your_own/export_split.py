"""python -m scenarios.bring_your_own.export_split SCENARIO --to FOLDER: a scenario's split, for what is trained elsewhere."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recommender.command_line import add_overrides, run_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recommender.data.splitting import Split

_HEADER = "user_id:token\titem_id:token\ttimestamp:float\n"
_UNWRITABLE = re.compile('[\t\r\n]|^"|^$')


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog="python -m scenarios.bring_your_own.export_split",
        description="Write train, validation, test and the items of a scenario as RecBole's benchmark files, with the ids of the data.",
    )
    options.add_argument("scenario", type=Path, help="scenario file, such as scenarios/cold_start.yaml")
    options.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="FOLDER/split is made")
    add_overrides(options)
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Write and return the exit code."""
    options = parser().parse_args(arguments)
    return run_command(lambda: _export(options))


def _export(options: argparse.Namespace) -> None:
    from recommender.configuration import Setup
    from recommender.pipeline import prepare_data
    from scenarios.reading import read

    prepared = prepare_data(read(Setup, options.scenario, options.overrides))
    print(write_split(prepared.split, options.to))


def write_split(split: Split, folder: Path) -> Path:
    """Write `folder`/split/split.{train,valid,test}.inter and split.item, and give `folder`/split.

    These are RecBole's `data_path` and `dataset`. Users and items are called as in the data. A time is the row's place in its user's history, oldest 0, since a clock's
    ties would leave the order open. Raises DataError for an id that the format cannot hold and a folder that cannot be
    written.
    """
    from recommender.data.dataset import DataError

    users = split.dataset.users["user_id"].to_numpy()
    items = split.dataset.items["item_id"].to_numpy()
    broken = next((name for name in (*users, *items) if _UNWRITABLE.search(name)), None)
    if broken is not None:
        raise DataError(
            f"the id {broken!r} is empty, begins with a quotation mark, or holds a tab or a line end, which these files cannot"
        )
    target = folder / "split"
    before = np.zeros(len(users), dtype=np.int64)
    try:
        target.mkdir(parents=True, exist_ok=True)
        catalogue = "".join(f"{item}\n" for item in items)
        (target / "split.item").write_text(f"item_id:token\n{catalogue}", encoding="utf-8", newline="\n")
        for name, part in (("train", split.train), ("valid", split.validation), ("test", split.test)):
            size = np.bincount(part.user, minlength=len(users))
            first = np.cumsum(size) - size
            place = before[part.user] + np.arange(len(part)) - first[part.user]
            before += size
            rows = zip(users[part.user], items[part.item], place.tolist(), strict=True)
            with (target / f"split.{name}.inter").open("w", encoding="utf-8", newline="\n") as file:
                file.write(_HEADER)
                file.writelines(f"{user}\t{item}\t{number}\n" for user, item, number in rows)
    except OSError as error:
        raise DataError(f"{error.filename or target}: cannot be written ({error.strerror})") from error
    return target


if __name__ == "__main__":
    sys.exit(main())
