"""The tables of a report: metrics by list, comparisons, meters, replies; for the page, for papers, and as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from simulator.measures.injection import MEASURES
from simulator.measures.meters import METERS
from simulator.report.curves import sessions_rows
from simulator.report.figures import LISTS
from simulator.report.traffic import traffic_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Table(NamedTuple):
    """One table."""

    name: str
    """Of its files."""
    title: str
    rows: pd.DataFrame
    """Text and numbers as they are printed."""
    numbers: pd.DataFrame
    """The numbers behind them."""


def tables(summary: Mapping[str, Any], metrics: Mapping[str, Any]) -> Iterator[Table]:
    """Those that the run has, in the order of the page."""
    yield _metrics(metrics)
    if found := summary.get("against_reference"):
        yield _comparison(found, summary["study"])
    if summary.get("sessions"):
        shown, values = sessions_rows(summary)
        title = "The world over sessions; mean [95 % interval over replicates]"
        yield Table("sessions", title, _frame(shown), pd.DataFrame(values))
    if traffic := summary.get("traffic"):
        shown, values = traffic_rows(traffic)
        title = f"Traffic {traffic['mode']}: difference to {traffic['control']} [95 % interval]"
        yield Table("traffic", title, _frame(shown), pd.DataFrame(values))
    yield _replies(summary["replies"])
    if meters := summary.get("meters"):
        yield _meters(meters)
    if planted := summary.get("injection"):
        yield _planted(planted)
    if asked := summary.get("asking"):
        yield _asking(asked)


def _metrics(metrics: Mapping[str, Any]) -> Table:
    rows, values = [], []
    for arm, lists in metrics.items():
        for name, entry in lists.items():
            row: dict[str, Any] = {"arm": arm, "list": LISTS.get(name, name.replace("_", " "))}
            for metric, told in entry.items():
                row[metric.upper()] = _interval(told)
                values.append({"arm": arm, "list": name, "metric": metric, **_numbers(told)})
            rows.append(row)
    return Table("metrics", "Metrics of every list; mean [95 % interval]", _frame(rows), pd.DataFrame(values))


def _comparison(found: Mapping[str, Any], study: Mapping[str, Any]) -> Table:
    rows, values = [], []
    for arm, entry in found.items():
        for name, metrics in entry.items():
            if name == "reference":
                continue
            for metric, told in metrics.items():
                primary = (name, metric) == (study["primary"]["list"], study["primary"]["metric"])
                rows.append(
                    {
                        "arm": f"{arm} - {entry['reference']}",
                        "list": LISTS.get(name, name),
                        "metric": metric.upper() + " (primary)" * primary,
                        "difference": _interval(told, signed=True),
                        "d_z": _number(told["d_z"], "+.2f"),
                        "better/equal/worse": f"{told['wins']}/{told['ties']}/{told['losses']}",
                        "p": _number(told["p"], ".4f"),
                        "p (Holm)": _number(told["p_holm"], ".4f"),
                        "detectable": _number(told["smallest_detectable"], ".4f"),
                    }
                )
                keys = (
                    "difference",
                    "low",
                    "high",
                    "d_z",
                    "sd",
                    "p",
                    "p_holm",
                    "wins",
                    "ties",
                    "losses",
                    "users",
                    "smallest_detectable",
                    "users_needed",
                )
                values.append(
                    {
                        "arm": arm,
                        "reference": entry["reference"],
                        "list": name,
                        "metric": metric,
                        **{key: told[key] for key in keys},
                    }
                )
    return Table(
        "comparison", "Arms against their reference, within users", _frame(rows), pd.DataFrame(values)
    )


def _replies(replies: Mapping[str, Any]) -> Table:
    rows = []
    for name, entry in replies.items():
        share = "n/a" if entry["acceptance"] is None else f"{entry['acceptance']:.1%}"
        counts = {key: entry[key] for key in ("missing", "duplicate", "unknown", "ambiguous")}
        rows.append(
            {
                "arm, phase": name,
                "planned": entry["planned"],
                **entry["statuses"],
                "fallback": entry["fallback"],
                "accepted": share,
                **counts,
            }
        )
    table = pd.DataFrame(rows)
    table[table.columns[1:]] = table[table.columns[1:]].fillna(0)
    whole = {column: int for column in table.columns if column not in {"arm, phase", "accepted"}}
    table = table.astype(whole)
    return Table("replies", "How replies could be read", table.astype(str), table)


def _meters(meters: Mapping[str, Any]) -> Table:
    rows, values = [], []
    for arm, answerers in meters.items():
        for who, told in answerers.items():
            rows.append(
                {"arm": arm, "who": LISTS.get(who, who), **{name.replace("_", " "): "n/a" if told[name] is None else _interval(told[name]) for name in METERS},
                 "in no meter": str(told["unusable"])}
            )  # fmt: skip
            values += [
                {"arm": arm, "who": who, "meter": name, **_numbers(told[name])}
                for name in METERS
                if told[name] is not None
            ]
    return Table("meters", "Meters; mean [95 % interval]", _frame(rows), pd.DataFrame(values))


def _planted(planted: Mapping[str, Any]) -> Table:
    rows, values = [], []
    for arm, entry in planted.items():
        row: dict[str, Any] = {"arm": arm, "reference": entry["reference"] or ""}
        for name in MEASURES:
            told = entry[name]
            row[name.replace("_", " ")] = "n/a" if told is None else _interval(told)
            lift = (told or {}).get("lift")
            row[f"lift, {name.replace('_', ' ')}"] = (
                "" if lift is None else _interval({**lift, "mean": lift["difference"]}, signed=True)
            )
            if told is not None:
                values.append(
                    {
                        "arm": arm,
                        "measure": name,
                        **_numbers(told),
                        "lift": None if lift is None else lift["difference"],
                    }
                )
        rows.append({**row, "unusable": str(entry["unusable"])})
    return Table("planted", "Planted items; place: 1 first, 0 last", _frame(rows), pd.DataFrame(values))


def _asking(asked: Mapping[str, Any]) -> Table:
    rows = [
        {
            "arm, phase": name,
            "way": entry["ask"],
            "calls": entry["calls"],
            **{
                what.replace("_", " "): entry[what]
                for what in ("prompt_tokens", "cached_tokens", "completion_tokens")
            },
            "calls a turn": entry["per_turn"]["calls"],
            "tokens a turn": _sum(entry["per_turn"]["prompt_tokens"], entry["per_turn"]["completion_tokens"]),
        }
        for name, entry in asked.items()
    ]
    table = pd.DataFrame(rows)
    shown = pd.DataFrame([{key: _whole(value) for key, value in row.items()} for row in rows])
    return Table("cost", "Calls and tokens", shown, table)


def _sum(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first + second


def _whole(value: Any) -> str:
    if value is None:
        return "unknown"
    return value if isinstance(value, str) else f"{value:,.0f}"


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows).fillna("")


def _numbers(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: told[name] for name in ("mean", "low", "high", "users")}


def _interval(told: Mapping[str, Any], *, signed: bool = False) -> str:
    form = "+.3f" if signed else ".3f"
    if told["mean"] is None:
        return "n/a"
    mean = format(told["mean"], form)
    return (
        mean if told["low"] is None else f"{mean} [{format(told['low'], form)}, {format(told['high'], form)}]"
    )


def _number(value: float | None, form: str) -> str:
    return "n/a" if value is None else format(value, form)
