"""Parts of the page as HTML; every text in them is escaped, since titles and replies may be markup."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import jinja2

from simulator.live import curves

if TYPE_CHECKING:
    from simulator.live.dialogue import Dialogue
    from simulator.live.world import LiveWorld


def status_view(world: LiveWorld) -> str:
    """What is played, how far it is, and what went wrong."""
    failed = [turn.error or turn.status for turn in world.latest if turn.status == "failed"]
    return _render("status", world=world, progress=world.progress, failed=failed)


def curves_view(world: LiveWorld) -> str:
    """Every measure that the world collects, over its rounds."""
    panels = list(curves.panels(world.datacollector.model_vars))
    return _render("curves", panels=panels, width=curves.WIDTH, height=curves.HEIGHT)


def dialogue_view(told: Dialogue | None, number: int) -> str:
    """What one user is told and says in round `number`; None where it has no part in it, and before the first, which is 0."""
    return _render("dialogue", told=told, number=number)


def slates_view(told: Dialogue | None) -> str:
    """The lists before and after; None before anything is asked."""
    return _render("slates", told=told)


def _render(name: str, **values: object) -> str:
    return _environment().get_template(f"{name}.html.jinja").render(**values)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("simulator.live", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
