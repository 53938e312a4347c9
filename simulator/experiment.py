"""The main job: data, recommender, audience, metrics, written to one run directory."""

from __future__ import annotations

import importlib
import os
import shutil
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from agents.embedded.client import EmbeddedClient
from agents.llm import (
    CacheError,
    ClientSetupError,
    Endpoint,
    Gateway,
    Pace,
    ReplayMiss,
    ResponseCache,
    RetryPolicy,
)
from prompts import TemplateError
from recommender.caching import CacheFolderError
from recommender.data.dataset import DataError
from recommender.models import ModelError
from recommender.pipeline import (
    build_recommender,
    check_recommender,
    describe,
    prepare_data,
    train_recommender,
)
from recommender.stages import peak_mib
from recommender.trained_directory import DirectoryError, read_json, write_json
from recommender.training import save
from simulator.audience import (
    choose_audience,
    make_client,
    make_nulls,
    make_reader,
    make_script,
)
from simulator.game import Game
from simulator.measures.audience import calls, replies
from simulator.measures.ranking import paired_differences, per_user, summarise
from simulator.proposing import RecommenderProposer, RecordedProposer
from simulator.refinement import Fuse, RefinementError, Replace, choose_weight
from simulator.scenario import ScenarioError, dump
from simulator.transcript.directory import RunDirectory
from simulator.transcript.journal import CallJournal, JournalError
from simulator.transcript.manifest import environment, text_hash
from simulator.transcript.turns import TranscriptError, write_turns

if TYPE_CHECKING:
    from agents.llm import ChatClient
    from recommender.pipeline import Prepared
    from recommender.stages import Stages
    from simulator.audience import Audience
    from simulator.proposing import Proposer
    from simulator.refinement import Refinement
    from simulator.scenario import Scenario

__all__ = ["MISTAKES", "Outcome", "ReplayMiss", "run"]

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
_CACHE_VARIABLE = "SCREENTEST_CACHE"


@dataclass(frozen=True)
class Outcome:
    """A finished run."""

    directory: RunDirectory
    summary: dict[str, Any]
    metrics: dict[str, Any]
    failed_share: float
    """Share of planned turns whose answer could not be used."""


