"""Finished runs beside each other: the same users, paired, where all that is not compared agrees."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from recommender.trained_directory import read_json
from simulator.measures.arms import compared
from simulator.measures.per_user import per_user
from simulator.scenario import arms_of, load
from simulator.scenario.declared import declared, metrics_of
from simulator.scenario.study_plan import StudyPlan
from simulator.transcript.directory import RunDirectory
from simulator.transcript.turns import TranscriptError, read_turns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from simulator.scenario import Arm, Scenario
    from simulator.transcript.turns import Turn


class MismatchError(ValueError):
    """Runs that cannot be compared: which, in what they differ, and what to do."""


@dataclass
class _Run:
    """What is read of one run. A user's first turn, which need not be in the first round, has targets that do not depend on answers."""

    path: Path
    label: str
    """Of its arms, beside those of other runs; "" where they keep their names."""
    scenario: Scenario
    data: str
    """Hash of the data."""
    targets: dict[str, frozenset[str]] = field(default_factory=dict)
    """By user, in its first turn."""
    asked: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    """By arm and user, the candidates in the order that was shown, in its first turn there."""

    @property
    def arms(self) -> list[Arm]:
        """With names that no other run has."""
        return [replace(arm, name=self._name(arm.name)) for arm in arms_of(self.scenario)]

    @property
    def renamed(self) -> dict[str, str]:
        """The recorded name of each arm -> its name beside other runs."""
        return {
            recorded: name
            for arm, own in zip(arms_of(self.scenario), self.arms, strict=True)
            for recorded, name in zip(arm.lengths, own.lengths, strict=True)
        }

    def table(self, scenario: Scenario) -> pd.DataFrame:
        """One row per (arm, list, user), measured as `scenario` says; notes targets and slates on the way."""
        table = per_user(self._tested(), scenario)
        return table.assign(arm=table["arm"].map(self.renamed))

    def _name(self, arm: str) -> str:
        return ": ".join(filter(None, (self.label, arm)))

    def _tested(self) -> Iterator[Turn]:
        names = self.renamed
        for turn in read_turns(RunDirectory(self.path).turns):
            if turn.phase != "test":
                continue
            self.targets.setdefault(turn.user_id, frozenset(turn.targets))
            self.asked.setdefault(names[turn.arm], {}).setdefault(turn.user_id, turn.shown)
            yield turn


def compare_runs(paths: Sequence[Path], primary: str | None = None) -> dict[str, Any]:
    """`against_reference` and `study` as in a summary, over the users that all runs have, with `runs` and `notes`.

    The first arm of the first run is the reference. One run alone is compared as its scenario declared. Raises MismatchError where
    data, targets, kind of slates or length of lists differ, or no user or cutoff is shared.
    """
    runs = _read(paths)
    first, notes = runs[0], list[str]()
    _check_alike(runs)
    scenario = _measured_as(runs, primary, notes)
    table = pd.concat([run.table(scenario) for run in runs], ignore_index=True)
    users = _users(runs, notes)
    _check_targets(runs, users)
    plan = declared(scenario, [arm for run in runs for arm in run.arms])
    if len(runs) > 1:
        plan = replace(plan, planned_users=len(users))
    if len(runs) > 1 or primary is not None:
        plan = replace(plan, by_scenario=False)
    if not plan.references:
        raise MismatchError(
            f"{first.path}: nothing to compare it with; give a second run, or a run that has arms (of the same history lengths)"
        )
    _note_slates(runs, plan.references, users, notes)
    found = compared(table[table["user_id"].isin(users)], plan, scenario.seed)
    return {"runs": [str(path) for path in paths], "notes": notes, **found}


def _read(paths: Sequence[Path]) -> list[_Run]:
    names = [path.resolve().name for path in paths]
    labels = names if len(set(names)) == len(names) else [str(path) for path in paths]
    if len(set(labels)) < len(labels):
        raise MismatchError(f"{paths[0]}: a run is given twice; name each run once")
    runs = []
    for path, label in zip(paths, labels, strict=True):
        directory = RunDirectory.begun(path)
        if not directory.complete:
            raise TranscriptError(
                f"{path}: this run is not finished; go on with it first: python -m simulator.run --resume {path}"
            )
        data = read_json(directory.manifest)["hashes"]["data"]
        runs.append(_Run(path, label if len(paths) > 1 else "", load(directory.scenario), data))
    return runs


