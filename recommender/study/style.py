"""How figures look: colours that colour-blind readers tell apart, and type that is read on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import altair as alt

INK, MUTED, ACCENT = "#1a1a1a", "#5c5c5c", "#0072B2"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito (2008), without the yellow that white paper swallows."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right")
"""Beside the colours, for print in grey."""
_GRID = "#e6e6e6"
_FONT = "Helvetica Neue, Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif"


def styled(chart: alt.VConcatChart, title: str, subtitle: str) -> alt.VConcatChart:
    """The chart with its title, in the style of all figures."""
    heading = {
        "text": title,
        "subtitle": subtitle,
        "anchor": "start",
        "fontSize": 16,
        "subtitleFontSize": 12,
        "subtitleColor": MUTED,
        "subtitlePadding": 5,
        "offset": 14,
    }
    axis = {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titleColor": INK,
        "labelColor": INK,
        "titlePadding": 8,
        "gridColor": _GRID,
        "domainColor": MUTED,
        "tickColor": MUTED,
    }
    legend = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelColor": INK}
    result: alt.VConcatChart = chart.properties(title=heading, background="white", padding=16).configure(
        font=_FONT, axis=axis, legend=legend, view={"stroke": None}
    )
    return result
