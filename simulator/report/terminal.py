"""The end of a run as tables on the terminal; good without colour and when piped."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from simulator.report.comparison import comparison_lines, comparison_tables
from simulator.report.curves import sessions_table
from simulator.report.fidelity import fidelity_tables, verdict_lines
from simulator.report.injection import injection_table
from simulator.report.meters import meter_lines, meters_table
from simulator.report.traffic import traffic_findings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

    from agents.llm import Caps
    from simulator.forecast import Forecast
    from simulator.measures.planned_power import PlannedPower

_TITLES = {
    "recommender": "recommender",
    "refined": "refined",
    "refined_parsed_only": " usable answers",
    "audience_alone": "audience alone",
    "echo": "null: echo",
    "random": "null: random",
    "popularity": "null: popularity",
    "oracle": "null: oracle",
    "upper_bound": "best re-ranking",
}
_VARIANTS = ("refined_parsed_only", "audience_alone")
"""Left out of the table where they equal the refined list; metrics.json has them all."""


def show(
    console: Console, summary: Mapping[str, Any], metrics: Mapping[str, Any], cutoffs: Sequence[int]
) -> None:
    """Print metrics per arm, what the audience did, and what it took."""
    console.print()
    _line(console, f"data: {summary['data']}")
    # Without arms the summary tells at its top of the one that there is.
    arms = summary.get("arms") or {"": summary}
    for client, names in _alike({name: told["client"] for name, told in arms.items()}):
        _line(console, f"audience{names}: {client}")
    _show_data(console, summary)
    if summary.get("fidelity") is not None:
        _show_fidelity(console, summary, metrics)
        return
    told_of = {name: (told["recommender"], told["refinement"]) for name, told in arms.items()}
    for recommender, names in _alike({name: told for name, (told, _) in told_of.items()}):
        _show_features(console, recommender)
        _show_recommender(console, recommender, names)
    for refinement, names in _alike({name: told for name, (_, told) in told_of.items()}):
        _show_refinement(console, refinement, names)
    _line(
        console,
        "lists of N from the same 2N: recommender = its own top N; refined = after the audience; audience alone and null "
        "users = their own order; best re-ranking = what is possible",
    )
    for arm, lists in metrics.items():
        console.print(_metrics_table(arm, lists, cutoffs, summary["data"]))
        _show_differences(console, summary["differences"][arm], f"ndcg@{cutoffs[-1]}")
    show_comparison(console, summary)
    _show_replies(console, summary["replies"])
    _show_meters(console, summary)
    _show_asking(console, summary.get("asking", {}))  # a run of before has none
    _show_cost(console, summary)


def _show_fidelity(console: Console, summary: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    _line(
        console, "slates: held-out items that the user liked, among others; no recommender, nothing refined"
    )
    for table in fidelity_tables(summary, metrics):
        console.print(table)
    show_comparison(console, summary)
    _show_replies(console, summary["replies"])
    _show_meters(console, summary)
    _show_cost(console, summary)
    for text in verdict_lines(summary):
        _line(console, text)


def _line(console: Console, text: str) -> None:
    # Not wrapped and not coloured by rich: a path or a number stays whole when piped.
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _show_data(console: Console, summary: Mapping[str, Any]) -> None:
    steps = " -> ".join(
        f"{step['step']}: {step['users']:,} users, {step['items']:,} items, {step['interactions']:,} interactions"
        for step in summary["steps"]
    )
    _line(console, steps)
    for skipped in summary["skipped"]:
        _line(
            console,
            f"left out of {skipped['file']}: {skipped['count']:,} of {skipped['rows']:,} rows ({skipped['kind']}); "
            f"first: {skipped['first'][0]}",
        )


def _show_features(console: Console, training: Mapping[str, Any]) -> None:
    for name, told in training["features"].items():
        bad = "".join(f", {count} {reason}" for reason, count in told["unreadable"].items())
        _line(
            console,
            f"{name} features: {told['source']}, {told['dim']} dimensions, {told['missing_share']:.1%} of the items "
            f"without{bad}",
        )


def _show_recommender(console: Console, training: Mapping[str, Any], whose: str) -> None:
    full = training["full_ranking"]["test"]
    _line(
        console,
        f"recommender{whose}: {training['model']} on {training['device']}, best epoch {training['best']} of "
        f"{len(training['epochs'])}, validation NDCG@10 {training['ndcg']:.4f}; test over all {full['users']} users, "
        f"whole catalogue: HR@10 {full['hr@10']:.4f}, NDCG@10 {full['ndcg@10']:.4f}",
    )
    if sampled := training["sampled_ranking"].get("test"):
        _line(
            console,
            f"the same among sampled candidates: HR@10 {sampled['hr@10']:.4f}, NDCG@10 {sampled['ndcg@10']:.4f}",
        )


def _show_refinement(console: Console, refinement: Mapping[str, Any], whose: str) -> None:
    if refinement["weight"] is None:
        _line(console, f"refinement{whose}: {refinement['policy']}")
    else:
        turns = refinement["validation_turns"]
        how = f"chosen on {turns} validation turns" if turns else "fixed by the scenario"
        _line(
            console,
            f"refinement{whose}: {refinement['policy']}, weight of the audience {refinement['weight']:.2f}, {how}",
        )


def _table(title: str) -> Table:
    """Narrow enough for 80 columns."""
    return Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False
    )


def _metrics_table(arm: str, lists: Mapping[str, Any], cutoffs: Sequence[int], data: str) -> Table:
    users = next(iter(lists.values()))[f"hr@{cutoffs[0]}"]["users"]
    table = _table(f"{arm}: {users} users, {data}; mean, 95 % interval")
    table.add_column("list", no_wrap=True)
    names = [f"{kind}@{n}" for kind in ("hr", "ndcg") for n in cutoffs]
    for name in names:
        table.add_column(name.upper(), justify="right", no_wrap=True)
    for name, entry in lists.items():
        if name in _VARIANTS and _same(entry, lists["refined"]):
            continue
        table.add_row(_TITLES.get(name, name), *(_cell(entry[metric]) for metric in names))
    return table


def _show_differences(console: Console, differences: Mapping[str, Any], metric: str) -> None:
    _line(console, f"paired over users, {metric.upper()}, 95 % interval:")
    for name, entry in differences.items():
        value = entry[metric]
        bounds = "" if value["low"] is None else f" [{value['low']:+.3f}, {value['high']:+.3f}]"
        _line(console, f"  {name.replace('_', ' ')}: {value['mean']:+.3f}{bounds}")


def show_comparison(console: Console, summary: Mapping[str, Any]) -> None:
    """Print the arms against their reference; nothing where nothing is compared."""
    for table in comparison_tables(summary, _TITLES):
        console.print(table)
    for text in comparison_lines(summary):
        _line(console, text)


def _alike(told: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    """Each different thing that is told, with the arms that it is told of where not all are meant."""
    different: list[Any] = []
    for value in told.values():
        if value not in different:
            different.append(value)
    for value in different:
        names = [name for name in told if told[name] == value]
        yield value, "" if len(different) == 1 else f" of {', '.join(names)}"


def _same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return all(first[name] == second[name] for name in second)


def _cell(value: Mapping[str, Any]) -> Text:
    text = Text(_short(value["mean"]))
    if value["low"] is not None:
        text.append(f"\n{_short(value['low'])}-{_short(value['high'])}", style="dim")
    return text


def _short(share: float) -> str:
    return f"{share:.3f}".removeprefix("0")


def _show_replies(console: Console, replies: Mapping[str, Any]) -> None:
    statuses = list(dict.fromkeys(status for entry in replies.values() for status in entry["statuses"]))
    # A column in which nothing happened is left out; summary.json has them all.
    counts = [
        count
        for count in ("missing", "duplicate", "unknown", "ambiguous")
        if any(entry[count] for entry in replies.values())
    ]
    table = _table("replies")
    table.add_column("arm, phase", no_wrap=True)
    for column in ("planned", *statuses, "fallback", "accepted", *counts):
        table.add_column(column, justify="right")
    for name, entry in replies.items():
        table.add_row(
            name,
            str(entry["planned"]),
            *(str(entry["statuses"].get(status, 0)) for status in statuses),
            str(entry["fallback"]),
            "n/a" if entry["acceptance"] is None else f"{entry['acceptance']:.1%}",
            *(str(entry[count]) for count in counts),
        )
    console.print(table)
    for name, entry in replies.items():
        if "reflections" in entry:
            told = entry["reflections"]
            _line(
                console,
                f"{name}: {told['noted']:,} of {told['asked']:,} times that a user was to sum up it did",
            )


def _show_meters(console: Console, summary: Mapping[str, Any]) -> None:
    if summary.get("sessions"):
        console.print(sessions_table(summary))
    for text in traffic_findings(summary["traffic"]) if "traffic" in summary else ():
        _line(console, text)
    if planted := summary.get("injection"):
        console.print(injection_table(planted))
    if meters := summary.get("meters"):  # a run of before has none
        console.print(meters_table(meters))
        for text in meter_lines(meters):
            _line(console, text)


def _show_asking(console: Console, asking: Mapping[str, Any]) -> None:
    """What each way of asking took for one turn, and how single calls ended where a turn has several."""
    statuses = list(
        dict.fromkeys(status for entry in asking.values() for status in entry.get("statuses", ()))
    )
    cached = any(entry["cached_tokens"] for entry in asking.values())
    masses = any(entry.get("yes_no_mass") is not None for entry in asking.values())
    table = _table(
        "asking, for each turn; statuses are of single calls" if statuses else "asking, for each turn"
    )
    table.add_column("arm, phase", no_wrap=True)
    columns = ["calls", "tokens in", *(["cached"] if cached else []), "tokens out", *statuses]
    for column in ("way", *columns, *(["yes or no"] if masses else [])):
        table.add_column(column, justify="left" if column == "way" else "right")
    names = ["calls", "prompt_tokens", *(["cached_tokens"] if cached else []), "completion_tokens"]
    for name, entry in asking.items():
        row = [_count(entry["per_turn"][field]) for field in names]
        row += [str(entry["statuses"].get(status, 0)) if "statuses" in entry else "" for status in statuses]
        if masses:
            row.append("" if entry.get("yes_no_mass") is None else f"{entry['yes_no_mass']:.1%}")
        table.add_row(name, entry["ask"], *row)
    console.print(table)
    if masses:
        _line(
            console,
            "yes or no: the share of probability that the two words have of all that could have been said",
        )


def _count(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.0f}"


def _show_cost(console: Console, summary: Mapping[str, Any]) -> None:
    calls = summary["calls"]
    uncounted = calls["calls_without_token_count"]
    _line(
        console,
        f"calls: {calls['calls']} ({calls['failed']} failed, {calls['attempts']} attempts), tokens: "
        f"{calls['prompt_tokens']:,} in, {calls['completion_tokens']:,} out"
        + (f" ({uncounted} calls without a count)" if uncounted else ""),
    )
    if (cost := summary["cost"]) is not None:
        _line(console, f"cost: {_dollars(cost['usd'], cost['prices'])}")
    stages = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in summary["seconds"].items())
    _line(console, f"time: {sum(summary['seconds'].values()):.1f} s ({stages})")
    _line(console, f"peak memory: {summary['peak_mib']:.0f} MiB")


def show_forecast(
    console: Console, forecast: Forecast, caps: Caps, power: PlannedPower | None = None
) -> None:
    """Print what a run would take, which caps it would meet, and what its comparison of arms could show."""
    console.print()
    found = ", ".join(f"{count} answered by the {source}" for source, count in forecast.at_hand.items())
    later = forecast.estimated_calls
    _line(
        console,
        f"calls to make: {forecast.calls:,}"
        + (f" ({found})" if found else "")
        + (f"; the prompts of {later:,} of them depend on answers, and are estimated" if later else ""),
    )
    replies = forecast.reply_tokens
    _line(console, f"prompt tokens: {forecast.prompt_tokens:,} ({forecast.token_counts})")
    _line(
        console,
        f"reply tokens: low {replies.low:,.0f} (each candidate named once), expected {replies.expected:,.0f} "
        f"({forecast.expected_from}), high {replies.high:,.0f} ({forecast.high_from})",
    )
    if forecast.usd is None:
        _line(console, f"cost: {_dollars(None, None)}")
    else:
        low, expected, high = forecast.usd.low, forecast.usd.expected, forecast.usd.high
        _line(
            console,
            f"cost: low ${low:,.4f}, expected ${expected:,.4f}, high ${high:,.4f} ({forecast.prices}); retries and a "
            "server's prefix cache are not counted",
        )
    for name, cap, low, high in (
        ("--max-calls", caps.calls, forecast.calls, forecast.calls),
        (
            "--max-tokens",
            caps.tokens,
            forecast.prompt_tokens + replies.low,
            forecast.prompt_tokens + replies.high,
        ),
        (
            "--max-cost",
            caps.cost,
            *((forecast.usd.low, forecast.usd.high) if forecast.usd else (math.inf, math.inf)),
        ),
    ):
        if cap is not None and high > cap:
            _line(console, f"{name} {cap} {'will' if low > cap else 'may'} stop this run before its end")
    for line in power.lines() if power is not None else ():
        _line(console, line)


def _dollars(amount: float | None, prices: str | None) -> str:
    if amount is None:
        return "unknown: no price is published for this model at this address; give your own as users.prices"
    return f"${amount:,.4f} ({prices})"
