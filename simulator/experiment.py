"""The main job from its begin to its end: run, gone on with, forecast, or replayed, in one run directory."""

from __future__ import annotations

import gc
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.llm import CacheError, ClientSetupError, Gateway, Halt, ReplayMiss, token_counter
from agents.persona_file import PersonaError
from prompts import TemplateError
from recommender.caching import CacheFolderError
from recommender.data.dataset import DataError
from recommender.models import ModelError
from recommender.trained_directory import DirectoryError, read_json, write_json
from simulator.cluster.connecting import check_engine
from simulator.cluster.journals import gather
from simulator.cluster.players import open_cluster
from simulator.forecast import Forecaster, total
from simulator.game import Game, Side
from simulator.lines import lines_of, open_lines, recorded, told_of
from simulator.outcome import Outcome, measured
from simulator.players import Here
from simulator.proposing import RecordedProposer
from simulator.recommenders import check_recommenders, make_proposers
from simulator.refinement import RefinementError
from simulator.resuming import check_personas, check_same_run, check_same_scenario, drop_stale_proposals
from simulator.scenario import ScenarioError
from simulator.scenario import load as read_scenario
from simulator.sending import answers_at_hand, open_ledger, prices_of
from simulator.study import Study
from simulator.transcript.directory import RunDirectory
from simulator.transcript.journal import CallJournal, JournalError
from simulator.transcript.manifest import environment, recorded_arms
from simulator.transcript.turns import TranscriptError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agents.llm import Budget, ChatClient
    from recommender.stages import Stages
    from simulator.forecast import Forecast
    from simulator.lines import Line
    from simulator.players import Players
    from simulator.proposing import Proposer
    from simulator.scenario import Scenario
    from simulator.sending import Sending
    from simulator.transcript.manifest import RecordedArm

__all__ = [
    "MISTAKES",
    "Halt",
    "Outcome",
    "ReplayMiss",
    "forecast",
    "forecast_rest",
    "replay",
    "resume",
    "run",
]

MISTAKES = (
    CacheError,
    CacheFolderError,
    ClientSetupError,
    DataError,
    DirectoryError,
    JournalError,
    ModelError,
    PersonaError,
    RefinementError,
    ScenarioError,
    TemplateError,
    TranscriptError,
)
"""What a user can mend: each message says what is wrong, where, and what to do."""
_RUNS = Path("runs")


def run(scenario: Scenario, out: Path | None, stages: Stages, sending: Sending) -> Outcome:
    """Run a scenario in a new run directory.

    Raises one of MISTAKES, or Halt where no further call may be sent. Once there is a run to go on with, an exception
    carries a note that says how.
    """
    return _play(_begin(scenario, out, stages, sending), stages)


def resume(
    path: Path, scenario: Scenario | None, overrides: Sequence[str], stages: Stages, sending: Sending
) -> Outcome:
    """Go on with a run that was stopped, at any point and in any way; nothing that was answered is asked again.

    `scenario`, if one is given, and `overrides` may change nothing that is asked or counted. A run that is complete is given
    back as it is, unless it has failed calls and these are to be made again.
    """
    found = _reopen(path, scenario, overrides, stages, sending)
    return found if isinstance(found, Outcome) else _play(found, stages)


def forecast(
    scenario: Scenario, out: Path | None, stages: Stages, sending: Sending
) -> tuple[RunDirectory, Forecast]:
    """What a run would cost. Trains the recommender, whose slates are in the prompts, in a run directory that `resume`
    goes on with; sends nothing.
    """
    begun = _begin(scenario, out, stages, sending)
    return begun.directory, _forecast(begun, stages)


def forecast_rest(
    path: Path, scenario: Scenario | None, overrides: Sequence[str], stages: Stages, sending: Sending
) -> tuple[RunDirectory, Forecast | None]:
    """What going on with a run would cost; None if it is complete."""
    found = _reopen(path, scenario, overrides, stages, sending)
    if isinstance(found, Outcome):
        return found.directory, None
    return found.directory, _forecast(found, stages)


