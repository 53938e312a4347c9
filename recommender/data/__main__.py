"""`python -m recommender.data COMMAND`: what is done with data outside of a run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from recommender.data import DataError, load
from recommender.data.download import KNOWN, fetch_images, find, is_there, obtain
from recommender.data.download.progress import file_bars, image_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recommender.data.download import Source

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0 done, 1 not, 2 wrong usage, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m recommender.data", description="Data sets and pictures.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _download_options(commands.add_parser("download", help="fetch a data set, or take its files"))
    _images_options(commands.add_parser("images", help="fetch the pictures of a data set's items"))
    given = parser.parse_args(arguments)
    try:
        return int(given.run(given))
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {error.filename or 'file'}: {error.strerror or error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nstopped; what has come is kept: the same command goes on from there", file=sys.stderr)
        return INTERRUPTED
    return FAILED


def _download_options(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Fetch a data set from its publisher, or take files that you have; both are checked."
    )
    command.epilog = f"Known: {', '.join(KNOWN)}."
    command.add_argument("name", metavar="NAME", help="which, such as ml-1m")
    command.add_argument(
        "--to",
        type=Path,
        default=Path("data"),
        metavar="FOLDER",
        help="its folder is made inside this one (default: data); SCREENTEST_DATA may name it",
    )
    command.add_argument(
        "--file",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="an archive or file that you have, instead of fetching; may be repeated",
    )
    command.add_argument("--yes", action="store_true", help="agree to the terms without being asked")
    command.set_defaults(run=_download)


def _download(given: argparse.Namespace) -> int:
    source = find(given.name)
    if is_there(source, given.to):
        print(f"{given.to / source.folder} is there already")
        return DONE
    print(_terms(source), flush=True)
    if source.files and not given.file and not given.yes:
        if not sys.stdin.isatty():
            print("error: nothing was downloaded: say --yes if you agree to these terms", file=sys.stderr)
            return USAGE
        if input("Do you agree, and download it? [y/N] ").strip().lower() not in ("y", "yes"):
            print("nothing was downloaded")
            return FAILED
    with file_bars(Console(stderr=True)) as bars:
        folder = obtain(source, given.to, given.file, say=print, progress=bars)
    print(f"{source.title}: {folder}")
    return DONE


def _terms(source: Source) -> str:
    lines = [
        f"{source.title}",
        f"licence: {source.licence}",
        f"terms: {source.terms}",
        f"cite: {source.citation}",
    ]
    for remote in source.files:
        size = "" if remote.size is None else f" ({remote.size / 1e6:,.1f} MB)"
        lines.append(f"from: {remote.url}{size}")
    return "\n".join(lines)


def _images_options(command: argparse.ArgumentParser) -> None:
    command.description = "Fetch the pictures whose addresses a data set gives: slowly, and each only once."
    command.add_argument("source", metavar="SOURCE", help="as data.source of a scenario, such as amazon-2014")
    command.add_argument("--path", type=Path, metavar="PATH", help="as data.path of a scenario")
    command.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="where pictures are put")
    command.add_argument(
        "--limit", type=_count, metavar="N", help="only the first N items that have an address"
    )
    command.add_argument("--retry-failed", action="store_true", help="ask again for what failed for good")
    command.set_defaults(run=_images)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def _images(given: argparse.Namespace) -> int:
    dataset = load(given.source, given.path)
    items = dataset.items
    column = items["image"] if "image" in items else [None] * len(items)
    addresses = {
        str(item): str(image)
        for item, image in zip(items["item_id"], column, strict=True)
        if isinstance(image, str) and image.startswith(("http://", "https://"))
    }
    if not addresses:
        raise DataError(f"{dataset.label}: no item has the address of a picture")
    print(f"{dataset.label}: {len(addresses):,} of {len(items):,} items have the address of a picture")
    wanted = dict(list(addresses.items())[: given.limit])
    with image_bar(Console(stderr=True)) as bar:
        report = fetch_images(wanted, given.to, retry_failed=given.retry_failed, told=bar)
    print(f"{given.to}: {report}")
    return DONE if report.fetched + report.present else FAILED


if __name__ == "__main__":
    raise SystemExit(main())
