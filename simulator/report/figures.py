"""The figures of a report, by Vega-Lite: what was compared, what is possible, what the audience did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import altair as alt
import pandas as pd

from recommender.study.style import ACCENT, INK, MUTED, PALETTE
from simulator.measures.fidelity import AUDIENCE, rating_order
from simulator.measures.meters import ACCEPTED_POPULARITY, ECHO, POPULARITY
from simulator.report.curves import SAYS, curves_chart
from simulator.report.meters import null_label
from simulator.report.words import without_answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WIDTH, _ROW = 340, 26
"""Of a panel, and of a row in it, in points."""
_MOST_ARMS = 6
"""Of which heat maps are drawn; summary.json has all."""
_FONT = "Helvetica Neue, Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif"
LISTS = {
    "recommender": "recommender",
    "refined": "refined",
    "audience_alone": "audience alone",
    "audience": "audience",
    "echo": "null: echo",
    "random": "null: random",
    "popularity": "null: popularity",
    "oracle": "null: oracle",
    "upper_bound": "best re-ranking",
}
"""In words, in the order of the figures."""
_STATUSES = ("ok", "repaired", "partial", "refused", "truncated", "unparseable", "failed")
_STATUS_COLOURS = ("#009E73", "#56B4E9", "#E69F00", "#CC79A7", "#D55E00", "#8c2d04", "#4d4d4d")


class Figure(NamedTuple):
    """One figure."""

    name: str
    """Of its files."""
    title: str
    says: str
    """How to read it, in a sentence or two."""
    chart: alt.TopLevelMixin


def figures(
    summary: Mapping[str, Any], metrics: Mapping[str, Any], per_user: pd.DataFrame
) -> Iterator[Figure]:
    """Those that the run has something to say in, in the order of the page."""
    makers = (
        _forest(summary),
        _paired(summary, per_user),
        _curves(summary),
        _lists(metrics),
        _statuses(summary),
        _by_slot(summary),
        _places(summary),
        _meters(summary),
        _by_rating(summary),
        _planted(summary),
    )
    for figure in makers:
        if figure is not None:
            yield figure._replace(chart=_styled(figure.chart))


def _curves(summary: Mapping[str, Any]) -> Figure | None:
    chart = curves_chart(summary.get("sessions") or {})
    return None if chart is None else Figure("sessions", "The world, session by session", SAYS, chart)


def _forest(summary: Mapping[str, Any]) -> Figure | None:
    """Paired differences of the primary metric: of arms to their reference, or of lists within the one arm."""
    rows, against, metric = [], "", ""
    if found := summary.get("against_reference"):
        study = summary["study"]["primary"]
        metric = study["metric"]
        references = list(dict.fromkeys(entry["reference"] for entry in found.values()))
        alone = len(references) == 1
        against = f" to {references[0]}" * alone
        for arm, entry in found.items():
            told = entry[study["list"]].get(metric)
            if told is not None and told["mean"] is not None:
                rows.append({"what": arm if alone else f"{arm} - {entry['reference']}", **_bounds(told)})
    else:
        for arm, pairs in summary["differences"].items():
            for name, entry in pairs.items():
                metric = "auc" if "auc" in entry else list(entry)[-1]
                rows.append({"what": f"{arm}: {name.replace('_', ' ')}", **_bounds(entry[metric])})
    if not rows:
        return None
    return Figure(
        "differences",
        f"Differences within users, {metric.upper()}",
        "A dot is the mean difference over the same users, its line the 95 % interval. A line that crosses 0 shows no difference: it says "
        "which differences these users could not rule out.",
        _interval_rows(rows, f"difference in {metric.upper()}{against}", zero=True),
    )


def _paired(summary: Mapping[str, Any], per_user: pd.DataFrame) -> Figure | None:
    """Each user with the arm, over the same user with its reference."""
    if not (found := summary.get("against_reference")):
        return None
    study = summary["study"]["primary"]
    table = per_user[per_user["list"] == study["list"]]
    values = table.pivot_table(index="user_id", columns="arm", values=study["metric"])
    rows = []
    for arm, entry in list(found.items())[:_MOST_ARMS]:
        if arm in values and entry["reference"] in values:
            pair = values[[entry["reference"], arm]].dropna().round(2)
            counted = pair.value_counts().reset_index(name="users")
            counted.columns = pd.Index(["reference", "with", "users"])
            rows.append(counted.assign(arm=arm))
    if not rows:
        return None
    scale = alt.Scale(domain=[0, 1])
    points = (
        alt.Chart(pd.concat(rows, ignore_index=True))
        .mark_circle(opacity=0.4, color=ACCENT)
        .encode(
            x=alt.X("reference:Q", title="with the reference", scale=scale),
            y=alt.Y("with:Q", title="with the arm", scale=scale),
            size=alt.Size(
                "users:Q",
                title="users",
                scale=alt.Scale(range=[12, 360]),
                legend=alt.Legend(tickCount=3, format="d"),
            ),
            tooltip=["reference:Q", "with:Q", "users:Q"],
        )
        .properties(width=170, height=170)
    )
    line = (
        alt.Chart(pd.DataFrame({"at": [0, 1]}))
        .mark_line(color=MUTED, strokeDash=[4, 3])
        .encode(x="at:Q", y="at:Q")
    )
    data = points.data
    layered = alt.layer(line, points.properties(data=alt.Undefined), data=data)
    chart = layered.facet(facet=alt.Facet("arm:N", title=None, sort=list(found)), columns=2)
    return Figure(
        "users",
        f"User by user, {study['metric'].upper()}",
        "A circle is a group of users with the same pair of values; above the dashed line the arm was better for them, below it the reference.",
        chart,
    )


def _lists(metrics: Mapping[str, Any]) -> Figure | None:
    """Before, after, null users and what is possible."""
    rows = []
    metric = list(next(iter(next(iter(metrics.values())).values())))[-1] if metrics else ""
    metric = (
        "auc" if any("auc" in entry for lists in metrics.values() for entry in lists.values()) else metric
    )
    for arm, lists in list(metrics.items())[:_MOST_ARMS]:
        rows += [
            {"arm": arm, "what": words, **_bounds(lists[name][metric]), "null": "null" in words}
            for name, words in LISTS.items()
            if name in lists and metric in lists[name]
        ]
    if not rows:
        return None
    return Figure(
        "lists",
        f"What is there, what was made of it, and what is possible, {metric.upper()}",
        "All lists are made from the same candidates. Null users know nothing (echo, random, popularity) or everything (oracle); an audience is "
        "worth as much as it stands above the first three.",
        _interval_rows(rows, metric.upper(), facet=len(metrics) > 1),
    )


def _statuses(summary: Mapping[str, Any]) -> Figure:
    rows = [
        {"what": name, "status": status, "turns": count, "order": _STATUSES.index(status)}
        for name, entry in summary["replies"].items()
        for status, count in entry["statuses"].items()
    ]
    chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_bar(height=16)
        .encode(
            y=alt.Y("what:N", title=None, sort=list(summary["replies"])),
            x=alt.X("turns:Q", title="turns", stack="zero"),
            color=alt.Color(
                "status:N",
                sort=list(_STATUSES),
                scale=alt.Scale(domain=list(_STATUSES), range=list(_STATUS_COLOURS)),
                title=None,
            ),
            order="order:Q",
            tooltip=["what:N", "status:N", "turns:Q"],
        )
        .properties(width=_WIDTH, height=_ROW * len(summary["replies"]))
    )
    return Figure(
        "statuses",
        "How replies could be read",
        f"ok, repaired and partial carry a decision; the others, and calls that failed, do not, and {without_answer(summary)}.",
        chart,
    )


def _by_slot(summary: Mapping[str, Any]) -> Figure | None:
    rows = [
        {"arm": arm, "slot": int(slot), **_bounds(told)}
        for arm, answerers in list(summary.get("meters", {}).items())[:_MOST_ARMS]
        for slot, told in answerers[AUDIENCE].get("by_slot", {}).items()
    ]
    if not rows:
        return None
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("slot:Q", title="place in the prompt", axis=alt.Axis(tickMinStep=1))
    )
    colour = alt.Color("arm:N", title=None, sort=None, scale=alt.Scale(range=list(PALETTE)))
    y = alt.Y("mean:Q", title="share accepted", scale=alt.Scale(domain=[0, 1]))
    band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q"), y2="high:Q", color=colour.legend(None))
    line = base.mark_line(point=True).encode(
        y=y, color=colour, tooltip=["arm:N", "slot:Q", "mean:Q", "low:Q", "high:Q"]
    )
    return Figure(
        "slots",
        "Accepted, by place in the prompt",
        "Where orders are drawn (prompts.shown: shuffled), all places hold items that are as good: a line that is not level is a bias of "
        "position. Where slates are shown as recommended, the first places hold the better items.",
        (band + line).properties(width=_WIDTH, height=200),
    )


def _places(summary: Mapping[str, Any]) -> Figure | None:
    rows = []
    for arm, answerers in list(summary.get("meters", {}).items())[:_MOST_ARMS]:
        for table in list(answerers[AUDIENCE].get("places", {}).values())[-1:]:
            for slot, counts in enumerate(table, start=1):
                total = sum(counts)
                rows += [
                    {"arm": arm, "slot": slot, "rank": rank, "share": count / total}
                    for rank, count in enumerate(counts[:-1], start=1)
                    if total
                ]
    ranked = {row["arm"] for row in rows if row["share"]}
    rows = [row for row in rows if row["arm"] in ranked]
    if not rows:
        return None
    chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_rect()
        .encode(
            x=alt.X("rank:O", title="place in the answer", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("slot:O", title="place in the prompt", axis=alt.Axis(labelOverlap=True)),
            color=alt.Color(
                "share:Q",
                title="share",
                scale=alt.Scale(scheme="blues", domainMin=0),
                legend=alt.Legend(gradientLength=200, tickCount=3),
            ),
            tooltip=["arm:N", "slot:O", "rank:O", "share:Q"],
        )
        .properties(width=165, height=165)
        .facet(
            facet=alt.Facet("arm:N", title=None, sort=list(dict.fromkeys(row["arm"] for row in rows))),
            columns=2,
        )
    )
    return Figure(
        "places",
        "Where an item stood, and where it came",
        "A diagonal from the upper left is an audience that repeats the order it was shown; an even field one that does not look at it.",
        chart,
    )


def _meters(summary: Mapping[str, Any]) -> Figure | None:
    names = {ECHO: "order shown", POPULARITY: "popularity", ACCEPTED_POPULARITY: "popularity, accepted"}
    rows = []
    meters = summary.get("meters", {})
    for arm, answerers in meters.items():
        first = arm == next(iter(meters))
        for who, told in answerers.items():
            if who == AUDIENCE or first:
                label = arm if who == AUDIENCE else null_label(meters, who)
                rows += [
                    {"what": label, "meter": words, **_bounds(told[name])}
                    for name, words in names.items()
                    if told[name] is not None
                ]
    if not rows:
        return None
    order = list(dict.fromkeys(str(row["what"]) for row in rows))
    base = alt.Chart(pd.DataFrame(rows)).encode(y=alt.Y("what:N", title=None, sort=order))
    scale = alt.Scale(domain=[-1, 1])
    colour = alt.Color(
        "meter:N", title=None, sort=list(names.values()), scale=alt.Scale(range=list(PALETTE[:3]))
    )
    shape = alt.Shape("meter:N", sort=list(names.values()), legend=None)
    rule = base.mark_rule().encode(
        x=alt.X("low:Q", scale=scale, title="Kendall's tau"), x2="high:Q", color=colour
    )
    point = base.mark_point(filled=True, size=70).encode(
        x=alt.X("mean:Q", scale=scale),
        color=colour,
        shape=shape,
        tooltip=["what:N", "meter:N", "mean:Q", "low:Q", "high:Q"],
    )
    zero = alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(color=MUTED, strokeDash=[4, 3]).encode(x="x:Q")
    return Figure(
        "meters",
        "What answers repeat",
        "1 is an audience that gives back the order it was shown, or ranks by popularity alone; 0 is one that does neither. Null users are the yardsticks.",
        (zero + rule + point).properties(width=_WIDTH, height=_ROW * len(order)),
    )


def _by_rating(summary: Mapping[str, Any]) -> Figure | None:
    if not (fidelity := summary.get("fidelity")):
        return None
    rows = [
        {"arm": arm, "who": LISTS[name], "rating": rating, **_bounds(told)}
        for arm, lists in list(fidelity["by_rating"].items())[:_MOST_ARMS]
        for name, ratings in lists.items()
        if name in {"audience", "popularity", "random"}
        for rating, told in ratings.items()
    ]
    if not rows:
        return None
    ratings = sorted({str(row["rating"]) for row in rows}, key=rating_order)
    chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_line(point=True)
        .encode(
            x=alt.X("rating:O", title="real rating", sort=ratings, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("mean:Q", title="share accepted", scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("who:N", title=None, sort=None, scale=alt.Scale(range=list(PALETTE))),
            tooltip=["arm:N", "who:N", "rating:O", "mean:Q"],
        )
        .properties(width=165, height=130)
        .facet(facet=alt.Facet("arm:N", title=None, sort=list(fidelity["by_rating"])), columns=2)
    )
    return Figure(
        "ratings",
        "Accepted, by the rating that the user really gave",
        "A rising line knows what users like; a level one does not.",
        chart,
    )


def _planted(summary: Mapping[str, Any]) -> Figure | None:
    rows = [
        {"what": arm, **_bounds({**entry["place"]["lift"], "mean": entry["place"]["lift"]["difference"]})}
        for arm, entry in (summary.get("injection") or {}).items()
        if entry["place"] is not None and entry["place"].get("lift", {}).get("difference") is not None
    ]
    if not rows:
        return None
    return Figure(
        "planted",
        "Lift of the planted item",
        "How much nearer to the first place the planted item came than under its own title: 1 is from the last place to the first.",
        _interval_rows(rows, "difference in place", zero=True),
    )


def _bounds(told: Mapping[str, Any]) -> dict[str, float]:
    """A mean with its interval; where there is none, it has no length."""
    mean = told["mean"]
    low, high = (mean if told[end] is None else told[end] for end in ("low", "high"))
    return {"mean": mean, "low": low, "high": high}


def _interval_rows(
    rows: list[dict[str, Any]], axis: str, *, zero: bool = False, facet: bool = False
) -> alt.TopLevelMixin:
    order = list(dict.fromkeys(row["what"] for row in rows))
    data = pd.DataFrame(rows)
    colour: Any = alt.value(ACCENT)
    if "null" in data:
        colour = alt.condition("datum.null", alt.value(MUTED), alt.value(ACCENT))
    base = alt.Chart(data).encode(y=alt.Y("what:N", title=None, sort=order))
    scale = alt.Scale(zero=zero)
    rule = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title=axis, scale=scale), x2="high:Q", color=colour
    )
    point = base.mark_point(filled=True, size=80, opacity=1).encode(
        x=alt.X("mean:Q", scale=scale), color=colour, tooltip=["what:N", "mean:Q", "low:Q", "high:Q"]
    )
    layers: list[alt.Chart] = [rule, point]
    if zero:
        layers.insert(
            0, alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(color=MUTED, strokeDash=[4, 3]).encode(x="x:Q")
        )
    if facet:
        faceted = alt.layer(*(each.properties(data=alt.Undefined) for each in layers), data=data).properties(
            width=150, height=_ROW * len(order)
        )
        arms = list(dict.fromkeys(data["arm"]))
        chart: alt.TopLevelMixin = faceted.facet(facet=alt.Facet("arm:N", title=None, sort=arms), columns=2)
        return chart
    return alt.layer(*layers).properties(width=_WIDTH, height=_ROW * len(order))


def _styled(chart: Any) -> Any:
    axis = {
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "titleColor": INK, "labelColor": INK,
        "gridColor": "#e6e6e6", "domainColor": MUTED, "tickColor": MUTED, "labelLimit": 240, "titlePadding": 8, "tickCount": 5,
    }  # fmt: skip
    legend = {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelColor": INK,
        "titleColor": INK,
        "orient": "bottom",
        "columns": 3,
    }
    header = {"labelFontSize": 12, "labelColor": INK, "labelFontWeight": "bold"}
    return chart.properties(background="white", padding=6).configure(
        font=_FONT, axis=axis, legend=legend, header=header, view={"stroke": None}
    )
