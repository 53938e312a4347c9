"""The figure of a study: a line over a swept number or over history lengths, dots for arms; by Vega-Lite."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import altair as alt
import pandas as pd

from recommender.study.measuring import metric_names
from recommender.study.results import WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recommender.study.directory import StudyDirectory

_FONT = "Helvetica Neue, Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif"
_INK, _MUTED, _GRID = "#1a1a1a", "#5c5c5c", "#e6e6e6"
_ACCENT = "#0072B2"
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours, told apart by colour-blind readers, without the yellow that white paper swallows."""
_SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right")
_WIDTH, _HEIGHT, _ROW = 300, 240, 34
_SCALE = 3
"""Pixels of the PNG for each point: sharp on paper and on dense screens."""
_BEYOND, _WITHIN = "interval leaves 0 out", "interval holds 0"

_Layers = alt.LayerChart | alt.Chart


def write_figure(results: Mapping[str, Any], directory: StudyDirectory) -> None:
    """Write figure.svg, figure.png and the Vega-Lite specification figure.json."""
    chart = figure(results)
    chart.save(directory.figure("json"))
    chart.save(directory.figure("svg"))
    chart.save(directory.figure("png"), scale_factor=_SCALE)


def figure(results: Mapping[str, Any]) -> alt.TopLevelMixin:
    """The chart of results.json.

    Where histories were shortened: a panel for each metric, over the length. Else the first cut-off's HR and NDCG side by
    side: a line over the number that was swept (the paper's Fig. 3 and 4), or a row of dots for each arm.
    """
    if results["test_by_length"]:
        names = metric_names(results["cutoffs"])
        panels = [_over_lengths(results, name) for name in names]
        rows = [alt.hconcat(*panels[n : n + 2], spacing=40) for n in range(0, len(panels), 2)]
        chart: Any = alt.vconcat(*rows, spacing=30)
    else:
        draw = _over_number if results["swept"] else _dots
        names = metric_names(results["cutoffs"][:1])
        chart = alt.hconcat(*(draw(results, name, first=n == 0) for n, name in enumerate(names)), spacing=40)
    return _styled(chart, results)


def _over_number(results: Mapping[str, Any], metric: str, *, first: bool) -> _Layers:
    """Mean and interval band of one metric over the swept number."""
    key, values = results["swept"]["key"], results["swept"]["values"]
    rows = [{"x": values[arm], **found["metrics"][metric]} for arm, found in results["test"]["arms"].items()]
    word = key.rpartition(".")[2].replace("_", " ")
    x = alt.X(
        "x:Q",
        title=f"{word} ({key})",
        scale=alt.Scale(zero=False, nice=False, padding=14),
        axis=alt.Axis(values=sorted(values.values()), format="~g", grid=False, labelOverlap=True),
    )
    base = alt.Chart(pd.DataFrame(rows)).properties(width=_WIDTH, height=_HEIGHT)
    band = base.mark_area(color=_ACCENT, opacity=0.16).encode(x, _y(metric, "low:Q"), alt.Y2("high:Q"))
    line = base.mark_line(color=_ACCENT, strokeWidth=2).encode(x, _y(metric))
    points = base.mark_point(color=_ACCENT, filled=True, size=60, opacity=1).encode(x, _y(metric))
    return alt.layer(band, line, points, title=_panel_title(metric))


def _over_lengths(results: Mapping[str, Any], metric: str) -> _Layers:
    """Mean and interval of one metric at each history length, a line for each arm."""
    lengths = results["test_by_length"]
    arms = list(results["arms"])
    order = ["whole" if length == WHOLE else length for length in lengths]
    rows = [
        {"length": shown, "arm": arm, **found["metrics"][metric]}
        for shown, by_arm in zip(order, lengths.values(), strict=True)
        for arm, found in by_arm["arms"].items()
    ]
    x = alt.X(
        "length:N",
        sort=order,
        title="interactions of the history that are read",
        axis=alt.Axis(labelAngle=0, grid=False),
    )
    several = len(arms) > 1
    legend = alt.Legend(orient="top", title=None, columns=3, labelLimit=220, symbolOpacity=1)
    colour = alt.Color(
        "arm:N",
        sort=arms,
        scale=alt.Scale(domain=arms, range=_repeated(_PALETTE, len(arms))),
        legend=legend if several else None,
    )
    shape = alt.Shape(
        "arm:N",
        sort=arms,
        scale=alt.Scale(domain=arms, range=_repeated(_SHAPES, len(arms))),
        legend=legend if several else None,
    )
    # Arms stand side by side, so that their intervals do not hide one another.
    aside = alt.XOffset("arm:N", sort=arms, scale=alt.Scale(domain=arms, paddingOuter=1.6))
    base = alt.Chart(pd.DataFrame(rows)).properties(width=_WIDTH, height=_HEIGHT)
    line = base.mark_line(strokeWidth=1.6, opacity=0.55).encode(x, aside, _y(metric), colour)
    bars = base.mark_rule(strokeWidth=1.6).encode(x, aside, _y(metric, "low:Q"), alt.Y2("high:Q"), colour)
    points = base.mark_point(filled=True, size=64, opacity=1).encode(x, aside, _y(metric), colour, shape)
    return alt.layer(line, bars, points, title=_panel_title(metric))


