"""The figure of a study: a line over a swept number or over history lengths, dots for arms; by Vega-Lite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import pandas as pd

from recommender.study.measuring import metric_names
from recommender.study.results import WHOLE
from recommender.study.style import ACCENT, INK, MUTED, PALETTE, SHAPES, styled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recommender.study.directory import StudyDirectory

_WIDTH, _HEIGHT, _ROW = 300, 240, 34
"""Of a panel, and of the row of an arm in it, in points."""
_PIXELS = 3
"""Of the PNG for each point: sharp on paper and on dense screens."""
_FACTOR = 10
"""Between the smallest and the largest swept number, from which on their axis is logarithmic."""
_Panel = alt.LayerChart | alt.FacetChart
_BEYOND, _WITHIN = "95 % interval leaves 0 out", "95 % interval holds 0"


def write_figure(results: Mapping[str, Any], directory: StudyDirectory) -> None:
    """Write figure.svg, figure.png and the Vega-Lite specification figure.json, from which others can restyle it."""
    chart = figure(results)
    chart.save(directory.figure("json"))
    chart.save(directory.figure("svg"))
    chart.save(directory.figure("png"), scale_factor=_PIXELS)


def figure(results: Mapping[str, Any]) -> alt.VConcatChart:
    """The chart of results.json.

    Where histories were shortened: a panel for each metric, over the length. Else the first cut-off's HR and NDCG side by
    side: a line over the number that was swept (the paper's Fig. 3 and 4), or a row for each arm.
    """
    names = metric_names(results["cutoffs"])
    if results["test_by_length"]:
        panels = [_over_lengths(results, name, last=name in names[-2:]) for name in names]
    elif results["swept"]:
        panels = [_over_number(results, name) for name in names[:2]]
    else:
        panels = [_rows(results, name, first=name == names[0]) for name in names[:2]]
    rows = [alt.hconcat(*panels[n : n + 2], spacing=40) for n in range(0, len(panels), 2)]
    return styled(alt.vconcat(*rows, spacing=28), *_title(results))


def _over_number(results: Mapping[str, Any], metric: str) -> _Panel:
    """One metric over the swept number: means, and a band for their intervals."""
    key, values = results["swept"]["key"], results["swept"]["values"]
    word = key.rpartition(".")[2].replace("_", " ")
    ticks = sorted(values.values())
    # What is swept by factors, such as 5, 10, 20, 50, would crowd at one end of an even scale.
    log = ticks[0] > 0 and ticks[-1] >= _FACTOR * ticks[0]
    scale = alt.Scale(type="log") if log else alt.Scale(zero=False)
    scale.nice, scale.padding = False, 14
    x = alt.X(
        "x:Q",
        title=f"{word} ({key}{', log scale' if log else ''})",
        scale=scale,
        axis=alt.Axis(values=ticks, labelExpr="datum.value", grid=False, labelOverlap="greedy"),
    )
    base = _panel([{**row, "x": values[row["arm"]]} for row in _numbers(results, metric)], _HEIGHT)
    band = base.mark_area(color=ACCENT, opacity=0.16).encode(x, _y(metric, "low:Q"), alt.Y2("high:Q"))
    line = base.mark_line(color=ACCENT, strokeWidth=2).encode(x, _y(metric))
    points = base.mark_point(size=64, opacity=1, strokeWidth=1.8).encode(x, _y(metric), *_kinds(results))
    return alt.layer(band, line, points, title=_panel_title(metric))


def _over_lengths(results: Mapping[str, Any], metric: str, *, last: bool) -> _Panel:
    """One metric at each history length, a line for each arm."""
    arms = list(results["arms"])
    rows = [
        {"length": "whole" if length == WHOLE else length, "arm": arm, **numbers["metrics"][metric]}
        for length, found in results["test_by_length"].items()
        for arm, numbers in found["arms"].items()
    ]
    x = alt.X(
        "length:N",
        sort=None,
        title="newest interactions that are read" if last else None,
        axis=alt.Axis(labelAngle=0, grid=False),
    )
    legend = (
        alt.Legend(orient="top", title=None, columns=5, labelLimit=200, symbolOpacity=1)
        if len(arms) > 1
        else None
    )
    colour = alt.Color("arm:N", scale=_scale(arms, PALETTE), legend=legend)
    shape = alt.Shape("arm:N", scale=_scale(arms, SHAPES), legend=legend)
    # Arms stand side by side, so that their intervals do not hide one another.
    aside = alt.XOffset("arm:N", scale=alt.Scale(domain=arms, paddingOuter=1))
    base = _panel(rows, _HEIGHT)
    line = base.mark_line(strokeWidth=1.6, opacity=0.55).encode(x, aside, _y(metric), colour)
    bars = base.mark_rule(strokeWidth=1.6).encode(x, aside, _y(metric, "low:Q"), alt.Y2("high:Q"), colour)
    points = base.mark_point(filled=True, size=64, opacity=1).encode(x, aside, _y(metric), colour, shape)
    return alt.layer(line, bars, points, title=_panel_title(metric))


def _rows(results: Mapping[str, Any], metric: str, *, first: bool) -> _Panel:
    """One metric of each arm, best compared by the differences within users that stand beside."""
    arms = list(results["arms"])
    axis = alt.Axis(
        labels=first, title=None, labelLimit=260, labelPadding=10, ticks=False, domain=False, grid=True
    )
    y = alt.Y("arm:N", sort=arms, axis=axis)
    x = alt.X(
        "mean:Q",
        title=_unit(metric),
        scale=alt.Scale(zero=False, nice=5),
        axis=alt.Axis(tickCount=5, labelFlush=False),
    )
    base = _panel(_numbers(results, metric), _ROW * len(arms) + 10)
    level = (
        base.transform_filter(alt.FieldEqualPredicate(field="arm", equal=results["reference"]))
        .mark_rule(color=INK, strokeDash=[3, 3], opacity=0.6)
        .encode(x)
    )
    kinds = _kinds(results)
    bars = base.mark_rule(strokeWidth=1.8).encode(
        alt.X("low:Q", title=_unit(metric)), alt.X2("high:Q"), y, kinds[1]
    )
    points = base.mark_point(size=80, opacity=1, strokeWidth=1.8).encode(x, y, *kinds)
    told = base.mark_text(align="right", fontSize=11, color=MUTED).encode(
        y, alt.Text("difference:N"), x=alt.value(_WIDTH + 58)
    )
    return alt.layer(level, bars, points, told, title=_panel_title(metric))


def _numbers(results: Mapping[str, Any], metric: str) -> list[dict[str, Any]]:
    """A row for each arm: the metric with its interval, and how it differs from the first arm's within users."""
    rows = []
    for arm, found in results["test"]["arms"].items():
        difference = found["difference"][metric]
        low, high = difference["low"], difference["high"]
        if arm == results["reference"]:
            told, kind = "difference", arm
        else:
            told = f"{difference['mean']:+.4f}".replace("-", "\N{MINUS SIGN}")
            kind = _BEYOND if low is not None and (low > 0 or high < 0) else _WITHIN
        rows.append({"arm": arm, "difference": told, "kind": kind, **found["metrics"][metric]})
    return rows


def _kinds(results: Mapping[str, Any]) -> tuple[alt.Fill, alt.Stroke]:
    """Filled points are those that differ from the first arm beyond the interval of the paired difference."""
    reference = results["reference"]
    domain = [reference, _BEYOND, _WITHIN]
    legend = alt.Legend(
        orient="bottom", direction="horizontal", title=f"paired difference to {reference}", labelLimit=260
    )
    fill = alt.Scale(domain=domain, range=[INK, ACCENT, "white"])
    stroke = alt.Scale(domain=domain, range=[INK, ACCENT, ACCENT])
    return alt.Fill("kind:N", scale=fill, legend=legend), alt.Stroke("kind:N", scale=stroke, legend=legend)


def _panel(rows: list[dict[str, Any]], height: int) -> alt.Chart:
    return alt.Chart(pd.DataFrame(rows)).properties(width=_WIDTH, height=height)


def _panel_title(metric: str) -> alt.TitleParams:
    return alt.TitleParams(metric.upper(), anchor="middle", fontSize=13, fontWeight=600, offset=8)


def _y(metric: str, field: str = "mean:Q") -> alt.Y:
    # Ends on a tick and leaves room for every label, so that panels and their titles stand in line.
    scale = alt.Scale(zero=False, nice=5)
    return alt.Y(field, title=_unit(metric), scale=scale, axis=alt.Axis(tickCount=5, minExtent=38))


def _unit(metric: str) -> str:
    kind, _, n = metric.partition("@")
    places = "first place" if n == "1" else f"first {n}"
    return (
        f"share of users with a hit, {places}" if kind == "hr" else f"discounted gain (1 = ideal), {places}"
    )


def _scale(arms: list[str], values: tuple[str, ...]) -> alt.Scale:
    return alt.Scale(domain=arms, range=[values[n % len(values)] for n in range(len(arms))])


def _title(results: Mapping[str, Any]) -> tuple[str, str]:
    """Models and data, and what the numbers are over."""
    models = list(dict.fromkeys(told["model"] for told in results["arms"].values()))
    by_length = results["test_by_length"]
    users = next(iter(by_length.values()), results["test"])["users"]
    trainings = "one training" if len(results["seeds"]) == 1 else f"mean of {len(results['seeds'])} trainings"
    mark = "band" if results["swept"] and not by_length else "bars"
    return (
        f"{', '.join(models) if len(models) < 4 else f'{len(models)} recommenders'} on {results['data']}",
        f"Test, {users:,} users, full ranking; {trainings}; {mark}: 95 % interval over users",
    )
