"""The 1:m task on the terminal: agreement with real ratings, what was accepted of each, and the verdict in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from simulator.measures.fidelity import AUDIENCE, METRICS, PARSED_ONLY
from simulator.measures.verdict import QUESTION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TITLES = {AUDIENCE: "audience", PARSED_ONLY: " usable answers"}
_HEADS = {"auc": "AUC", "accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "F1"}


def fidelity_tables(summary: Mapping[str, Any], metrics: Mapping[str, Any]) -> Iterator[Table]:
    """For each arm its measures by list, then the share accepted by real rating."""
    for arm, lists in metrics.items():
        shown = {name: entry for name, entry in lists.items() if not _repeats(name, entry, lists)}
        yield _measures(arm, shown, summary["data"])
        if (by_rating := summary["fidelity"]["by_rating"].get(arm)) is not None:
            yield _ratings({name: by_rating[name] for name in shown if name in by_rating})


def verdict_lines(summary: Mapping[str, Any]) -> list[str]:
    """The question, and the answer of each arm."""
    answers = summary["fidelity"]["verdicts"]
    return [QUESTION, *(f"  {arm}: {verdict['text']}" for arm, verdict in answers.items())]


def _repeats(name: str, entry: Mapping[str, Any], lists: Mapping[str, Any]) -> bool:
    return name == PARSED_ONLY and entry == lists[AUDIENCE]


def _measures(arm: str, lists: Mapping[str, Any], data: str) -> Table:
    users = next(iter(lists.values()))["auc"]["users"]
    table = _table(f"{arm}: {users} users, {data}; mean over users, 95 % interval")
    table.add_column("list", no_wrap=True)
    for name in METRICS:
        table.add_column(_HEADS[name], justify="right", no_wrap=True)
    for name, entry in lists.items():
        table.add_row(_title(name), *(_cell(entry.get(metric)) for metric in METRICS))
    return table


def _ratings(lists: Mapping[str, Any]) -> Table:
    first = next(iter(lists.values()))
    table = _table("share accepted, by the rating that the user really gave")
    for head in ("rating", "items"):
        table.add_column(head, justify="right", no_wrap=True)
    for name in lists:
        table.add_column(_title(name).strip().removeprefix("null: "), justify="right")
    for rating, entry in first.items():
        cells = (_cell(other.get(rating)) for other in lists.values())
        table.add_row(rating, f"{entry['items']:,}", *cells)
    return table


def _title(name: str) -> str:
    return _TITLES.get(name, f"null: {name}")


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )


def _cell(value: Mapping[str, Any] | None) -> Text:
    if value is None:
        return Text("n/a")
    text = Text(_short(value["mean"]))
    if value["low"] is not None:
        text.append(f"\n{_short(value['low'])}-{_short(value['high'])}", style="dim")
    return text


def _short(share: float) -> str:
    return f"{share:.3f}".removeprefix("0")
