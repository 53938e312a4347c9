"""The end of a run as tables on the terminal; good without colour and when piped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

_TITLES = {
    "recommender": "recommender, top N",
    "refined": "refined by the audience",
    "refined_parsed_only": "  usable answers only",
    "echo": "null user: echo",
    "random": "null user: random",
    "popularity": "null user: popularity",
    "oracle": "null user: oracle",
    "upper_bound": "best possible re-ranking",
}


def show(
    console: Console, summary: Mapping[str, Any], metrics: Mapping[str, Any], cutoffs: Sequence[int]
) -> None:
    """Print metrics per arm, what the audience did, and what it took."""
    console.print()
    console.print(f"data: {summary['data']}", highlight=False)
    console.print(f"audience: {summary['client']}", highlight=False)
    _show_recommender(console, summary)
    for arm, lists in metrics.items():
        console.print(_metrics_table(arm, lists, cutoffs, summary["data"]))
    _show_replies(console, summary["replies"])
    _show_cost(console, summary)


def _show_recommender(console: Console, summary: Mapping[str, Any]) -> None:
    training = summary["recommender"]
    full = training["full_ranking"]["test"]
    console.print(
        f"recommender: {training['model']} on {training['device']}, best epoch {training['best']} of "
        f"{len(training['epochs'])}, validation NDCG@10 {training['ndcg']:.4f}; test over all {full['users']} users, "
        f"whole catalogue: HR@10 {full['hr@10']:.4f}, NDCG@10 {full['ndcg@10']:.4f}",
        highlight=False,
    )
    refinement = summary["refinement"]
    if refinement["weight"] is not None:
        how = (
            f"chosen on {refinement['validation_turns']} validation turns"
            if refinement["validation_turns"]
            else "fixed by the scenario"
        )
        console.print(
            f"weight of the audience in the fused order: {refinement['weight']:.2f}, {how}", highlight=False
        )


def _metrics_table(arm: str, lists: Mapping[str, Any], cutoffs: Sequence[int], data: str) -> Table:
    users = next(iter(lists.values()))[f"hr@{cutoffs[0]}"]["users"]
    table = Table(
        title=f"{arm}: {users} users, {data}; mean [95 % interval over users]", title_justify="left"
    )
    table.add_column("list")
    names = [f"{kind}@{n}" for kind in ("hr", "ndcg") for n in cutoffs]
    for name in names:
        table.add_column(name.upper(), justify="right", no_wrap=True)
    for name, entry in lists.items():
        if name == "refined_parsed_only" and _same(entry, lists["refined"]):
            continue
        table.add_row(_TITLES.get(name, name), *(_cell(entry[metric]) for metric in names))
    return table


def _same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return all(first[name]["mean"] == second[name]["mean"] for name in second)


def _cell(value: Mapping[str, Any]) -> Text:
    text = Text(f"{value['mean']:.3f}".removeprefix("0"))
    if value["low"] is not None:
        bounds = " ".join(f"{value[side]:.3f}".removeprefix("0") for side in ("low", "high"))
        text.append(f" [{bounds}]", style="dim")
    return text


def _show_replies(console: Console, replies: Mapping[str, Any]) -> None:
    table = Table(title="replies", title_justify="left")
    statuses = list(dict.fromkeys(status for entry in replies.values() for status in entry["statuses"]))
    counts = ("missing", "duplicate", "unknown", "ambiguous")
    for column in ("arm, phase", "planned", *statuses, "fallback", "accepted", *counts):
        table.add_column(column, justify="left" if column == "arm, phase" else "right")
    for name, entry in replies.items():
        accepted = "n/a" if entry["acceptance"] is None else f"{entry['acceptance']:.1%}"
        table.add_row(
            name,
            str(entry["planned"]),
            *(str(entry["statuses"].get(status, 0)) for status in statuses),
            str(entry["fallback"]),
            accepted,
            *(str(entry[count]) for count in counts),
        )
    console.print(table)


def _show_cost(console: Console, summary: Mapping[str, Any]) -> None:
    calls = summary["calls"]
    uncounted = calls["calls_without_token_count"]
    console.print(
        f"calls: {calls['calls']} ({calls['failed']} failed, {calls['attempts']} attempts), tokens: "
        f"{calls['prompt_tokens']:,} in, {calls['completion_tokens']:,} out"
        + (f" ({uncounted} calls without a count)" if uncounted else ""),
        highlight=False,
    )
    stages = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in summary["seconds"].items())
    console.print(f"time: {sum(summary['seconds'].values()):.1f} s ({stages})", highlight=False)
    console.print(f"peak memory: {summary['peak_mib']:.0f} MiB", highlight=False)