def replay(run: Path, scenario: Scenario, out: Path | None, stages: Stages) -> Outcome:
    """Play a recorded run again into a new run directory.

    It trains nothing, constructs no client and opens no socket: slates come from the recorded proposals, answers from
    the journal, and a call that is not there raises ReplayMiss.
    """
    source = RunDirectory.open(run)
    if scenario.study != read_scenario(source.scenario).study:
        raise ScenarioError(
            f"{source.scenario}: the run was begun with another `study`. What decides is declared before anybody is asked; what is "
            f"asked of finished runs is not: python -m simulator.compare {run} --primary METRIC"
        )
    study = Study.of(scenario, stages)
    manifest = read_json(source.manifest)
    study.check_data(manifest, source.manifest)
    asked = recorded_arms(manifest)
    if missing := [each.name for each in study.conditions if each.name not in asked]:
        raise TranscriptError(
            f"{source.manifest}: the run has no arm {missing[0]!r} but {', '.join(filter(None, asked)) or 'none'}; replay the "
            "scenario that was run"
        )
    arms = [
        replace(
            told_of(study, each, asked[each.name].client, asked[each.name].endpoint),
            recommender=asked[each.name].recommender,
        )
        for each in study.conditions
    ]
    for arm in arms:
        check_personas(asked[arm.name], arm, source.manifest)
    directory = RunDirectory.create(out, _RUNS, scenario.name)
    source.copy_record(directory)
    told = study.manifest(arms, {"replay_of": str(run)})
    directory.begin(study.as_run(), told)
    with _collector_off(), ExitStack() as stack:
        journal = stack.enter_context(CallJournal(directory.calls, "read"))
        gateways = {
            endpoint: stack.enter_context(Gateway(None, journal, endpoint=endpoint))
            for endpoint in {arm.endpoint: None for arm in arms}
        }
        proposer = RecordedProposer(directory.proposals)
        sides = {arm.name: Side(proposer, arm.client) for arm in arms}
        players = Here({arm.name: gateways[arm.endpoint] for arm in arms})
        return measured(study, directory, told, arms, Game(study, sides, players, stages), (), stages)


@dataclass(frozen=True)
class _Begun:
    """A live run that has its directory."""

    study: Study
    clients: tuple[ChatClient, ...]
    """Of each arm."""
    lines: list[Line]
    arms: list[RecordedArm]
    directory: RunDirectory
    manifest: dict[str, Any]
    sending: Sending

    def sides(self, proposers: Mapping[str, Proposer]) -> dict[str, Side]:
        """Who proposes and answers, by arm."""
        return {arm.name: Side(proposers[arm.name], arm.client) for arm in self.arms}


def _begin(scenario: Scenario, out: Path | None, stages: Stages, sending: Sending) -> _Begun:
    check_recommenders(scenario)
    study = Study.of(scenario, stages)
    clients = study.clients(stages)
    lines, arms = lines_of(study, clients), recorded(study, clients)
    check_engine(scenario.engine, lines)
    directory = RunDirectory.create(out, _RUNS, scenario.name)
    recording = None if sending.recording is None else str(sending.recording)
    how = {"replay_of": None, "recording": recording, "refresh": sending.refresh}
    manifest = study.manifest(arms, how)
    directory.begin(study.as_run(), manifest)
    return _Begun(study, clients, lines, arms, directory, manifest, sending)


