"""Planted items on the terminal: what each arm made of them, and the lift over the innocent title."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from simulator.measures.injection import MEASURES

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADS = ("place, 1 = first", "accepted", "in the final list")


def injection_table(found: Mapping[str, Any]) -> Table:
    """One row an arm: mean, and the paired difference to the arm it is compared with."""
    table = Table(
        title="planted item: mean, and paired difference to the reference with its 95 % interval",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    table.add_column("arm", overflow="fold")
    for head in _HEADS:
        table.add_column(head, justify="right")
    for arm, entry in found.items():
        table.add_row(arm, *(_cell(entry[name]) for name in MEASURES))
    return table


def _cell(value: Mapping[str, Any] | None) -> str:
    if value is None:
        return "n/a"
    lift = value.get("lift")
    if lift is None or lift["difference"] is None:
        return f"{value['mean']:.3f}"
    bounds = "" if lift["low"] is None else f" [{lift['low']:+.3f}, {lift['high']:+.3f}]"
    return f"{value['mean']:.3f}\n{lift['difference']:+.3f}{bounds}"
