"""`python -m recommender.data.embedded`: write the generated audience to a folder, or check its calibration."""

from __future__ import annotations

import argparse
from pathlib import Path

from recommender.data.dataset import DataError
from recommender.data.embedded.calibration import calibration, table
from recommender.data.embedded.export import write
from recommender.data.embedded.generator import generate
from recommender.data.embedded.poster import write_posters


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when done, 1 when an aggregate is out of tolerance. Wrong usage exits 2."""
    parser = argparse.ArgumentParser(
        prog="python -m recommender.data.embedded", description="The embedded audience (synthetic data)."
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write it there in MovieLens-1M's format")
    parser.add_argument(
        "--seed", type=int, default=0, help="which audience (default 0, the one the scenarios use)"
    )
    parser.add_argument("--posters", action="store_true", help="with --out: draw DIR/posters/<item>.png too")
    parser.add_argument("--check", action="store_true", help="print its aggregates beside MovieLens-1M's")
    given = parser.parse_args(arguments)
    if given.out is None and not given.check:
        parser.error("nothing to do: give --out DIR, --check, or both")
    if given.posters and given.out is None:
        parser.error("--posters needs --out DIR")
    try:
        audience = generate(given.seed)
        if given.out is not None:
            write(audience, given.out)
            if given.posters:
                write_posters(audience, given.out / "posters")
            print(f"{audience.dataset.label}, seed {given.seed}: written to {given.out}")
    except DataError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"cannot write: {error}")
    if given.check:
        rows = calibration(audience.dataset)
        print(table(rows))
        return 0 if all(row.ok for row in rows) else 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
