"""Meters on the terminal: what each audience repeats, with the null users as yardsticks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from simulator.measures.fidelity import AUDIENCE
from simulator.measures.meters import METERS, repeated

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADS = ("order shown", "popularity", "accepted", "first slot", "acc. by pop.")


def meters_table(meters: Mapping[str, Mapping[str, Any]]) -> Table:
    """The audience of every arm, and the null users of the first."""
    table = Table(
        title="meters: tau with the order shown, and with popularity; share accepted; first slot less the others; tau of acceptance "
        "with popularity",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    table.add_column("who", overflow="fold")
    for head in _HEADS:
        table.add_column(head, justify="right")
    for arm, answerers in meters.items():
        table.add_row(arm, *_cells(answerers[AUDIENCE]))
    for name, told in next(iter(meters.values())).items():
        if name != AUDIENCE:
            table.add_row(null_label(meters, name), *_cells(told))
    return table


def null_label(meters: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """A null user of the first arm, whose name it has where that of another arm differs: by its slates, or by what is asked."""
    first, *others = meters
    alike = all(meters[arm].get(name) == meters[first][name] for arm in others)
    return f"null: {name}" if alike else f"null: {name}, {first}"


def meter_lines(meters: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What must not be overlooked, and the answers that are in no meter."""
    lines = repeated(meters)
    for arm, answerers in meters.items():
        told = answerers[AUDIENCE]
        if told["unusable"]:
            lines.append(
                f"{arm}: {told['unusable']:,} of {told['turns']:,} turns have no answer that can be used, and are in no meter"
            )
    return lines


def _cells(told: Mapping[str, Any]) -> list[str]:
    return [_cell(told[name], share=name == "acceptance") for name in METERS]


def _cell(value: Mapping[str, Any] | None, *, share: bool) -> str:
    if value is None:
        return "n/a"
    form = ".2f" if share else "+.2f"
    mean = format(value["mean"], form)
    return (
        mean
        if value["low"] is None
        else f"{mean}\n{format(value['low'], form)},{format(value['high'], form)}"
    )
