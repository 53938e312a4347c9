"""The figures of a case study by Vega-Lite, after the paper's Fig. 5 to 7."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import altair as alt
import pandas as pd

from recommender.study.style import ACCENT, INK, MUTED, PALETTE, styled
from simulator.case_study.words import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from simulator.case_study.cases import Case, CaseStudy

_CELL, _ROW = 52, 17
"""Of a heat map, and of a row of items, in points."""
_LABEL = 300
"""The longest title, in points; a longer one is cut."""
_PLACES = 230
"""Width of a panel of places in a list, in points."""
_PIXELS = 3
"""Of a PNG for each point: sharp on paper."""
_Panel = alt.LayerChart | alt.FacetChart
_JUDGED = {"accepted": PALETTE[2], "undecided": PALETTE[4], "rejected": PALETTE[1]}


class CaseFigure(NamedTuple):
    """One figure."""

    name: str
    """Of its files."""
    title: str
    chart: alt.VConcatChart


def case_figures(study: CaseStudy) -> Iterator[CaseFigure]:
    """Profile weights, interests, and what the audience did, each of both users."""
    for name, title, says, panels in (
        (
            "fig5_profile_weights",
            "Profile weights of each interest",
            "x_k of Eq. 9, from 0 to 1; interests by the genres of the history items routed to them",
            [alt.hconcat(*(_weights(case, study) for case in study.cases), spacing=40)],
        ),
        (
            "fig6_interests",
            "Interests: the history they are made of, and what they propose",
            "Left: share of an item that is routed to an interest (Eq. 6), oldest first; right: the interest that scores highest",
            [
                alt.hconcat(_history(case), _candidates(case), spacing=30).resolve_scale(color="independent")
                for case in study.cases
            ],
        ),
        (
            "fig7_audience",
            "What the simulated user changes",
            f"{plain(study.client)}; hollow: place in the recommender's list, filled: in the {study.n} shown; * held out, taken later",
            [alt.hconcat(*(_moves(case, study.n) for case in study.cases), spacing=40)],
        ),
    ):
        yield CaseFigure(name, title, styled(alt.vconcat(*panels, spacing=30), title, says))


def write_case_figures(study: CaseStudy, folder: Path) -> list[Path]:
    """Write each as SVG, PNG and its Vega-Lite specification, from which others can restyle it; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for figure in case_figures(study):
        for ending in ("svg", "png", "json"):
            file = folder / f"{figure.name}.{ending}"
            figure.chart.save(file, scale_factor=_PIXELS if ending == "png" else 1)
            written.append(file)
    return written


def _weights(case: Case, study: CaseStudy) -> _Panel:
    rows = [
        {
            "interest": plain(interest.label),
            "field": _field(name, case),
            "weight": round(weight, 4),
            "told": f"{weight:.2f}",
        }
        for interest in case.interests
        for name, weight in interest.weights.items()
    ]
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("field:N", sort=None, title=None, axis=alt.Axis(labelAngle=-40, labelLimit=200)),
        y=alt.Y("interest:N", sort=None, title="interest", axis=alt.Axis(labelLimit=200)),
    )
    scale = alt.Scale(domain=[0, 1], range=["#ffffff", ACCENT], interpolate="rgb")
    legend = alt.Legend(title="weight", gradientLength=120)
    cells = base.mark_rect(stroke="white").encode(color=alt.Color("weight:Q", scale=scale, legend=legend))
    words = base.mark_text(fontSize=11).encode(
        text="told:N", color=alt.condition("datum.weight > 0.6", alt.value("white"), alt.value(INK))
    )
    return alt.layer(cells, words, title=_name(case)).properties(
        width=_CELL * len(study.fields), height=_CELL * len(case.interests) * 0.7
    )


def _history(case: Case) -> _Panel:
    labels = _labels([(item.title, item.genres) for item in case.history])
    rows: list[dict[str, object]] = [
        {
            "item": label,
            "interest": str(number),
            "share": round(share, 4),
            "told": f"{share:.2f}" if number == item.interest else "",
        }
        for label, item in zip(labels, case.history, strict=True)
        for number, share in enumerate(item.routing, start=1)
    ]
    return _grid(case, rows, labels, "share", f"{_name(case)}: history", [0, 1], ACCENT)


