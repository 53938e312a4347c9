"""The arms against their reference on the terminal: sizes and intervals first, then what they rest on, then words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def comparison_tables(summary: Mapping[str, Any], titles: Mapping[str, str]) -> Iterator[Table]:
    """Differences of every list and metric; nothing where nothing is compared. `titles` names lists."""
    if not (found := summary.get("against_reference")):
        return
    compared = [name for name in next(iter(found.values())) if name != "reference"]
    measured = dict.fromkeys(
        metric for entry in found.values() for name in compared for metric in entry[name]
    )
    metrics = list(measured)[:2]  # the primary first; more would not fit, and summary.json has them
    references = dict.fromkeys(entry["reference"] for entry in found.values())
    sizes = _table(f"difference to {'; '.join(references)}: paired over users; mean, 95 % interval")
    sizes.add_column("arm", overflow="fold")
    sizes.add_column("list", no_wrap=True)
    for metric in metrics:
        sizes.add_column(metric.upper(), justify="right", no_wrap=True)
    for arm, entry in found.items():
        for number, name in enumerate(compared):
            values = (_size(entry[name].get(metric)) for metric in metrics)
            sizes.add_row("" if number else arm, titles.get(name, name), *values)
    yield sizes
    if study := summary.get("study"):  # a run of before has none
        yield _tests(found, study)


def comparison_lines(summary: Mapping[str, Any]) -> list[str]:
    """What was planned, and the finding of each arm, in words."""
    study = summary.get("study")
    return [study["text"], *(f"  {text}" for text in study["findings"].values())] if study else []


def _tests(found: Mapping[str, Any], study: Mapping[str, Any]) -> Table:
    name, metric = study["primary"]["list"], study["primary"]["metric"]
    entries = {arm: entry[name][metric] for arm, entry in found.items() if metric in entry[name]}
    discordant = any(entry["discordant"] is not None for entry in entries.values())
    heads = ["d_z", "better/equal/worse", "p", "p Holm", f"shown at {study['power']:.0%}"]
    table = _table(f"primary comparison, {metric.upper()}" + ", interim" * study["interim"])
    table.add_column("arm", overflow="fold")
    for head in heads + ["McNemar"] * discordant:
        table.add_column(head, justify="right", no_wrap=True)
    for arm, entry in entries.items():
        cells = [
            _number(entry["d_z"], "+.2f"),
            f"{entry['wins']:,}/{entry['ties']:,}/{entry['losses']:,}",
            _number(entry["p"], ".4f"),
            _number(entry["p_holm"], ".4f"),
            _number(entry["smallest_detectable"], ".4f"),
        ]
        if discordant:
            pairs = entry["discordant"]
            cells.append("n/a" if pairs is None else _number(pairs["p"], ".4f"))
        table.add_row(arm, *cells)
    return table


def _table(title: str) -> Table:
    """Narrow enough for 80 columns."""
    return Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )


def _size(value: Mapping[str, Any] | None) -> str:
    if value is None or value["mean"] is None:
        return "n/a"
    if value["low"] is None:
        return f"{value['mean']:+.3f}"
    return f"{value['mean']:+.3f} [{value['low']:+.3f}, {value['high']:+.3f}]"


def _number(value: float | None, form: str) -> str:
    return "n/a" if value is None else format(value, form)
