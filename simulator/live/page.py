"""The page: Mesa's SolaraViz with its controls and sliders, and beside it the round, the curves and one user's dialogue."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import solara
from mesa.visualization import SolaraViz
from mesa.visualization.user_param import Slider
from mesa.visualization.utils import force_update, update_counter

from simulator.live.dialogue import dialogue
from simulator.live.views import curves_view, dialogue_view, slates_view, status_view
from simulator.live.world import LiveWorld

if TYPE_CHECKING:
    from simulator.live.session import Session

_offered: list[Session] = []
"""What is served: Solara imports the page by its name, and gives it nothing."""
_SLIDERS = "What the sliders say counts from the next Reset. They train nothing, and what was answered before is not asked again."


def offer(session: Session) -> None:
    """Say what the page is about, before it is served."""
    _offered[:] = [session]


@solara.component
def Page() -> None:  # noqa: N802 - Solara's components are named like classes
    """One visitor's page; each has a world of its own, and all have one session."""
    (session,) = _offered
    first = session.first()
    fixed: dict[str, Any] = {"session": session, "tell": force_update}
    world = solara.use_reactive(solara.use_memo(lambda: LiveWorld(**fixed, **vars(first)), []))
    solara.use_effect(lambda: world.peek().leave, [world.value])
    solara.Style(files("simulator.live").joinpath("live.css").read_text(encoding="utf-8"))
    SolaraViz(
        world,
        components=[],
        model_params={**fixed, **_sliders(session)},
        play_interval=200,
        name=f"Screentest live: {session.study.scenario.name}",
    )
    with solara.Sidebar():
        solara.v.Html(tag="p", class_="beside", children=[_SLIDERS])
    with solara.v.Html(tag="div", class_="live"):
        Round(world.value)
        Talk(world.value)


def _sliders(session: Session) -> dict[str, Any]:
    """What may change at a reset."""
    first = session.first()
    sliders: dict[str, Any] = {"arm": first.arm, "weight": None, "noise": None}
    if len(session.arms) > 1:
        sliders["arm"] = {
            "type": "Select", "label": "Arm", "value": first.arm, "values": list(session.arms)
        }  # fmt: skip
    sliders["users"] = Slider(f"Users, 1 to {first.users}", value=first.users, min=1, max=first.users, step=1)
    sliders["shown"] = Slider(f"List, 1 to {first.shown}", value=first.shown, min=1, max=first.shown, step=1)
    if first.weight is not None:
        sliders["weight"] = Slider("Answers' weight, 0 to 1", value=first.weight, min=0.0, max=1.0, step=0.05)
    if first.noise is not None:
        top = max(2.0, first.noise)
        sliders["noise"] = Slider(f"Noise, 0 to {top:g}", value=first.noise, min=0.0, max=top, step=0.1)
    return sliders


@solara.component
def Round(world: LiveWorld) -> None:  # noqa: N802 - as above
    """How the round stands, and the measures of all rounds."""
    update_counter.get()
    solara.HTML(tag="section", unsafe_innerHTML=status_view(world), classes=["round"])
    solara.HTML(
        tag="section",
        unsafe_innerHTML=curves_view(world),
        classes=["curves"],
        attributes={"aria-label": "Measures over the rounds"},
    )


@solara.component
def Talk(world: LiveWorld) -> None:  # noqa: N802 - as above
    """What one user is told, what it says, and what becomes of its slate."""
    update_counter.get()
    chosen, choose = solara.use_state(world.users[0])
    user = chosen if chosen in world.users else world.users[0]
    place = world.users.index(user)
    exchange = world.exchange(user)
    told = None if exchange is None else dialogue(exchange)
    with solara.v.Html(tag="section", class_="talk", attributes={"aria-label": "Dialogue of one user"}):
        with solara.v.Html(tag="div", class_="who"):
            solara.v.Html(tag="h2", children=["One user"])
            solara.Button(
                "Previous",
                on_click=lambda: choose(world.users[place - 1]),
                disabled=place == 0,
                outlined=True,
            )
            solara.Select("User", value=user, values=list(world.users), on_value=choose, dense=True)
            solara.Button(
                "Next",
                on_click=lambda: choose(world.users[place + 1]),
                disabled=place + 1 == len(world.users),
                outlined=True,
            )
        # Always there, with other contents: while a step is played the browser is told of changes, and cannot ask for new parts.
        solara.HTML(tag="div", unsafe_innerHTML=dialogue_view(told, world.round))
        solara.HTML(tag="div", unsafe_innerHTML=slates_view(told))