def _check_alike(runs: Sequence[_Run]) -> None:
    first, *others = runs
    for run in others:
        both = f"{first.path} and {run.path}"
        if run.data != first.data:
            raise MismatchError(
                f"{both} were made on other data (hash {first.data[:12]} and {run.data[:12]}): their users are not the same "
                "people; run one of them again with the data section of the other"
            )
        sources = first.scenario.slates.source, run.scenario.slates.source
        if sources[0] != sources[1]:
            raise MismatchError(
                f"{both} have slates of {' and '.join(sources)}: they measure different things"
            )
        lengths = first.scenario.list_length, run.scenario.list_length
        if lengths[0] != lengths[1]:
            raise MismatchError(
                f"{both} have final lists of {lengths[0]} and {lengths[1]} places (n): a longer one hits more; run one of them again"
            )


def _measured_as(runs: Sequence[_Run], primary: str | None, notes: list[str]) -> Scenario:
    """The scenario of the first run, with what all runs measure and what is compared here."""
    first = runs[0].scenario.model_copy(update={"cutoffs": _cutoffs(runs, notes)})
    known = metrics_of(first)
    if primary is not None and primary not in known:
        raise MismatchError(f"--primary should be one of {', '.join(known)}, not {primary!r}")
    study = first.study or StudyPlan()
    metric = primary or (study.primary if study.primary in known else None)
    changes: dict[str, Any] = {"primary": metric}
    if len(runs) > 1:
        changes |= {"family": None, "planned_users": None}  # declared of the arms of one run
    elif primary is None:
        return first
    measured = first.model_copy(update={"study": study.model_copy(update=changes)})
    if declared(measured).metric == declared(runs[0].scenario).metric:
        return measured
    # Declared in units of the metric that was primary then.
    changes["smallest_effect"] = None
    return first.model_copy(update={"study": study.model_copy(update=changes)})


def _cutoffs(runs: Sequence[_Run], notes: list[str]) -> tuple[int, ...]:
    if runs[0].scenario.slates.source == "held_out":
        return runs[0].scenario.cutoffs  # not used
    each = [set(run.scenario.cutoffs) for run in runs]
    shared = sorted(set.intersection(*each))
    if not shared:
        raise MismatchError(f"{' and '.join(str(run.path) for run in runs)} have no cutoff in common")
    if any(own != each[0] for own in each):
        notes.append(f"cutoffs: {', '.join(map(str, shared))}, which all runs have")
    return tuple(shared)


def _users(runs: Sequence[_Run], notes: list[str]) -> set[str]:
    shared = set.intersection(*(set(run.targets) for run in runs))
    if not shared:
        raise MismatchError(
            f"{' and '.join(str(run.path) for run in runs)} have no user in common; give them the same seed, or more users"
        )
    left = [
        f"{len(run.targets) - len(shared):,} of {run.label or run.path}"
        for run in runs
        if len(run.targets) > len(shared)
    ]
    if left:
        notes.append(f"users: the {len(shared):,} that all runs have; left out: {', '.join(left)}")
    rounds = [run.scenario.rounds for run in runs]
    if len(set(rounds)) > 1:
        notes.append(
            f"rounds differ ({', '.join(map(str, rounds))}): a user's metrics are means over its own"
        )
    return shared


def _check_targets(runs: Sequence[_Run], users: set[str]) -> None:
    first, *others = runs
    for run in others:
        differing = [user for user in sorted(users) if run.targets[user] != first.targets[user]]
        if differing:
            raise MismatchError(
                f"{first.path} and {run.path} hold out other items, of {len(differing):,} of {len(users):,} users (first: "
                f"{differing[0]}); run one of them again with the data section of the other"
            )


def _note_slates(
    runs: Sequence[_Run], references: Mapping[str, str], users: set[str], notes: list[str]
) -> None:
    # Of a population of which nobody came, nothing is known.
    asked = defaultdict[str, dict[str, tuple[str, ...]]](dict)
    asked.update((arm, shown) for run in runs for arm, shown in run.asked.items())
    for arm, reference in references.items():
        same = sum(asked[arm].get(user) == asked[reference].get(user) for user in users)
        if same < len(users):
            notes.append(
                f"{arm}: {same:,} of {len(users):,} users were shown the same candidates in the same order as in {reference}; "
                "for the others more differs than what they were asked"
            )