def _candidates(case: Case) -> _Panel:
    labels = _labels([(item.title, item.genres) for item in case.candidates])
    rows: list[dict[str, object]] = [
        {
            "item": label,
            "interest": str(number),
            "score": round(like, 4),
            "told": f"{like:.2f}" if number == item.interest else "",
        }
        for label, item in zip(labels, case.candidates, strict=True)
        for number, like in enumerate(item.likes, start=1)
    ]
    scores = [like for item in case.candidates for like in item.likes]
    domain = [min(scores, default=0.0), max(scores, default=1.0)]
    return _grid(case, rows, labels, "score", f"{_name(case)}: proposed", domain, PALETTE[2])


def _grid(
    case: Case,
    rows: Sequence[dict[str, object]],
    labels: Sequence[str],
    value: str,
    title: str,
    domain: Sequence[float],
    colour: str,
) -> _Panel:
    """Items over interests; the value is printed at the interest that an item belongs to."""
    columns = ["item", "interest", value, "told"]
    base = alt.Chart(pd.DataFrame(rows, columns=columns)).encode(
        x=alt.X("interest:N", sort=None, title="interest", axis=alt.Axis(labelAngle=0, orient="top")),
        y=alt.Y("item:N", sort=list(labels), title=None, axis=alt.Axis(labelLimit=_LABEL, labelFontSize=10)),
    )
    scale = alt.Scale(domain=list(domain), range=["#ffffff", colour], interpolate="rgb")
    legend = alt.Legend(title=value, gradientLength=90)
    cells = base.mark_rect(stroke="white").encode(color=alt.Color(f"{value}:Q", scale=scale, legend=legend))
    words = base.mark_text(fontSize=10, color=INK).encode(text="told:N")
    return alt.layer(cells, words, title=title).properties(
        width=44 * len(case.interests), height=_ROW * max(1, len(labels))
    )


def _moves(case: Case, n: int) -> _Panel:
    """From the place in the recommender's list to the one in the list that is shown."""
    labels = _labels([(item.title + " *" * item.held_out, ()) for item in case.candidates])
    rows = [
        {"item": label, "before": item.before, "after": item.after, "judged": item.judged}
        for label, item in zip(labels, case.candidates, strict=True)
    ]
    base = alt.Chart(pd.DataFrame(rows).astype({"after": "Int64"})).encode(
        y=alt.Y("item:N", sort=labels, title=None, axis=alt.Axis(labelLimit=_LABEL, labelFontSize=10)),
        color=alt.Color(
            "judged:N",
            scale=alt.Scale(domain=list(_JUDGED), range=list(_JUDGED.values())),
            legend=alt.Legend(title="the user"),
        ),
    )
    domain = [0.5, len(rows) + 0.5]
    ticks = [*range(1, len(rows) + 1, max(1, len(rows) // 10))]
    x = alt.X(
        "before:Q", title="place in the list", scale=alt.Scale(domain=domain), axis=alt.Axis(values=ticks)
    )
    shown = base.transform_filter("isValid(datum.after)")
    end = alt.Chart(pd.DataFrame([{"n": n + 0.5}])).mark_rule(strokeDash=[3, 3], color=MUTED).encode(x="n:Q")
    return alt.layer(
        end,
        shown.mark_rule(strokeWidth=1.5, opacity=0.6).encode(x=x, x2="after:Q"),
        base.mark_point(size=40, filled=False, opacity=1).encode(x=x),
        shown.mark_point(size=60, filled=True, opacity=1).encode(x="after:Q"),
        title=_name(case),
    ).properties(width=_PLACES, height=_ROW * len(rows))


def _labels(items: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """Titles with genres, numbered: two items may have the same title."""
    return [
        plain(f"{place}. {title}" + (f" ({', '.join(genres)})" if genres else ""))
        for place, (title, genres) in enumerate(items, start=1)
    ]


def _field(name: str, case: Case) -> str:
    return plain(f"{name.replace('_', ' ')}: {case.profile[name]}")


def _name(case: Case) -> str:
    return plain(f"User {case.user_id}")
