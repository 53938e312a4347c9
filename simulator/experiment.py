"""The main job from its begin to its end: run, gone on with, forecast, or replayed, in one run directory."""

from __future__ import annotations

import gc
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.llm import CacheError, ClientSetupError, Endpoint, Gateway, Halt, ReplayMiss, token_counter
from prompts import TemplateError
from recommender.caching import CacheFolderError
from recommender.data.dataset import DataError
from recommender.models import ModelError
from recommender.pipeline import (
    build_recommender,
    check_recommender,
    describe,
    train_recommender,
)
from recommender.trained_directory import DirectoryError, read_json, write_json
from recommender.training import load, save
from simulator.forecast import Forecaster
from simulator.game import Game
from simulator.held_out import HeldOutProposer
from simulator.outcome import Outcome, measured
from simulator.proposing import RecommenderProposer, RecordedProposer
from simulator.refinement import RefinementError
from simulator.resuming import check_same_run, check_same_scenario, drop_stale_proposals
from simulator.scenario import ScenarioError
from simulator.scenario import load as read_scenario
from simulator.sending import answers_at_hand, make_budget, open_gateway, prices_of
from simulator.study import Study
from simulator.transcript.directory import RunDirectory
from simulator.transcript.journal import CallJournal, JournalError
from simulator.transcript.manifest import environment
from simulator.transcript.proposals import resumed_proposals
from simulator.transcript.turns import TranscriptError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agents.llm import ChatClient
    from recommender.stages import Stages
    from simulator.forecast import Forecast
    from simulator.proposing import Proposer
    from simulator.scenario import Scenario
    from simulator.sending import Sending

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


def replay(recorded: Path, scenario: Scenario, out: Path | None, stages: Stages) -> Outcome:
    """Play a recorded run again into a new run directory.

    It trains nothing, constructs no client and opens no socket: slates come from the recorded proposals, answers from
    the journal, and a call that is not there raises ReplayMiss.
    """
    source = RunDirectory.open(recorded)
    study = Study.of(scenario, stages)
    manifest = read_json(source.manifest)
    study.check_data(manifest, source.manifest)
    endpoint, client = Endpoint(**manifest["endpoint"]), manifest["client"]
    directory = RunDirectory.create(out, _RUNS, scenario.name)
    for name in ("calls", "proposals", "training"):
        shutil.copyfile(getattr(source, name), getattr(directory, name))
    told = study.manifest(client, endpoint, {"replay_of": str(recorded)})
    directory.begin(study.as_run(), told)
    with (
        _collector_off(),
        CallJournal(directory.calls, "read") as journal,
        Gateway(None, journal, endpoint=endpoint) as gateway,
    ):
        game = Game(study, RecordedProposer(directory.proposals), gateway, client, stages)
        return measured(study, directory, told, game, None, stages)


@dataclass(frozen=True)
class _Begun:
    """A live run that has its directory."""

    study: Study
    client: ChatClient
    directory: RunDirectory
    manifest: dict[str, Any]
    sending: Sending


def _begin(scenario: Scenario, out: Path | None, stages: Stages, sending: Sending) -> _Begun:
    check_recommender(scenario)
    study = Study.of(scenario, stages)
    client = study.client(stages)
    directory = RunDirectory.create(out, _RUNS, scenario.name)
    recording = None if sending.recording is None else str(sending.recording)
    how = {"replay_of": None, "recording": recording, "refresh": sending.refresh}
    manifest = study.manifest(client.label, Endpoint.of(client), how)
    directory.begin(study.as_run(), manifest)
    return _Begun(study, client, directory, manifest, sending)


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
    check_recommender(scenario)
    study = Study.of(scenario, stages)
    client = study.client(stages)
    check_same_run(manifest, study, Endpoint.of(client), directory.manifest)
    recording = manifest["recording"]
    sending = replace(
        sending, recording=None if recording is None else Path(recording), refresh=manifest["refresh"]
    )
    if (now := environment()) != {name: manifest[name] for name in now}:
        manifest = {**manifest, "continued_with": [*manifest.get("continued_with", []), now]}
        write_json(directory.manifest, manifest)
    return _Begun(study, client, directory, manifest, sending)


def _play(begun: _Begun, stages: Stages) -> Outcome:
    study, directory, sending = begun.study, begun.directory, begun.sending
    with directory.held(), _told_how_to_go_on(directory), ExitStack() as stack:
        journal = stack.enter_context(CallJournal(directory.calls, "append", data=study.label))
        at_hand = stack.enter_context(answers_at_hand(study.scenario, begun.client, sending))
        budget = make_budget(study.scenario, study.script.model, begun.client, sending.caps)
        gateway = stack.enter_context(
            open_gateway(
                study.scenario,
                begun.client,
                journal,
                at_hand,
                budget,
                batches=directory.batches,
                tell=lambda said: stages.console.print(f"  {said}", highlight=False, markup=False),
                retry_errors=sending.retry_errors,
            )
        )
        if sending.retry_errors:
            # Not complete any more, and not to be taken for it if this is stopped.
            directory.summary.unlink(missing_ok=True)
            drop_stale_proposals(directory.proposals, journal)
        proposer = _proposer(study, directory, directory.proposals, stages)
        game = Game(study, proposer, gateway, begun.client.label, stages)
        return measured(study, directory, begun.manifest, game, budget, stages)


def _forecast(begun: _Begun, stages: Stages) -> Forecast:
    study, directory, sending = begun.study, begun.directory, begun.sending
    with directory.held(), _told_how_to_go_on(directory), ExitStack() as stack:
        journal = stack.enter_context(CallJournal(directory.calls, "append", data=study.label))
        at_hand = stack.enter_context(answers_at_hand(study.scenario, begun.client, sending))
        forecaster = Forecaster(
            begun.client,
            journal,
            at_hand.answers,
            study.reader,
            study.nulls["random"],
            token_counter(study.script.model),
            retry_errors=sending.retry_errors,
        )
        proposer = _proposer(study, directory, None, stages)
        Game(study, proposer, forecaster, begun.client.label, stages, nulls={}).play_all()
        return forecaster.forecast(prices_of(study.scenario, study.script.model, begun.client))


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


def _proposer(study: Study, directory: RunDirectory, journal: Path | None, stages: Stages) -> Proposer:
    """Slates by the scenario's recommender: trained now, gone on with, or trained before; or of held-out items."""
    prepared = study.prepared
    recorded = resumed_proposals(directory.proposals)
    if study.scenario.slates.source == "held_out":
        untrained: dict[str, Any] = {
            "data": study.label,
            "fingerprint": prepared.fingerprint,
            "model": None,
            "features": {},
        }
        write_json(directory.training, untrained)
        return HeldOutProposer(study.scenario, prepared, recorded, journal)
    with stages.stage("training") as advance:
        built = build_recommender(study.scenario, prepared, advance)
        if directory.training.exists():
            load(built.model, directory.weights)
        else:
            log = train_recommender(study.scenario, prepared, built, advance, directory.checkpoint)
            told = describe(study.scenario, prepared, built, log, directory.candidates)
            save(built.model, directory.weights)
            write_json(directory.training, told)
            directory.checkpoint.unlink(missing_ok=True)
    return RecommenderProposer(
        built.model,
        prepared.split,
        prepared.labels,
        study.audience.lengths,
        2 * study.scenario.n,
        recorded,
        journal,
    )
