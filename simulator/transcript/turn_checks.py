"""Whether turns agree with the plan, the calls and the slates of their run, and the metrics with the turns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from agents.llm import Draw
from agents.reflection import REFLECTION
from recommender.trained_directory import read_json
from simulator.attendance import Attendance, accepted_share
from simulator.measures.arms import compared
from simulator.measures.injection import Planted
from simulator.measures.meters import Meters
from simulator.measures.per_user import per_user
from simulator.measures.ranking import summarise
from simulator.measures.sessions import Sessions, told_of_sessions
from simulator.measures.traffic import SharedTraffic
from simulator.scenario.declared import declared
from simulator.scenario.plan import groups, populations
from simulator.transcript.items import catalogue_of, popularity_of, read_items
from simulator.transcript.leaves import leaves
from simulator.transcript.manifest import recorded_arms
from simulator.transcript.parts import FAILED, combined_again
from simulator.transcript.turns import TranscriptError, turn_of
from simulator.transcript.users import read_users

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from simulator.measures.sessions import Catalogue
    from simulator.scenario import Scenario
    from simulator.scenario.plan import Group
    from simulator.transcript.directory import RunDirectory
    from simulator.transcript.parts import Part
    from simulator.transcript.proposals import Proposal
    from simulator.transcript.turns import Place, Turn
    from simulator.transcript.verification import Verification

_REPLAY = "restore the file from a copy, or replay the run, which writes it anew"
_RELATIVE = 1e-9
"""Numbers computed on another machine may differ in their last digits."""


class Call(NamedTuple):
    """What a turn has to agree with in the last line of its call."""

    draw: Draw
    error: str | None


class TurnChecks:
    """The checks of `turns.jsonl` and of what is derived from it."""

    def __init__(
        self,
        run: RunDirectory,
        manifest: Mapping[str, Any],
        scenario: Scenario | None,
        calls: Mapping[str, Call],
        slates: Mapping[Place, Proposal],
        found: Verification,
    ) -> None:
        self._run, self._scenario = run, scenario
        self._calls, self._slates, self._found = calls, slates, found
        self._prompts = _prompts_by_name(manifest)
        self._places: dict[Place, int] = {}
        self._shares: dict[Place, float | None] = {}
        self._asked: set[str] = set()

    def check(self) -> None:
        """Add to `found` what is wrong, in one pass over the turns."""
        found, run, scenario = self._found, self._run, self._scenario
        before = len(found.faults)
        planted = Planted()
        shared = None if scenario is None or scenario.traffic is None else SharedTraffic(scenario.traffic)
        tested = planted.watched(turn for turn in self._turns() if turn.phase == "test")
        meters = self._meters()
        watched = tested if meters is None else meters.watched(tested)
        sessions = self._sessions()
        if sessions is not None:
            watched = sessions[0].watched(watched)
        if shared is not None:
            watched = shared.watched(watched)
        table = None if scenario is None else per_user(watched, scenario)
        for _ in tested:  # without a scenario nothing else reads them
            pass
        self._check_plan()
        found.hold(
            before,
            f"{run.turns.name}: {len(self._places):,} turns, each planned one once, with a call in "
            f"{run.calls.name} and a slate in {run.proposals.name}",
        )
        if left := len(self._calls.keys() - self._asked):
            found.notes.append(
                f"{run.calls.name}: {left:,} calls belong to no turn (a run whose failed calls were made again has some)"
            )
        if scenario is not None and table is not None and len(found.faults) == before:
            self._check_metrics(summarise(table, scenario.seed))
            self._check_table(table)
            if scenario.arms is not None or scenario.sweep is not None:
                self._check_summary(
                    "the comparison of arms", "study", compared(table, declared(scenario), scenario.seed)
                )
            if planted.told(references := declared(scenario).references, scenario.seed) is not None:
                told = {"injection": planted.told(references, scenario.seed)}
                self._check_summary("planted items", "injection", told)
            if shared is not None:
                self._check_summary("shared traffic", "traffic", {"traffic": shared.told(scenario.seed)})
            if sessions is not None:
                computed = told_of_sessions(sessions[0], scenario, sessions[1])
                # Read from the file itself: what it is wrong in shows in coverage and Gini.
                del computed["catalogue"]
                self._check_summary("the world over rounds", "sessions", computed)
            if meters is not None:
                self._check_summary("meters", "meters", {"meters": meters.told(scenario.seed)})

    def _meters(self) -> Meters | None:
        """What gathers the turns; None, with a note or a fault, where nothing says how popular items are."""
        path = self._run.items
        if not path.is_file():
            self._found.notes.append(
                f"{path.name}: not there, so that meters were not checked; an earlier version ran this"
            )
            return None
        try:
            items = read_items(path)
        except TranscriptError as error:
            self._found.fault(path, None, f"{error}; {_REPLAY}")
            return None
        unknown = {item for slate in self._slates.values() for item in slate.items} - {*items.index}
        if unknown:
            self._found.fault(
                path, None, f"it lacks {len(unknown):,} items of slates, {min(unknown)} first; {_REPLAY}"
            )
            return None
        return Meters(popularity_of(items))

    def _sessions(self) -> tuple[Sessions, Catalogue] | None:
        """What gathers the turns of a world of several rounds; None of one round, of an earlier version, or with a fault."""
        run, scenario = self._run, self._scenario
        if scenario is None or scenario.rounds == 1 or not (run.summary.is_file() and run.items.is_file()):
            return None
        sizes = read_json(run.summary).get("catalogue")
        if sizes is None:
            return None
        try:
            people, items = read_users(run.users), read_items(run.items)
        except TranscriptError as error:
            self._found.fault(run.users, None, f"{error}; {_REPLAY}")
            return None
        catalogue = catalogue_of(items, sizes["items"], sizes["train_interactions"])
        return Sessions(catalogue, people, populations(scenario), scenario.seed, scenario.rounds), catalogue

    def _turns(self) -> Iterator[Turn]:
        path = self._run.turns
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    turn = turn_of(line)
                except ValueError as error:
                    self._found.fault(path, number, f"not a turn as it was written: {error}; {_REPLAY}")
                    continue
                if turn.line().encode("ascii") != line:
                    self._found.fault(path, number, f"this line is not written as turns are; {_REPLAY}")
                for fault in self._faults_of(turn):
                    self._found.fault(path, number, f"{fault}; {_REPLAY}")
                self._places.setdefault(turn.place, number)
                self._shares[turn.place] = accepted_share(turn)
                self._asked.update(turn.requests)
                if turn.reflection is not None:
                    self._asked.add(turn.reflection)
                yield turn

    def _faults_of(self, turn: Turn) -> Iterator[str]:
        where = named(turn.place)
        if turn.place in self._places:
            yield f"the turn of {where} is there twice (first in line {self._places[turn.place]})"
        yield from self._faults_of_calls(turn, where)
        slate = self._slates.get(turn.place)
        if slate is None:
            yield f"the turn of {where} has no slate in {self._run.proposals.name}"
        elif (slate.items, slate.scores, slate.sources, slate.data) != (
            turn.slate,
            turn.scores,
            turn.sources,
            turn.data,
        ):
            yield f"the slate of {where} is not the one in {self._run.proposals.name}"
        if sorted(turn.shown) != sorted(turn.slate):
            yield f"what was shown to {where} is not its slate"
        if not turn.ratings.keys() <= {*turn.slate}:
            yield f"ratings of {where} are of others than the slate's items"
        if turn.planted is not None and turn.planted not in turn.slate:
            yield f"the planted item of {where} is not in its slate"
        for name in ("ranking", "accepted", "rejected", "undecided", "final", "alone"):
            items = getattr(turn, name)
            if len({*items}) != len(items) or not {*items} <= {*turn.slate}:
                yield f"{name!r} of {where} names items twice, or others than the slate's"
        if dict(turn.templates) != self._prompts.get(turn.arm, self._prompts.get("")):
            yield f"the templates of {where} are not those of {self._run.manifest.name}"

    def _faults_of_calls(self, turn: Turn, where: str) -> Iterator[str]:
        ends: tuple[Part | Turn, ...] = turn.parts or (turn,)
        for number, part in enumerate(ends):
            call = self._calls.get(part.request)
            if call is None:
                yield f"the turn of {where} points at call {part.request[:12]}, which is not in {self._run.calls.name}"
                continue
            if call.draw != Draw(turn.user_id, turn.round, turn.replicate, number):
                yield f"the turn of {where} points at the call of {call.draw}"
            if call.error != part.error or (part.status == FAILED) is (part.error is None):
                yield f"the turn of {where} is {part.status!r}, error {part.error!r}, and its call has {call.error!r}"
        if turn.reflection is not None:
            call = self._calls.get(turn.reflection)
            if call is None or call.draw != Draw(turn.user_id, turn.round, turn.replicate, REFLECTION):
                yield f"the turn of {where} points at {turn.reflection[:12]}, which is no call in which this user summed up"
            elif turn.noted and call.error is not None:
                yield f"the turn of {where} has a note, and its call has {call.error!r}"
        if turn.ask == "listwise":
            return
        if not turn.parts or turn.request != turn.parts[0].request:
            yield f"the {turn.ask} turn of {where} does not begin with the first of its calls"
            return
        each = [[item] for item in turn.slate]
        whole = [sorted(turn.slate)] * len(turn.parts)
        if [sorted(part.shown) for part in turn.parts] != (each if turn.ask == "pointwise" else whole):
            yield f"the calls of {where} do not ask about its slate"
            return
        try:
            again = combined_again(turn)
        except (KeyError, ValueError) as error:
            yield f"the parts of {where} cannot be combined: {error}"
            return
        for name, value in again.items():
            if getattr(turn, name) != value:
                yield f"{name!r} of {where} is {getattr(turn, name)!r}, and its parts give {value!r}"

    def _check_plan(self) -> None:
        """Every planned turn, and no other, in the planned order."""
        path, found = self._run.turns, self._found
        if self._scenario is None:
            found.notes.append(f"{path.name}: not compared with the plan, which the scenario holds")
            return
        planned = list(self._planned(self._scenario))
        missing = [place for place in planned if place not in self._places]
        for place in missing:
            found.fault(path, None, f"the planned turn of {named(place)} is missing; {_REPLAY}")
        known = {*planned}
        invented = [place for place in self._places if place not in known]
        for place in invented:
            found.fault(path, self._places[place], f"no turn of {named(place)} was planned; {_REPLAY}")
        for place in self._slates.keys() - known:
            if self._slates[place].items:
                found.fault(
                    self._run.proposals, None, f"no slate of {named(place)} was planned; restore the file"
                )
        if not (missing or invented) and planned != list(self._places):
            place = next(one for one, other in zip(self._places, planned, strict=True) if one != other)
            found.fault(
                path, self._places[place], f"the turn of {named(place)} is out of its order; {_REPLAY}"
            )

    def _planned(self, scenario: Scenario) -> Iterator[Place]:
        """Places in their order; in a population that comes and goes they follow from the turns before."""
        path, found = self._run.users, self._found
        attendances: dict[tuple[str, int], Attendance] = {}
        users: dict[tuple[str, int], list[str]] = {}
        population = populations(scenario)
        people = None
        if not all(rules.still for rules in population.values()):
            try:
                people = read_users(path)
            except TranscriptError as error:
                found.fault(path, None, f"{error}; {_REPLAY}")
        for group in groups(scenario):
            if group.phase == "test":
                key = group.arm, group.replicate
                if key not in attendances:
                    attendances[key] = Attendance(
                        population[group.arm],
                        scenario.seed,
                        group.replicate,
                        people.residents if people else self._proposed_to(group),
                        people.newcomers if people else (),
                    )
                yield from self._attending(group, attendances[key])
                continue
            phase = group.phase, group.users
            if phase not in users:
                users[phase] = self._proposed_to(group)
            yield from ((*group[:4], user) for user in users[phase])

    def _attending(self, group: Group, attendance: Attendance) -> Iterator[Place]:
        shares: list[tuple[str, float | None]] = []
        for user in attendance.present(group.round):
            place = (*group[:4], user)
            slate = self._slates.get(place)
            if slate is not None and not slate.items:
                attendance.exhausted(user)
                continue
            shares.append((user, self._shares.get(place)))
            yield place
        attendance.settle(shares)

    def _proposed_to(self, group: Group) -> list[str]:
        """Who was drawn where everybody is there: the slates tell; every arm, replicate and round has the same users."""
        users = [place[4] for place in self._slates if place[:4] == group[:4]]
        if len(users) != group.users:
            self._found.fault(
                self._run.proposals,
                None,
                f"{len(users):,} users have a slate in {group.arm}, {group.phase}, round "
                f"{group.round}, and the scenario plans {group.users:,}; restore the file from a copy",
            )
        return users

    def _check_metrics(self, computed: Mapping[str, Any]) -> None:
        path, before = self._run.metrics, len(self._found.faults)
        if not path.is_file():
            return
        own = self._check_leaves(path, read_json(path), computed)
        self._found.hold(before, f"{path.name}: {own:,} values, computed again from the turns")

    def _check_summary(self, what: str, key: str, computed: Mapping[str, Any]) -> None:
        """What summary.json says under the names of `computed`; a run of before has no `key`."""
        path, before = self._run.summary, len(self._found.faults)
        if not path.is_file():
            return
        summary = read_json(path)
        if key not in summary:
            self._found.notes.append(
                f"{path.name}: {what} not checked; an earlier version made the run, with less in it"
            )
            return
        kept = {name: summary.get(name) for name in computed}
        if "traffic" in kept:
            # How challengers were trained is told beside it, and follows from no turn.
            kept["traffic"] = {
                name: value for name, value in kept["traffic"].items() if name != "challengers"
            }
        own = self._check_leaves(path, kept, computed)
        self._found.hold(before, f"{path.name}: {what}, {own:,} values, computed again from the turns")

    def _check_leaves(self, path: Path, read: Mapping[str, Any], computed: Mapping[str, Any]) -> int:
        """Add a fault for each value that was `read` from `path` and is not as computed; how many were computed."""
        kept, own = dict(leaves(read)), dict(leaves(computed))
        for key in own | kept:
            if key not in own or key not in kept or not _equal(kept[key], own[key]):
                self._found.fault(
                    path,
                    None,
                    f"{key} is {kept.get(key)!r}, and the turns give {own.get(key)!r}; {_REPLAY}",
                )
        return len(own)

    def _check_table(self, computed: pd.DataFrame) -> None:
        path, before = self._run.per_user, len(self._found.faults)
        if not path.is_file():
            return
        try:
            kept = pd.read_parquet(path)
            pd.testing.assert_frame_equal(kept, computed, check_dtype=False, rtol=_RELATIVE)
        except (OSError, ValueError, AssertionError) as error:
            first = next(iter(str(error).splitlines()), "")
            self._found.fault(path, None, f"it is not what the turns give ({first}); {_REPLAY}")
        self._found.hold(before, f"{path.name}: {len(computed):,} rows, computed again from the turns")


def _prompts_by_name(manifest: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Content hashes of the templates by the recorded name of the arm; under "" those of a run without arms."""
    try:
        arms = recorded_arms(manifest).values()
    except (LookupError, TypeError, ValueError, AttributeError):
        return {}  # told already
    return {name: dict(arm.prompts) for arm in arms for name in arm.recorded_as or ("",)}


def named(place: Place) -> str:
    """A place in words."""
    arm, phase, replicate, number, user = place
    return f"{arm}, {phase}, replicate {replicate}, round {number}, user {user}"


def _equal(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=_RELATIVE, abs_tol=1e-12) or (
            math.isnan(one) and math.isnan(other)
        )
    return one == other