def _dots(results: Mapping[str, Any], metric: str, *, first: bool) -> _Layers:
    """Mean and interval of one metric, a row for each arm; filled where the paired difference to the first arm is beyond
    its interval."""
    reference = results["reference"]
    found = results["test"]["arms"]
    arms = list(found)
    rows = []
    for arm, numbers in found.items():
        difference = numbers["difference"][metric]
        low, high = difference["low"], difference["high"]
        beyond = low is not None and high is not None and (low > 0 or high < 0)
        told = "" if arm == reference else f"{difference['mean']:+.4f}"
        kind = reference if arm == reference else _BEYOND if beyond else _WITHIN
        rows.append({"arm": arm, "told": told, "kind": kind, **numbers["metrics"][metric]})
    axis = alt.Axis(
        labelLimit=260, labelPadding=10, ticks=False, domain=False, grid=True, labels=first, title=None
    )
    y = alt.Y("arm:N", sort=arms, axis=axis)
    base = alt.Chart(pd.DataFrame(rows)).properties(width=_WIDTH, height=_ROW * len(arms) + 10)
    x = alt.X("mean:Q", title=_unit(metric), scale=alt.Scale(zero=False, padding=16), axis=alt.Axis(tickCount=5))
    domain = [reference, _BEYOND, _WITHIN]
    legend = alt.Legend(orient="bottom", title=f"paired difference to {reference}: 95 %", direction="horizontal")
    fill = alt.Fill(
        "kind:N", scale=alt.Scale(domain=domain, range=[_INK, _ACCENT, "white"]), legend=legend
    )
    stroke = alt.Stroke(
        "kind:N", scale=alt.Scale(domain=domain, range=[_INK, _ACCENT, _ACCENT]), legend=legend
    )
    level = (
        base.transform_filter(alt.datum.arm == reference)
        .mark_rule(color=_INK, strokeDash=[3, 3], opacity=0.6)
        .encode(x)
    )
    bars = base.mark_rule(strokeWidth=1.8).encode(
        alt.X("low:Q", title=_unit(metric)), alt.X2("high:Q"), y, stroke
    )
    points = base.mark_point(size=80, opacity=1, strokeWidth=1.8).encode(x, y, fill, stroke)
    told = base.mark_text(dy=-11, fontSize=10, color=_MUTED).encode(x, y, alt.Text("told:N"))
    return alt.layer(level, bars, points, told, title=_panel_title(metric))


def _y(metric: str, field: str = "mean:Q") -> alt.Y:
    return alt.Y(field, title=_unit(metric), scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=5))


def _unit(metric: str) -> str:
    kind, _, n = metric.partition("@")
    return f"share of users with a hit in the first {n}" if kind == "hr" else f"gain of the first {n}, 1 is ideal"


def _panel_title(metric: str) -> alt.TitleParams:
    return alt.TitleParams(metric.upper(), anchor="middle", fontSize=13, fontWeight=600, offset=8)


def _repeated(values: tuple[str, ...], count: int) -> list[str]:
    return [values[n % len(values)] for n in range(count)]


def _styled(chart: Any, results: Mapping[str, Any]) -> alt.TopLevelMixin:
    models = list(dict.fromkeys(told["model"] for told in results["arms"].values()))
    tested = next(iter(results["test_by_length"].values()), results["test"])
    seeds = len(results["seeds"])
    told = (
        f"Test, {tested['users']:,} users, full ranking; mean of {seeds} training{'s' if seeds > 1 else ''}; "
        f"{'band' if results['swept'] and not results['test_by_length'] else 'bars'}: 95 % interval over users"
    )
    title = alt.TitleParams(
        f"{', '.join(models)} on {results['data']}",
        subtitle=textwrap.wrap(told, 110),
        anchor="start",
        fontSize=16,
        subtitleFontSize=12,
        subtitleColor=_MUTED,
        subtitlePadding=5,
        offset=14,
    )
    styled: alt.TopLevelMixin = (
        chart.properties(title=title, background="white", padding=16)
        .configure(font=_FONT)
        .configure_axis(
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
            titleColor=_INK,
            labelColor=_INK,
            titlePadding=8,
            gridColor=_GRID,
            domainColor=_MUTED,
            tickColor=_MUTED,
        )
        .configure_legend(labelFontSize=12, titleFontSize=12, titleFontWeight="normal", labelColor=_INK)
        .configure_view(stroke=None)
    )
    return styled
