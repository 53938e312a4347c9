"""python -m prompts: check families of templates, show what a user is sent, and compare two prompt arms."""

from __future__ import annotations

import argparse
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from prompts.comparing import differences, parts_of
from prompts.family import load_family
from prompts.template import TemplateError

if TYPE_CHECKING:
    from collections.abc import Sequence

FINE, DIFFERS, BROKEN, USAGE, INTERRUPTED = 0, 1, 2, 2, 130
_SHIPPED = Path(str(files("prompts"))) / "families"


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog="python -m prompts",
        description="Check, show and compare prompt templates.",
        epilog="Exit codes: 0 done, or nothing differs; 1 arms differ (diff); 2 usage, or a family is broken (lint); 130 interrupted.",
    )
    commands = options.add_subparsers(dest="command", required=True, metavar="COMMAND")
    lint = commands.add_parser("lint", help="check families: grammar, placeholders, what each asks for")
    lint.add_argument(
        "families", nargs="*", metavar="FAMILY", help="name or folder (default: all that are shipped)"
    )
    show = commands.add_parser("show", help="the whole prompt of one user, as it would be sent")
    show.add_argument("arm", metavar="ARM", help="an arm of the scenario, FAMILY, or FAMILY:FEEDBACK")
    show.add_argument("--user", required=True, metavar="ID", help="id of a user of the data")
    show.add_argument(
        "--scenario",
        type=Path,
        metavar="FILE",
        help="scenario with the data, and the arms (default: the embedded data)",
    )
    show.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of the scenario",
    )
    diff = commands.add_parser("diff", help="what of two arms differs, text by text")
    for name in ("first", "second"):
        diff.add_argument(name, metavar="ARM", help="FAMILY, or FAMILY:FEEDBACK")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    options = parser().parse_args(arguments)
    try:
        if options.command == "lint":
            return _lint(options.families)
        if options.command == "diff":
            return _diff(options.first, options.second)
        return _show(options)
    except TemplateError as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _lint(names: Sequence[str]) -> int:
    broken = 0
    for name in names or sorted(folder.name for folder in _SHIPPED.iterdir() if folder.is_dir()):
        try:
            family = load_family(name)
        except TemplateError as mistake:
            broken += 1
            print(f"error: {mistake}", file=sys.stderr)
            continue
        print(f"{name}: {len(family.templates)} templates" + ", title-blind" * family.blind)
        for template in family.templates:
            asks = family.asks.get(template)
            wanted = (
                []
                if asks is None
                else [what for what in ("accept", "rank", "yes_or_no") if getattr(asks, what)]
            )
            by = "" if asks is None or asks.form == "titles" else f", by {asks.form}"
            told = f", asks to {' and '.join(wanted)}{by}" if wanted else ""
            print(f"  {template}: {family.modules[template]}, {family.templates[template].hash[:12]}{told}")
    return BROKEN if broken else FINE


def _show(options: argparse.Namespace) -> int:
    # This command looks up the house: only the simulator knows users, histories and slates. Only here: it takes a second.
    from simulator.showing import MISTAKES, prompt_of

    try:
        found = prompt_of(options.arm, options.user, options.scenario, options.overrides)
    except MISTAKES as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        return USAGE
    for line in found.lines():
        print(line)
    return FINE


def _diff(first: str, second: str) -> int:
    lines = list(differences(parts_of(first), parts_of(second)))
    for line in lines or [f"{first} and {second}: nothing differs"]:
        print(line)
    return DIFFERS if lines else FINE


if __name__ == "__main__":
    sys.exit(main())