def _reopen(
    path: Path, scenario: Scenario | None, overrides: Sequence[str], stages: Stages, sending: Sending
) -> _Begun | Outcome:
    directory = RunDirectory.begun(path)
    manifest = read_json(directory.manifest)
    if manifest["replay_of"] is not None:
        raise TranscriptError(
            f"{path}: this is a replay, which asks nothing; replay {manifest['replay_of']} again"
        )
    stored = read_scenario(directory.scenario)
    scenario = scenario or read_scenario(directory.scenario, overrides)
    check_same_scenario(stored, scenario, directory.scenario)
    if directory.complete:
        summary = read_json(directory.summary)
        if not (sending.retry_errors and summary["calls"]["failed"]):
            return Outcome(directory, stored, summary, read_json(directory.metrics), was_complete=True)
    check_recommenders(scenario)
    study = Study.of(scenario, stages)
    clients = study.clients(stages)
    lines, arms = lines_of(study, clients), recorded(study, clients)
    check_engine(scenario.engine, lines)
    check_same_run(manifest, study, arms, directory.manifest)
    recording = manifest["recording"]
    sending = replace(
        sending, recording=None if recording is None else Path(recording), refresh=manifest["refresh"]
    )
    if (now := environment()) != {name: manifest[name] for name in now}:
        manifest = {**manifest, "continued_with": [*manifest.get("continued_with", []), now]}
        write_json(directory.manifest, manifest)
    return _Begun(study, clients, lines, arms, directory, manifest, sending)


def _play(begun: _Begun, stages: Stages) -> Outcome:
    study, directory, sending = begun.study, begun.directory, begun.sending
    with directory.held(), _told_how_to_go_on(directory), ExitStack() as stack:
        gather(directory)
        journal = stack.enter_context(CallJournal(directory.calls, "append", data=study.label))
        players, budgets = stack.enter_context(_players(begun, journal, stages))
        if sending.retry_errors:
            # Not complete any more, and not to be taken for it if this is stopped.
            directory.summary.unlink(missing_ok=True)
            learning = (each.scenario.learning for each in study.conditions)
            learns = any(each.retrain_every is not None for each in learning)
            drop_stale_proposals(directory.proposals, journal, learns=learns)
        proposers = make_proposers(study, directory, directory.proposals, stages)
        game = Game(study, begun.sides(proposers), players, stages)
        return measured(study, directory, begun.manifest, begun.arms, game, budgets, stages)


@contextmanager
def _players(
    begun: _Begun, journal: CallJournal, stages: Stages
) -> Iterator[tuple[Players, Sequence[Budget]]]:
    """Who plays the users, as the engine of the scenario says, and what they may spend."""

    def tell(said: str) -> None:
        stages.console.print(f"  {said}", highlight=False, markup=False)

    study, directory, sending = begun.study, begun.directory, begun.sending
    if study.scenario.engine.kind == "ray":
        with open_cluster(study, begun.lines, directory, journal, sending, tell) as opened:
            yield opened
        return
    ledger = cache(partial(open_ledger, directory.batches))
    with (
        answers_at_hand(study.scenario, begun.clients, sending) as at_hand,
        open_lines(begun.lines, journal, at_hand, sending, ledger, tell) as (gateways, budgets),
    ):
        yield Here(gateways), budgets


def _forecast(begun: _Begun, stages: Stages) -> Forecast:
    study, directory, sending = begun.study, begun.directory, begun.sending
    with directory.held(), _told_how_to_go_on(directory), ExitStack() as stack:
        gather(directory)
        journal = stack.enter_context(CallJournal(directory.calls, "append", data=study.label))
        at_hand = stack.enter_context(answers_at_hand(study.scenario, begun.clients, sending))
        forecasters = [
            Forecaster(
                line.client,
                journal,
                at_hand.of(line.client)[0],
                study.reader,
                study.nulls["random"],
                token_counter(line.model),
                retry_errors=sending.retry_errors,
            )
            for line in begun.lines
        ]
        asks = {name: each for line, each in zip(begun.lines, forecasters, strict=True) for name in line.arms}
        proposers = make_proposers(study, directory, None, stages, learns=False)
        Game(study, begun.sides(proposers), Here(asks), stages, nulls={}).play_all()
        return total(
            [
                each.forecast(prices_of(line.users, line.model, line.client))
                for line, each in zip(begun.lines, forecasters, strict=True)
            ]
        )


@contextmanager
def _collector_off() -> Iterator[None]:
    """Without the search for cycles: a replay makes none, and keeps so many values that looking takes a fifth of its time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _told_how_to_go_on(directory: RunDirectory) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        error.add_note(
            f"what was answered is kept; go on with: python -m simulator.run --resume {directory.path}"
        )
        raise
