"""Broken files given to every entry: a clear error, a counted skip, or, of harmless oddities, all that is in them.

What is broken, and what has to come of it, stands in benchmarks/broken. The exit code is 1 if anything else comes of any case:
data that are missing and not counted (`lost`), something written outside the cache and the target folder (`written_outside`),
a traceback, a message without file and line, a hang, or memory without bound.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from benchmarks.broken import corpus
from benchmarks.broken.checking import MEBIBYTES, SECONDS, judged
from benchmarks.recording import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.broken.checking import Verdict


def main() -> int:
    """Judge the corpus; 1 if any case failed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="without files of 100 MB and more")
    chosen = options.parse_args()
    verdicts = []
    for verdict in judged(case for case in corpus() if not (chosen.quick and case.slow)):
        verdicts.append(verdict)
        if verdict.faults:
            print(f"{verdict.case.kind}, {verdict.case.entry}: {'; '.join(verdict.faults)}", file=sys.stderr)
        elif len(verdicts) % 100 == 0:
            print(f"{len(verdicts)} cases", file=sys.stderr, flush=True)
    fields = summary(verdicts)
    record(
        f"broken-files{'-quick' if chosen.quick else ''}",
        fields,
        f"python -m benchmarks.broken_files {' '.join(sys.argv[1:])}".strip(),
    )
    return 1 if fields["failures"] else 0


def summary(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The fields of the result."""
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    by_entry: dict[str, dict[str, str]] = defaultdict(dict)
    for verdict in verdicts:
        by_entry[verdict.case.entry][verdict.case.kind] = verdict.outcome
    return {
        "cases": len(verdicts),
        "kinds": len({verdict.case.kind for verdict in verdicts}),
        "clear_errors": outcomes["clear_error"],
        "counted_skips": outcomes["counted_skip"],
        "read_in_full": outcomes["read_in_full"],
        "lost": sum(verdict.lost for verdict in verdicts),
        "written_outside": sum(bool(verdict.outside) for verdict in verdicts),
        "failures": [
            {
                "kind": verdict.case.kind,
                "entry": verdict.case.entry,
                "faults": verdict.faults,
                "message": verdict.message[:1_000],
            }
            for verdict in verdicts
            if verdict.faults
        ],
        "slowest_s": max((verdict.seconds for verdict in verdicts), default=0.0),
        "limits": f"{SECONDS:g} s each, {MEBIBYTES} MiB more memory in all",
        "not_run": None if os.geteuid() else "files that may not be read: root may read everything",
        "outcomes": by_entry,
    }


if __name__ == "__main__":
    raise SystemExit(main())
