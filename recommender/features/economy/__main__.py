"""Write the tables of places again: `python -m recommender.features.economy FOLDER`.

FOLDER holds zipcodes.csv and income.json; SOURCES.md beside this file says where they come from.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from recommender.data import DataError
from recommender.features.economy.build import build_tables


def main() -> None:
    """Read the two files, write the two tables beside this file."""
    parser = argparse.ArgumentParser(
        prog="python -m recommender.features.economy", description="Write the tables of places again."
    )
    parser.add_argument("folder", type=Path, help="holds zipcodes.csv and income.json (see SOURCES.md)")
    try:
        tables = build_tables(parser.parse_args().folder)
    except DataError as error:
        raise SystemExit(str(error)) from error
    for name, text in tables.items():
        path = Path(__file__).with_name(name)
        path.write_text(text, encoding="utf-8", newline="\n")
        print(f"{path}: {text.count(chr(10)) - 1} rows")


if __name__ == "__main__":
    main()
