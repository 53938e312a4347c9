"""Reading, opening, filtering and splitting 10^6, 10^7 and 10^8 synthetic interactions: seconds and peak memory of each.

Each stage is a process of its own, so that its peak memory is its own. Rows come in the order of time, users interleaved,
as a log is written; activity and popularity are heavy-tailed; no user has an item twice. The file is MovieLens' ratings.csv.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from benchmarks.recording import record
from recommender.data import load
from recommender.data.filtering import filtered
from recommender.data.splitting import temporal_split

_STAGES = ("read", "open", "filter", "split")
_PER_USER = 100
_PER_ITEM = 200
_NAMES = ("userId", "movieId", "rating", "timestamp")
_FIRST, _LAST = 800_000_000, 1_600_000_000


def main() -> None:
    """Run all sizes; or, as a process that it starts itself, one stage of one size."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", nargs="+", type=int, default=[10**6, 10**7, 10**8])
    options.add_argument(
        "--folder", type=Path, help="for files and cache, 60 bytes a row (default: temporary)"
    )
    options.add_argument("--quick", action="store_true", help="10^5 and 10^6 rows")
    options.add_argument("--stage", choices=_STAGES, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.stage:
        print(json.dumps(_stage(chosen.stage, chosen.folder)))
        return
    sizes = []
    for rows in [10**5, 10**6] if chosen.quick else chosen.rows:
        with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
            sizes.append(_size(rows, Path(folder)))
        print(sizes[-1], file=sys.stderr, flush=True)
    exponents = {stage: _exponent(sizes, f"{stage}_s") for stage in ("read", "filter", "split")}
    for size in sizes:
        size["work_s"] = round(sum(size[f"{stage}_s"] for stage in exponents), 3)
    fields = {
        "sizes": sizes,
        "exponent": _exponent(sizes, "work_s"),
        "exponents": exponents,
        "seed": 0,
        "stages": "each in a process of its own; work_s = read + filter + split; peak_mib = the largest of the stages, pages "
        "mapped from the cache included",
    }
    record(
        f"data-scale{'-quick' if chosen.quick else ''}",
        fields,
        f"python -m benchmarks.data_scale {' '.join(sys.argv[1:])}".strip(),
    )


def _size(rows: int, folder: Path) -> dict[str, Any]:
    """All stages on one size."""
    _generate(rows, folder)
    # A file that was just written is hashed anew at each opening; a user's has been there for longer.
    time.sleep(2.5)
    found: dict[str, Any] = {
        "rows": rows,
        "file_mib": round((folder / "ratings.csv").stat().st_size / 2**20, 1),
    }
    peaks = {}
    for stage in _STAGES:
        environment = os.environ | {"SCREENTEST_CACHE": str(folder / "cache")}
        command = [sys.executable, "-m", "benchmarks.data_scale", "--stage", stage, "--folder", str(folder)]
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        told = json.loads(done.stdout)
        found[f"{stage}_s"], peaks[stage] = told["seconds"], told["peak_mib"]
        print(f"{rows:,} rows, {stage}: {told}", file=sys.stderr, flush=True)
    return {**found, "peak_mib": max(peaks.values()), "peaks_mib": peaks}


def _stage(stage: str, folder: Path) -> dict[str, Any]:
    """Seconds and peak MiB of one stage; what comes before it is done and not timed."""
    if stage == "filter":
        dataset = load("ml-20m", folder)
    elif stage == "split":
        dataset, _ = filtered(load("ml-20m", folder), 3, 5)
    began = time.perf_counter()
    if stage in {"read", "open"}:
        rows = len(load("ml-20m", folder).interactions)
    elif stage == "filter":
        rows = len(filtered(dataset, 3, 5)[0].interactions)
    else:
        rows = len(temporal_split(dataset).train)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return {"seconds": round(seconds, 3), "peak_mib": round(peak, 1), "rows": rows}


def _generate(rows: int, folder: Path) -> None:
    """ratings.csv and movies.csv with `rows` ratings."""
    generator = np.random.default_rng(0)
    users, items = max(rows // _PER_USER, 10), max(rows // _PER_ITEM, 1000)
    popularity = np.cumsum(np.arange(1, items + 1) ** -0.8)
    activity = generator.lognormal(0, 1, users)
    wanted = (activity / activity.sum() * rows * 1.5).astype(np.int64) + 1
    parts = []
    for block in np.array_split(np.arange(users), max(rows // 10**6, 1)):
        user = np.repeat(block, wanted[block])
        item = np.searchsorted(popularity / popularity[-1], generator.random(len(user))).clip(max=items - 1)
        parts.append(np.unique(user * np.int64(items) + item))
    pairs = np.concatenate(parts)
    del parts
    generator.shuffle(pairs)
    pairs = pairs[:rows]
    if len(pairs) < rows:
        raise RuntimeError(f"only {len(pairs)} of {rows} distinct pairs were drawn")
    (folder / "movies.csv").write_text(
        "movieId,title,genres\n"
        + "".join(f"{item},Film {item} (2000),Drama|Comedy\n" for item in range(items)),
        encoding="utf-8",
    )
    kinds = pa.schema(zip(_NAMES, (pa.int64(), pa.int64(), pa.float32(), pa.int64()), strict=True))
    with csv.CSVWriter(str(folder / "ratings.csv"), kinds) as file:
        for start in range(0, rows, 10**6):
            pair = pairs[start : start + 10**6]
            moment = _FIRST + (np.arange(start, start + len(pair)) * ((_LAST - _FIRST) / rows)).astype(
                np.int64
            )
            stars = (generator.integers(1, 11, len(pair)) / 2).astype(np.float32)
            file.write_batch(pa.record_batch([pair // items, pair % items, stars, moment], schema=kinds))


def _exponent(sizes: list[dict[str, Any]], field: str) -> float | None:
    """Slope of log cost over log rows; None for a single size."""
    if len(sizes) < 2:
        return None
    rows = [math.log(size["rows"]) for size in sizes]
    return round(float(np.polyfit(rows, [math.log(size[field]) for size in sizes], 1)[0]), 3)


if __name__ == "__main__":
    main()
