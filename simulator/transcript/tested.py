"""The test turns of one arm of a finished run, and users of it by their ids."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from simulator.transcript.turns import TranscriptError, read_turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.transcript.directory import RunDirectory
    from simulator.transcript.turns import Turn

_NEAREST = 3


def tested_turns(run: RunDirectory, arm: str | None) -> list[Turn]:
    """As recorded; `arm` is the name that they are recorded under, None the first of the run.

    TranscriptError where the run is not finished, and naming the arms that there are where there is no such one.
    """
    if not run.complete:
        raise TranscriptError(
            f"{run.path}: this run is not finished; finish it first: python -m simulator.run --resume {run.path}"
        )
    turns = [turn for turn in read_turns(run.turns) if turn.phase == "test"]
    arms = list(dict.fromkeys(turn.arm for turn in turns))
    chosen = arms[0] if arm is None and arms else arm
    if chosen not in arms:
        raise TranscriptError(
            f"{run.turns}: no turn of an arm {chosen!r}; those of the run are {', '.join(map(repr, arms))}"
        )
    return [turn for turn in turns if turn.arm == chosen]


def require_user(run: RunDirectory, turns: Sequence[Turn], user: str) -> None:
    """TranscriptError naming the nearest ids where none of the turns is of this user."""
    users = list(dict.fromkeys(turn.user_id for turn in turns))
    if user not in users:
        near = difflib.get_close_matches(user, users, n=_NEAREST) or users[:_NEAREST]
        raise TranscriptError(
            f"{run.turns}: user {user!r} is none of the {len(users):,} simulated; did you mean {' or '.join(map(repr, near))}?"
        )
