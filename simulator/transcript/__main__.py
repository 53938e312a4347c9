"""python -m simulator.transcript: verify, export, import and diff the records of runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.collision import exit_on_collision

if TYPE_CHECKING:
    from collections.abc import Sequence

FINE, FOUND, USAGE, INTERRUPTED = 0, 1, 2, 130
_RUNS = Path("runs")


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog="python -m simulator.transcript",
        description="Check, share and compare the records of runs.",
        epilog="Exit codes: 0 done, whole, equal; 1 damaged (verify) or different (diff); 2 usage, or a file that cannot be "
        "read, packed or unpacked; 130 interrupted.",
    )
    commands = options.add_subparsers(dest="command", required=True, metavar="COMMAND")
    verify = commands.add_parser("verify", help="check every line of a run and that its files agree")
    verify.add_argument("run", type=Path, metavar="DIR", help="run directory")
    export = commands.add_parser("export", help="pack a finished run into one file to share")
    export.add_argument("run", type=Path, metavar="DIR", help="run directory")
    export.add_argument("file", type=Path, metavar="FILE", help="file to make, such as run.tar.gz")
    export.add_argument(
        "--weights", action="store_true", help="with the trained recommender, which a replay does not need"
    )
    unpack = commands.add_parser("import", help="unpack a packed run and verify it")
    unpack.add_argument("file", type=Path, metavar="FILE", help="what export made")
    unpack.add_argument(
        "--out", type=Path, metavar="DIR", help="folder to make (default: runs/NAME, from the file's name)"
    )
    diff = commands.add_parser("diff", help="name the first difference between two runs")
    diff.add_argument("first", type=Path, metavar="DIR")
    diff.add_argument("second", type=Path, metavar="DIR")
    for command in (verify, export, unpack, diff):
        command.add_argument(
            "--json",
            action="store_true",
            help="print what was found as JSON on standard output, all else on standard error",
        )
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    options = parser().parse_args(arguments)
    # Imported after the command line is read: a misspelt option need not wait for torch.
    from simulator.transcript import reporting
    from simulator.transcript.comparing import compare
    from simulator.transcript.packing import export
    from simulator.transcript.unpacking import import_run
    from simulator.transcript.verifying import verify

    try:
        if options.command == "verify":
            found = verify(options.run)
            reporting.show_verification(found, as_json=options.json)
            return FINE if found.whole else FOUND
        if options.command == "diff":
            compared = compare(options.first, options.second)
            reporting.show_comparison(compared, as_json=options.json)
            return FINE if compared.equal else FOUND
        if options.command == "export":
            members = export(options.run, options.file, weights=options.weights)
            reporting.show_members(options.file, members, as_json=options.json)
        else:
            out = options.out or _RUNS / options.file.name.split(".")[0]
            reporting.show_verification(import_run(options.file, out), as_json=options.json)
    except reporting.MISTAKES as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return FINE


if __name__ == "__main__":
    exit_on_collision()
    sys.exit(main())
