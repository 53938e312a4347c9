"""The recommenders of a run, each trained once however many arms it has: trained now, gone on with, or trained before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recommender.models import ModelError
from recommender.pipeline import build_recommender, check_recommender, describe, train_recommender
from recommender.trained_directory import write_json, write_text
from recommender.training import load, save
from scenarios.reading import dump
from simulator.held_out import HeldOutProposer
from simulator.proposing import RecommenderProposer
from simulator.scenario import arms_of
from simulator.transcript.proposals import resumed_proposals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from recommender.models import Recommender
    from recommender.pipeline import Prepared
    from recommender.stages import Stages
    from recommender.trained_directory import TrainedDirectory
    from simulator.planting import Planting
    from simulator.proposing import Proposer
    from simulator.scenario import Scenario
    from simulator.study import Study
    from simulator.transcript.directory import RunDirectory
    from simulator.transcript.proposals import Proposal
    from simulator.transcript.turns import Place


def check_recommenders(scenario: Scenario) -> None:
    """ModelError if the model of an arm, one of its options or its device does not exist; before anything is read."""
    for arm in arms_of(scenario):
        try:
            check_recommender(arm.scenario)
        except ModelError as error:
            raise ModelError(f"arm {arm.name!r}: {error}" if arm.name else str(error)) from error


def make_proposers(
    study: Study, directory: RunDirectory, journal: Path | None, stages: Stages
) -> dict[str, Proposer]:
    """What proposes to each arm, by the arm's name; new proposals are written down in `journal`, if one is given."""
    recorded = resumed_proposals(directory.proposals)
    if study.scenario.slates.source == "held_out":
        return _held_out(study, directory, recorded, journal)
    split, labels = study.prepared.split, study.prepared.labels
    lengths = {
        name: length for condition in study.conditions for name, length in condition.audience.lengths.items()
    }
    plantings = plantings_of(study)
    made: dict[int, RecommenderProposer] = {}
    with stages.stage("training") as advance:
        for condition in study.conditions:
            if condition.recommender in made:
                continue
            place = directory.trained(study.folder(condition))
            model = _trained(condition.scenario, study.prepared, place, advance)
            made[condition.recommender] = RecommenderProposer(
                model, split, labels, lengths, 2 * study.scenario.n, recorded, journal, plantings
            )
    return {condition.name: made[condition.recommender] for condition in study.conditions}


def plantings_of(study: Study) -> dict[str, Planting]:
    """What is planted, by the name under which turns of an arm are recorded."""
    return {
        recorded: study.plantings[condition.name]
        for condition in study.conditions
        if condition.name in study.plantings
        for recorded in condition.audience.lengths
    }


def _held_out(
    study: Study, directory: RunDirectory, recorded: Mapping[Place, Proposal], journal: Path | None
) -> dict[str, Proposer]:
    """Nothing is trained, and the training's record says so."""
    made: dict[str, Proposer] = {}
    found = {}
    for condition in study.conditions:
        place = directory.trained(study.folder(condition))
        place.path.mkdir(parents=True, exist_ok=True)
        prepared = study.prepared
        write_json(
            place.training,
            {"data": study.label, "fingerprint": prepared.fingerprint, "model": None, "features": {}},
        )
        key = condition.scenario.slates.model_dump_json()
        if key not in made:
            made[key] = HeldOutProposer(condition.scenario, prepared, recorded, journal, plantings_of(study))
        found[condition.name] = made[key]
    return found


def _trained(
    scenario: Scenario, prepared: Prepared, place: TrainedDirectory, advance: Callable[[int, int, str], None]
) -> Recommender:
    built = build_recommender(scenario, prepared, advance)
    if place.training.exists():
        load(built.model, place.weights)
        return built.model
    place.path.mkdir(parents=True, exist_ok=True)
    if not place.scenario.exists():
        # Of a run that compares, each recommender is a folder that recommender.evaluate and recommender.export take.
        write_text(place.scenario, dump(scenario))
    log = train_recommender(scenario, prepared, built, advance, place.checkpoint)
    told = describe(scenario, prepared, built, log, place.candidates)
    save(built.model, place.weights)
    write_json(place.training, told)
    place.checkpoint.unlink(missing_ok=True)
    return built.model
