"""The world over sessions: curves for a page, a table for the terminal and for papers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import altair as alt
import pandas as pd
from rich import box
from rich.table import Table as TerminalTable

from recommender.study.style import MUTED, PALETTE, SHAPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Measure(NamedTuple):
    """How a measure is spoken of."""

    title: str
    form: str
    """Of its numbers."""


MEASURES = {
    "acceptance": Measure("accepted of what was proposed", ".2f"),
    "acceptance_shown": Measure("accepted of what was shown", ".2f"),
    "hr": Measure("HR against the future", ".3f"),
    "ndcg": Measure("NDCG against the future", ".3f"),
    "diversity": Measure("intra-list diversity", ".3f"),
    "entropy_shown": Measure("entropy of genres shown, bits", ".2f"),
    "entropy_accepted": Measure("entropy of the last ten accepted, bits", ".2f"),
    "novelty": Measure("novelty, bits", ".2f"),
    "popularity_lift": Measure("popularity lift", ".2f"),
    "coverage": Measure("catalogue coverage", ".3f"),
    "gini": Measure("Gini of exposure", ".3f"),
    "satisfaction": Measure("satisfaction", ".2f"),
    "retention": Measure("retention", ".2f"),
    "users": Measure("users who came", ".0f"),
}
"""In the order of the figures; docs/rounds.md says what each is."""
SAYS = (
    "A line is the mean over replicates of the world, its band the 95 % interval over them (none of one replicate). HR and NDCG look "
    "for held-out items that were not yet shown; entropy and diversity fall where lists narrow; lift above 1 and a rising Gini say "
    "that popular items take over."
)
_COLUMNS, _WIDTH, _HEIGHT = 2, 215, 110
"""Two side by side can be read on a phone, too."""


def curves_chart(sessions: Mapping[str, Any]) -> alt.TopLevelMixin | None:
    """A panel for each measure, a line for each arm; None where nothing was measured over sessions."""
    arms = list(sessions)
    if not arms:
        return None
    colour = alt.Color(
        "arm:N",
        sort=arms,
        title=None,
        scale=alt.Scale(domain=arms, range=_palette(len(arms))),
        # Else as pale as the band.
        legend=alt.Legend(symbolOpacity=1),
    )
    panels = []
    for name, measure in MEASURES.items():
        rows = [
            {
                "arm": arm,
                "session": point["session"],
                "mean": point["mean"],
                "low": point["mean"] if point["low"] is None else point["low"],
                "high": point["mean"] if point["high"] is None else point["high"],
            }
            for arm, measures in sessions.items()
            for point in measures.get(name, ())
        ]
        if not rows:
            continue
        base = alt.Chart(pd.DataFrame(rows)).encode(
            x=alt.X("session:Q", title="session", axis=alt.Axis(format="d", tickMinStep=1, tickCount=4)),
            color=colour,
        )
        scale = alt.Scale(zero=False)
        band = base.mark_area(opacity=0.18).encode(y=alt.Y("low:Q", title=None, scale=scale), y2="high:Q")
        line = base.mark_line(strokeWidth=2).encode(y=alt.Y("mean:Q", title=None, scale=scale))
        point = base.mark_point(filled=True, size=28, opacity=1).encode(
            y=alt.Y("mean:Q", scale=scale),
            shape=alt.Shape(
                "arm:N", sort=arms, title=None, scale=alt.Scale(domain=arms, range=_shapes(len(arms)))
            ),
            tooltip=["arm:N", "session:Q", "mean:Q", "low:Q", "high:Q"],
        )
        heading = alt.TitleParams(
            measure.title, fontSize=12, fontWeight="bold", anchor="start", frame="group"
        )
        panels.append(alt.layer(band, line, point).properties(width=_WIDTH, height=_HEIGHT, title=heading))
    chart: alt.TopLevelMixin = alt.concat(*panels, columns=_COLUMNS).resolve_scale(y="independent")
    return chart


def _palette(count: int) -> list[str]:
    return [(*PALETTE, MUTED)[at % (len(PALETTE) + 1)] for at in range(count)]


def _shapes(count: int) -> list[str]:
    return [SHAPES[at % len(SHAPES)] for at in range(count)]


def _ends(
    measures: Mapping[str, Sequence[Mapping[str, Any]]], name: str
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """The measure at the first session and the last; None where it is not known, as of a session to which nobody came."""
    sessions = {point["session"] for points in measures.values() for point in points}
    points = {point["session"]: point for point in measures.get(name, ())}
    return points.get(min(sessions)), points.get(max(sessions))


def sessions_rows(summary: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A row for each arm and measure, as printed and as numbers: first and last session, and what the arm is over its reference."""
    shown, values = [], []
    against = summary.get("sessions_against_reference", {})
    for arm, measures in summary["sessions"].items():
        for name, measure in MEASURES.items():
            points = measures.get(name)
            if not points:
                continue
            first, last = _ends(measures, name)
            entry = against.get(arm, {}).get(name, {})
            shown.append(
                {
                    "arm": arm,
                    "measure": measure.title,
                    "first": _cell(first, measure.form) or "n/a",
                    "last": _cell(last, measure.form) or "n/a",
                    "over reference, last": _cell(entry.get("last"), f"+{measure.form}"),
                    "over reference, all": _cell(entry.get("mean"), f"+{measure.form}"),
                }
            )
            values += [{"arm": arm, "measure": name, **point} for point in points]
    return shown, values


def sessions_table(summary: Mapping[str, Any]) -> TerminalTable:
    """For the terminal: a row for each measure, and in it of each arm the first session and the last."""
    sessions, against = summary["sessions"], summary.get("sessions_against_reference", {})
    table = TerminalTable(
        title="the world, first session -> last; minus the reference over all sessions, 95 % over replicates",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    table.add_column("measure", overflow="fold")
    for arm in sessions:
        table.add_column(arm, justify="right")
        if arm in against:
            table.add_column(f"minus {next(iter(against[arm].values()))['reference']}", justify="right")
    for name, measure in MEASURES.items():
        cells = []
        for arm, measures in sessions.items():
            form = measure.form
            ends = ["n/a" if end is None else format(end["mean"], form) for end in _ends(measures, name)]
            cells.append(" -> ".join(ends) if measures.get(name) else "n/a")
            if arm in against:
                cells.append(_cell(against[arm].get(name, {}).get("mean"), f"+{form}"))
        table.add_row(measure.title, *cells)
    return table


def _cell(told: Mapping[str, Any] | None, form: str) -> str:
    if told is None:
        return ""
    mean = format(told["mean"], form)
    if told["low"] is None:
        return mean
    return f"{mean} [{format(told['low'], form)}, {format(told['high'], form)}]"
