"""What a person sees of a job: names as they are, on a terminal and where there is none."""

from io import StringIO

import pytest
from rich.console import Console

from recommender.stages import Stages, plain_console

NAMES = ("UiM [k=3], seed 0", "[/x]", "a :smile:")


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_brackets_is_no_markup(name, terminal):
    told = StringIO()
    stages = Stages(Console(file=told, force_terminal=terminal, color_system=None, width=100))
    with stages.stage(name) as advance:
        advance(1, 2, name)
    assert f"{name}: {stages.seconds[name]:.1f} s" in told.getvalue()


def test_a_plain_console_prints_what_it_is_given(capsys):
    for name in NAMES:
        plain_console().print(name)
    assert capsys.readouterr().out.splitlines() == list(NAMES)
