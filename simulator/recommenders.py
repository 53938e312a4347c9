"""The recommenders of a run, each trained once however many arms it has: trained now, gone on with, or trained before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recommender.models import ModelError
from recommender.pipeline import build_recommender, check_recommender, describe, train_recommender
from recommender.trained_directory import write_json, write_text
from recommender.training import load, save
from scenarios.reading import dump
from simulator.proposing import RecommenderProposer
from simulator.scenario import arms_of
from simulator.transcript.proposals import resumed_proposals

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recommender.models import Recommender
    from recommender.pipeline import Prepared
    from recommender.stages import Stages
    from recommender.trained_directory import TrainedDirectory
    from simulator.scenario import Scenario
    from simulator.study import Study
    from simulator.transcript.directory import RunDirectory


def check_recommenders(scenario: Scenario) -> None:
    """ModelError if the model of an arm, one of its options or its device does not exist; before anything is read."""
    for arm in arms_of(scenario):
        try:
            check_recommender(arm.scenario)
        except ModelError as error:
            raise ModelError(f"arm {arm.name!r}: {error}" if arm.name else str(error)) from error


def make_proposers(
    study: Study, directory: RunDirectory, journal: Path | None, stages: Stages
) -> dict[str, RecommenderProposer]:
    """What proposes to each arm, by the arm's name; new proposals are written down in `journal`, if one is given."""
    recorded = resumed_proposals(directory.proposals)
    split, labels = study.prepared.split, study.prepared.labels
    lengths = {
        name: length for condition in study.conditions for name, length in condition.audience.lengths.items()
    }
    made: dict[int, RecommenderProposer] = {}
    with stages.stage("training") as advance:
        for condition in study.conditions:
            if condition.recommender in made:
                continue
            place = directory.trained(study.folder(condition))
            model = _trained(condition.scenario, study.prepared, place, advance)
            made[condition.recommender] = RecommenderProposer(
                model, split, labels, lengths, 2 * study.scenario.n, recorded, journal
            )
    return {condition.name: made[condition.recommender] for condition in study.conditions}


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
