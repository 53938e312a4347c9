"""The recommenders of a run, each trained once however many arms it has: trained now, gone on with, or trained before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recommender.models import ModelError
from recommender.pipeline import build_recommender, check_recommender, describe, train_recommender
from recommender.trained_directory import write_json, write_text
from recommender.training import load, save
from recommender.truncation import Known
from scenarios.reading import dump
from simulator.held_out import HeldOutProposer
from simulator.learning import Learner
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
    prepared = study.prepared
    newcomers = study.conditions[0].audience.newcomers
    known = {
        name: Known(
            prepared.split, prepared.labels, length, newcomers, study.scenario.population.newcomer_history
        )
        for condition in study.conditions
        for name, length in condition.audience.lengths.items()
    }
    to_train = prepared.without(newcomers)
    plantings, learners = plantings_of(study), dict[str, Learner]()
    models: dict[int, Recommender] = {}
    made: dict[int, RecommenderProposer] = {}
    with stages.stage("training") as advance:
        for number, condition in enumerate(study.conditions, start=1):
            if condition.recommender not in made:
                place = directory.trained(study.folder(condition))
                model = _trained(condition.scenario, to_train, place, advance)
                models[condition.recommender] = model
                made[condition.recommender] = RecommenderProposer(
                    model, prepared.split, known, 2 * study.scenario.n, recorded, journal, plantings, learners
                )
            # A forecast, which writes nothing down, has no answers to learn from.
            if condition.scenario.learning.retrain_every is not None and journal is not None:
                names = list(condition.audience.lengths)
                folder = directory.retrained / str(number)
                learner = Learner(condition.scenario, to_train, models[condition.recommender], folder, names)
                learners |= dict.fromkeys(names, learner)
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