def run(scenario: Scenario, out: Path | None, replay: Path | None, stages: Stages) -> Outcome:
    """Run a scenario, or replay a run directory, into a new run directory.

    A replay trains nothing, constructs no client and opens no socket: slates come from the recorded proposals, answers from
    the journal, and a call that is not there raises ReplayMiss.
    """
    if replay is None:  # A replay needs neither the model nor the device of the run.
        check_recommender(scenario)
    script = make_script(scenario)
    refinement = _policy(scenario)
    source = RunDirectory.open(replay) if replay else None
    with stages.stage("data"):
        prepared = prepare_data(scenario)
        audience = choose_audience(scenario, prepared)
        reader = make_reader(prepared)
        nulls = make_nulls(scenario, prepared, reader)
        if source:
            _check_data(source, prepared)
    # Before anything is trained or written: a missing key should show at once.
    with stages.stage("client"):
        answering = None if source else make_client(scenario, prepared, audience, reader, nulls)
    directory = RunDirectory.create(out, _RUNS, scenario.name)
    label = prepared.split.dataset.label
    as_run = f"# As run on {label}, every default written out.\n{dump(scenario)}"
    directory.scenario.write_text(as_run, encoding="utf-8")
    with ExitStack() as stack:
        if answering is None:
            assert source is not None
            for name in ("calls", "proposals", "training"):
                shutil.copyfile(getattr(source, name), getattr(directory, name))
            recorded = read_json(source.manifest)
            client = recorded["client"]
            proposer: Proposer = RecordedProposer(directory.proposals)
            journal = stack.enter_context(CallJournal(directory.calls, "read"))
            endpoint = Endpoint(**recorded["endpoint"])
            gateway = stack.enter_context(Gateway(None, journal, endpoint=endpoint))
        else:
            client = answering.label
            journal = stack.enter_context(CallJournal(directory.calls, "append", data=label))
            gateway = stack.enter_context(_live(scenario, answering, journal))
            proposer = _train(scenario, prepared, audience, directory, stages)
        manifest = {
            **environment(),
            "data": label,
            "client": client,
            "endpoint": asdict(gateway.endpoint),
            "seeds": {"scenario": scenario.seed, "data": scenario.data.seed},
            "hashes": {
                "scenario": text_hash(as_run),
                "data": prepared.fingerprint,
                "prompts": script.hashes(),
            },
            "model_requested": script.model,
            "replay_of": str(replay) if replay else None,
        }
        write_json(directory.manifest, manifest)
        game = Game(scenario, prepared, audience, script, proposer, gateway, nulls, client, stages)
        chosen = None
        if refinement is None:
            rehearsal = game.play("validation", Replace())
            chosen = choose_weight(rehearsal, scenario.n, scenario.refinement.repair, scenario.seed)
            refinement = Fuse(chosen.weight)
        game.play("test", refinement)
    with stages.stage("metrics"):
        write_turns(directory.turns, game.turns)
        tested = [turn for turn in game.turns if turn.phase == "test"]
        table = per_user(tested, scenario.cutoffs)
        table.to_parquet(directory.per_user, index=False)
        metrics = summarise(table, scenario.seed)
        write_json(directory.metrics, metrics)
    used = calls(game.records)
    summary = {
        "data": label,
        "client": client,
        "recommender": read_json(directory.training),
        "steps": [asdict(step) for step in prepared.split.steps],
        "skipped": [asdict(skipped) for skipped in prepared.split.dataset.skipped],
        "refinement": {
            "policy": scenario.refinement.policy,
            "weight": refinement.weight if isinstance(refinement, Fuse) else None,
            "validation_turns": chosen.turns if chosen else 0,
            "curve": chosen.curve if chosen else [],
        },
        "differences": paired_differences(table, scenario.seed),
        "replies": replies(game.turns),
        "calls": used,
        "seconds": {name: round(seconds, 3) for name, seconds in stages.seconds.items()},
        "peak_mib": round(peak_mib(), 1),
    }
    write_json(directory.summary, summary)
    write_json(directory.manifest, {**manifest, "models_returned": used["models"]})
    failed = sum(turn.fallback for turn in game.turns) / len(game.turns)
    return Outcome(directory, summary, metrics, failed)


def _policy(scenario: Scenario) -> Refinement | None:
    """The refinement the scenario fixes; None where its weight is to be chosen on validation turns."""
    chosen = scenario.refinement
    if chosen.policy == "replace":
        return Replace()
    if chosen.policy == "fuse":
        return None if chosen.weight == "validation" else Fuse(float(chosen.weight))
    module, _, name = chosen.policy.partition(":")
    try:
        policy: Refinement = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError, TypeError) as error:
        raise ScenarioError(f"refinement.policy: {chosen.policy!r} cannot be made: {error}") from error
    return policy


def _check_data(source: RunDirectory, prepared: Prepared) -> None:
    recorded = read_json(source.manifest)["hashes"]["data"]
    if recorded != prepared.fingerprint:
        raise TranscriptError(
            f"{source.manifest}: the run was made on other data (hash {recorded[:12]}, these are "
            f"{prepared.fingerprint[:12]}); point --set data.path at the data of the run"
        )


def _train(
    scenario: Scenario, prepared: Prepared, audience: Audience, directory: RunDirectory, stages: Stages
) -> Proposer:
    with stages.stage("training") as advance:
        built = build_recommender(scenario, prepared, advance)
        log = train_recommender(scenario, prepared, built, advance)
        told = describe(scenario, prepared, built, log, directory.candidates)
    save(built.model, directory.weights)
    write_json(directory.training, told)
    return RecommenderProposer(
        built.model, prepared.split, prepared.labels, audience.lengths, 2 * scenario.n, directory.proposals
    )


def _live(scenario: Scenario, client: ChatClient, journal: CallJournal) -> Gateway:
    cache = None
    if scenario.users.cache and not isinstance(client, EmbeddedClient):
        folder = os.environ.get(_CACHE_VARIABLE)
        cache = ResponseCache(Path(folder) if folder else user_cache_path("screentest") / "responses")
    pace = Pace(scenario.users.concurrency, retry=RetryPolicy(tries=scenario.users.attempts))
    return Gateway(client, journal, at_hand=[cache] if cache else (), cache=cache, pace=pace)
