"""A recommender that learns from its simulated audience: trained further every few rounds, on train and on what was accepted."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import torch

from agents.randomness import keyed_generator
from recommender.data.dataset import Interactions
from recommender.data.splitting import concatenate
from recommender.models import ModelError
from recommender.pipeline import build_recommender
from recommender.trained_directory import whole_file, write_json
from recommender.training import TrainingConfig, load, save, train

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from recommender.models import Recommender
    from recommender.pipeline import Prepared
    from simulator.scenario import Scenario

_STATE, _WEIGHTS, _FEEDBACK = "retraining.json", "recommender.pt", "feedback.parquet"


def grown(history: Interactions, simulated: NDArray[np.int32]) -> Interactions:
    """`history` with simulated (n, 2) rows of users and items put behind the real ones, in their order, without a rating."""
    if not len(simulated):
        return history
    user, item = np.ascontiguousarray(simulated.T)
    end = np.full(len(user), int(history.time.max(initial=0)) + 1, dtype=np.int64)
    return concatenate(history, Interactions(user, item, np.full(len(user), np.nan, dtype=np.float32), end))


class _Lesson(NamedTuple):
    """Before which round a model is trained further, and on what beside train."""

    before_round: int
    accepted: NDArray[np.int32]
    """(n, 2) rows of users and items: all that the users accepted in earlier rounds."""


@dataclass
class _Course:
    """What one model is taught, and how far it has come."""

    place: Path
    lessons: list[_Lesson] = field(default_factory=list)
    heard: int = 0
    """The newest round that was heard of."""
    taught: int = 0
    """Lessons that `model` has had."""
    model: Recommender | None = None
    """None where it had none."""


class Learner:
    """The models of one arm, one for each history length and replicate, as they learn.

    Each is trained further from its own last weights; what it is trained on is train and all that its users accepted so far.
    Parameters go on; what a model counts when it is built (a graph, co-occurrences, popularity) is counted anew. Held-out items
    take part only where a user accepted them.
    """

    def __init__(
        self,
        scenario: Scenario,
        prepared: Prepared,
        trained: Recommender,
        folder: Path,
        names: Sequence[str],
    ) -> None:
        """`prepared` is what the model was `trained` on; `folder` keeps the weights of every retraining, to go on from.

        `names` are those under which turns of the arm are recorded.
        """
        assert scenario.learning.retrain_every is not None
        self._every: int = scenario.learning.retrain_every
        self._scenario, self._prepared, self._trained = scenario, prepared, trained
        self._folder, self._names = folder, list(names)
        self._courses: dict[tuple[str, int], _Course] = {}

    def hear(self, arm: str, replicate: int, number: int, accepted: NDArray[np.int32]) -> None:
        """Before round `number`, each in its turn: `accepted` (n, 2) is all that the rounds before brought. The first begins anew.

        ModelError where another round was heard of before: of two worlds, as two pages of the live view are, one at a time is learnt from.
        """
        if number == 1:
            self._courses.pop((arm, replicate), None)
        course = self._course(arm, replicate)
        if number != course.heard + 1:
            raise ModelError(
                f"{arm}: the recommender learns from another world of this arm, which is in round {course.heard}; begin this one anew to go on with it"
            )
        course.heard = number
        if number > 1 and (number - 1) % self._every == 0:
            course.lessons.append(_Lesson(number, accepted))

    def model(self, arm: str, replicate: int) -> Recommender:
        """What proposes after all that was heard: trained now, or before, if what it was taught is the same."""
        course = self._course(arm, replicate)
        if course.taught < len(course.lessons):
            kept = (at for at in range(len(course.lessons), course.taught, -1) if self._keeps(course, at))
            done = next(kept, course.taught)
            model = course.model if done == course.taught else self._read(course, done)
            for lesson in course.lessons[done:]:
                model = self._retrained(model or self._trained, replicate, lesson)
                self._keep(course, lesson, arm, replicate, model)
            course.model, course.taught = model, len(course.lessons)
        return course.model or self._trained

    def _course(self, arm: str, replicate: int) -> _Course:
        key = arm, replicate
        if key not in self._courses:
            self._courses[key] = _Course(self._folder / f"{self._names.index(arm) + 1}-{replicate}")
        return self._courses[key]

    def _retrained(self, before: Recommender, replicate: int, lesson: _Lesson) -> Recommender:
        scenario, epochs = self._scenario, self._scenario.learning.epochs
        prepared = self._with(lesson)
        model = build_recommender(scenario, prepared).model
        if not model.trainable:
            return model
        _take_over(model, before)
        draw = keyed_generator(scenario.training_seed, "retraining", replicate, lesson.before_round)
        # Validated once, at the end: the last epoch is kept, and what is held out decides nothing.
        options = scenario.recommender.training.model_dump() | dict.fromkeys(
            ("max_epochs", "patience", "evaluate_every"), epochs
        )
        config = TrainingConfig(**options, seed=int(draw.integers(2**31)))
        train(model, prepared.train, prepared.profile, prepared.split.validation, config)
        return model

    def _with(self, lesson: _Lesson) -> Prepared:
        return self._prepared.with_train(grown(self._prepared.split.train, lesson.accepted))

    def _keeps(self, course: _Course, taught: int) -> bool:
        """Whether the folder holds what so many lessons made of the model; after other answers it holds something else."""
        lesson = course.lessons[taught - 1]
        place = course.place / str(lesson.before_round)
        if not (place / _STATE).exists():
            return False
        told = pd.read_parquet(place / _FEEDBACK).to_numpy()
        return bool(np.array_equal(told, lesson.accepted))

    def _read(self, course: _Course, taught: int) -> Recommender:
        lesson = course.lessons[taught - 1]
        model = build_recommender(self._scenario, self._with(lesson)).model
        load(model, course.place / str(lesson.before_round) / _WEIGHTS)
        return model

    def _keep(self, course: _Course, lesson: _Lesson, arm: str, replicate: int, model: Recommender) -> None:
        """The state is written last: without it what else is there does not count."""
        place = course.place / str(lesson.before_round)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        save(model, place / _WEIGHTS)
        table = pd.DataFrame(lesson.accepted, columns=["user", "item"])
        with whole_file(place / _FEEDBACK) as file:
            table.to_parquet(file, index=False)
        told = {"arm": arm, "replicate": replicate, "before_round": lesson.before_round}
        write_json(place / _STATE, {**told, "simulated_interactions": len(table)})


@torch.no_grad()
def _take_over(model: Recommender, before: Recommender) -> None:
    """The parameters of the model before; what it counted of its data stays new."""
    known = dict(before.named_parameters())
    for name, parameter in model.named_parameters():
        parameter.copy_(known[name])
