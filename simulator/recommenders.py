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
from simulator.proposing import Ranker, RecommenderProposer
from simulator.scenario import arms_of, recommenders_of
from simulator.traffic import InterleavedTraffic, SplitTraffic, split_users
from simulator.transcript.proposals import resumed_proposals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from recommender.models import Recommender
    from recommender.pipeline import Prepared
    from recommender.stages import Stages
    from recommender.trained_directory import TrainedDirectory
    from simulator.planting import Planting
    from simulator.proposing import Proposer, Source
    from simulator.scenario import Scenario
    from simulator.study import Condition, Study
    from simulator.transcript.directory import RunDirectory
    from simulator.transcript.proposals import Proposal
    from simulator.transcript.turns import Place


def check_recommenders(scenario: Scenario) -> None:
    """ModelError if the model of an arm, one of its options or its device does not exist; before anything is read."""
    for arm in arms_of(scenario):
        try:
            for sharing in recommenders_of(arm.scenario).values():
                check_recommender(sharing)
        except ModelError as error:
            raise ModelError(f"arm {arm.name!r}: {error}" if arm.name else str(error)) from error


def make_proposers(
    study: Study, directory: RunDirectory, journal: Path | None, stages: Stages, *, learns: bool = True
) -> dict[str, Proposer]:
    """What proposes to each arm, by the arm's name; new proposals are written down in `journal`, if one is given.

    `learns` is False for a forecast, which has no answers to learn from.
    """
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
    maker = _Maker(study, directory, prepared.without(newcomers), known, learns=learns)
    plantings = plantings_of(study)
    made: dict[int, RecommenderProposer] = {}
    with stages.stage("training") as advance:
        for number, condition in enumerate(study.conditions, start=1):
            if condition.recommender not in made:
                source = maker.source(condition, advance)
                made[condition.recommender] = RecommenderProposer(
                    source, study.label, recorded, journal, plantings
                )
            maker.teach(condition, number)
    return {condition.name: made[condition.recommender] for condition in study.conditions}


class _Maker:
    """Trains models, each once, and puts together what lists the items of an arm."""

    def __init__(
        self,
        study: Study,
        directory: RunDirectory,
        to_train: Prepared,
        known: Mapping[str, Known],
        *,
        learns: bool,
    ) -> None:
        self._study, self._directory, self._to_train = study, directory, to_train
        self._known, self._learns = known, learns
        self._models: dict[int, list[tuple[Recommender, dict[str, Learner]]]] = {}
        """By the number of the arm's recommender: the models that share its traffic, and what trains them further, by arm."""

    def source(self, condition: Condition, advance: Callable[[int, int, str], None]) -> Source:
        """Of the arm's own recommender, or of all that share the traffic."""
        study, size = self._study, 2 * self._study.scenario.n
        rankers: dict[str, Source] = {}
        models = self._models.setdefault(condition.recommender, [])
        for number, (name, scenario) in enumerate(recommenders_of(condition.scenario).items()):
            place = self._directory.trained(study.folder(condition))
            if number:
                place = self._directory.challenger(number)
            model = _trained(scenario, self._to_train, place, advance)
            learners: dict[str, Learner] = {}
            models.append((model, learners))
            rankers[name] = Ranker(model, study.prepared.split, self._known, size, learners)
        traffic = condition.scenario.traffic
        if traffic is None:
            return next(iter(rankers.values()))
        if traffic.mode == "interleaved":
            return InterleavedTraffic(rankers, size, study.scenario.seed)
        return SplitTraffic(rankers, split_users(study.user_ids, list(rankers), study.scenario.seed))

    def teach(self, condition: Condition, number: int) -> None:
        """Let the recommenders of the arm, which is that of this number, learn if they are to."""
        if condition.scenario.learning.retrain_every is None or not self._learns:
            return
        names = list(condition.audience.lengths)
        sharing = recommenders_of(condition.scenario).values()
        for at, (scenario, (model, learners)) in enumerate(
            zip(sharing, self._models[condition.recommender], strict=True)
        ):
            folder = self._directory.retrained / (f"{number}-{at}" if at else str(number))
            learner = Learner(scenario, self._to_train, model, folder, names)
            learners.update(dict.fromkeys(names, learner))


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
