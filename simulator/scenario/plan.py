"""What a scenario plans: the phases and rounds of its arms."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from simulator.scenario.arms import arms_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.scenario.arms import Arm
    from simulator.scenario.living import Population
    from simulator.scenario.schema import Scenario

VALIDATION_ROUND = 0
"""Number of the round that is played on validation items; those of the test count from 1."""


class Group(NamedTuple):
    """Turns that are proposed together: the users of one arm, at one history length, in one round."""

    arm: str
    """As it is recorded, the history length included."""
    phase: str
    replicate: int
    round: int
    users: int
    """How many; in a population that comes and goes, at the start."""


def validation_users(scenario: Scenario) -> int:
    """How many users play the validation round: none where no weight is to be chosen."""
    if scenario.refinement.policy != "fuse" or scenario.refinement.weight != "validation":
        return 0
    return max(1, round(scenario.refinement.validation_share * scenario.users.count))


def groups(scenario: Scenario) -> Iterator[Group]:
    """Every group in the order in which a run plays and records them."""
    arms = arms_of(scenario)
    for arm in arms:
        if count := validation_users(arm.scenario):
            yield from (Group(name, "validation", 0, VALIDATION_ROUND, count) for name in arm.lengths)
    for number in range(VALIDATION_ROUND + 1, VALIDATION_ROUND + 1 + scenario.rounds):
        for arm in arms:
            for name in arm.lengths:
                for replicate in range(scenario.replicates):
                    yield Group(name, "test", replicate, number, scenario.users.count)


def populations(scenario: Scenario) -> dict[str, Population]:
    """Who is there, by the name under which turns of an arm are recorded."""
    return {name: arm.scenario.population for arm in arms_of(scenario) for name in arm.lengths}


def references(arms: Sequence[Arm]) -> dict[str, str]:
    """By the recorded name of each arm but the first: the first arm's name at the same history length.

    Where both have one length only these belong together, whatever they are; what has no counterpart is left out.
    """
    first, *others = arms
    found = {}
    by_length = {length: name for name, length in first.lengths.items()}
    for arm in others:
        for name, length in arm.lengths.items():
            if length in by_length:
                found[name] = by_length[length]
            elif len(by_length) == len(arm.lengths) == 1:
                found[name] = next(iter(by_length.values()))
    return found
