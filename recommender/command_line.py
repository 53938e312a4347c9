"""What the commands of a recommender share: options, and mistakes told as one line."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

DONE, USAGE, INTERRUPTED = 0, 2, 130


def add_overrides(options: argparse.ArgumentParser) -> None:
    """The option `--set`, into `overrides`."""
    options.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of the scenario, such as --set recommender.device=cpu; may be repeated",
    )


def run_command(command: Callable[[], None], interrupted: str = "interrupted") -> int:
    """Run a command and return its exit code; what the user can mend is told in one line."""
    # Threads that spin while they wait starve each other wherever the cores are shared; read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Imported after the command line is read: a misspelt option need not wait for torch.
    from recommender.caching import CacheFolderError
    from recommender.data.dataset import DataError
    from recommender.models import ModelError
    from recommender.trained_directory import DirectoryError
    from scenarios.reading import ScenarioError

    try:
        command()
    except (CacheFolderError, DataError, DirectoryError, ModelError, ScenarioError) as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return INTERRUPTED
    return DONE
