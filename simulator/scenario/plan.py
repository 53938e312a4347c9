"""What a scenario plans: its arms, phases and rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.scenario.schema import Scenario

VALIDATION_ROUND = 0
"""Number of the round that is played on validation items; those of the test count from 1."""


class Group(NamedTuple):
    """Turns that are proposed together: the users of one arm in one round."""

    arm: str
    phase: str
    round: int
    users: int
    """How many."""


def history_lengths(scenario: Scenario) -> dict[str, int | None]:
    """History length of each arm, by the arm's name; None keeps whole histories."""
    if scenario.cold_start.lengths is None:
        return {"history-all": None}
    return {f"history-{length}": length for length in scenario.cold_start.lengths}


def validation_users(scenario: Scenario) -> int:
    """How many users play the validation round: none where no weight is to be chosen."""
    if scenario.refinement.policy != "fuse" or scenario.refinement.weight != "validation":
        return 0
    return max(1, round(scenario.refinement.validation_share * scenario.users.count))


def groups(scenario: Scenario) -> Iterator[Group]:
    """Every group in the order in which a run plays and records them."""
    if count := validation_users(scenario):
        yield from (Group(arm, "validation", VALIDATION_ROUND, count) for arm in history_lengths(scenario))
    for number in range(VALIDATION_ROUND + 1, VALIDATION_ROUND + 1 + scenario.rounds):
        yield from (Group(arm, "test", number, scenario.users.count) for arm in history_lengths(scenario))
