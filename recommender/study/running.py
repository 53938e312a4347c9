"""The trainings of a study, each only once."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pandas as pd

from recommender.configuration import Setup
from recommender.data.dataset import DataError
from recommender.models import ModelError
from recommender.pipeline import build_recommender, describe, prepare_data, train_recommender
from recommender.study.measuring import known_users, measure, metric_names
from recommender.trained_directory import DirectoryError, read_json, write_json
from recommender.training import save
from scenarios.reading import dump, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from recommender.configuration import Data, Study
    from recommender.pipeline import Prepared
    from recommender.stages import Stages
    from recommender.study.arms import Arm
    from recommender.study.directory import Replicate, StudyDirectory


def seeds(study: Study) -> range:
    """Of the replicates, the same for every arm."""
    return range(study.seed, study.seed + study.replicates)


def train_arms(
    study: Study, arms: Sequence[Arm], directory: StudyDirectory, stages: Stages, jobs: int = 1
) -> pd.DataFrame:
    """Train what is not trained yet; the rows of `measure` for every arm and seed, in the order of `arms`.

    With several `jobs`, so many trainings go on at a time, each in a process of its own, which reads the data again.

    Data are read once for each data section. Every arm's model is built once before any is trained, so that one which
    cannot be built stops the study at its beginning. Raises DirectoryError where what is there is of another study.
    """
    prepared: dict[Data, Prepared] = {}
    for arm in arms:
        if arm.setup.data not in prepared:
            with stages.stage("data"), _naming(arm):
                prepared[arm.setup.data] = prepare_data(arm.setup)
                if study.lengths:
                    known_users(prepared[arm.setup.data], study.lengths)
    planned = [(arm, seed, directory.replicate(arm, seed)) for arm in arms for seed in seeds(study)]
    waiting = []
    for arm, seed, place in planned:
        if place.training.exists():
            _require_same(place, arm.replicate(seed), prepared[arm.setup.data], study)
        else:
            waiting.append((arm, seed, place))
    if waiting:
        with stages.stage("features and models") as advance:
            for arm in {arm.name: arm for arm, _, _ in waiting}.values():
                with _naming(arm):
                    build_recommender(arm.setup, prepared[arm.setup.data], advance)
    if jobs > 1 and len(waiting) > 1:
        _train_in_processes(study, waiting, stages, jobs)
        waiting = []
    for number, (arm, seed, place) in enumerate(waiting, 1):
        told = f"{arm.name}, seed {seed} ({number} of {len(waiting)})"
        with stages.stage(told) as advance, _naming(arm):
            _train(arm.replicate(seed), prepared[arm.setup.data], study, place, advance)
    parts = []
    for arm, seed, place in planned:
        part = pd.read_parquet(place.per_user)
        part.insert(0, "arm", arm.name)
        part.insert(1, "seed", seed)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _train_in_processes(
    study: Study, waiting: Sequence[tuple[Arm, int, Replicate]], stages: Stages, jobs: int
) -> None:
    """Train `jobs` replicates at a time. What another has finished is kept when one fails."""
    # Spawned: neither torch's threads nor its CUDA context survive a fork.
    pool = ProcessPoolExecutor(min(jobs, len(waiting)), mp_context=get_context("spawn"))
    with pool, stages.stage(f"{len(waiting)} trainings, {jobs} at a time") as advance:
        works = {pool.submit(_train_alone, study, arm, seed, place): arm for arm, seed, place in waiting}
        try:
            for done, work in enumerate(as_completed(works), 1):
                work.result()
                advance(done, len(works), works[work].name)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _train_alone(study: Study, arm: Arm, seed: int, place: Replicate) -> None:
    """Train one replicate in a process that may have read nothing yet."""
    with _naming(arm):
        _train(arm.replicate(seed), _prepared(arm.setup), study, place, lambda done, planned, note: None)


_PREPARED: dict[Data, Prepared] = {}
"""Of this process: one that trains several replicates reads their data once."""


def _prepared(setup: Setup) -> Prepared:
    if setup.data not in _PREPARED:
        _PREPARED[setup.data] = prepare_data(setup)
    return _PREPARED[setup.data]


def _train(
    setup: Setup, prepared: Prepared, study: Study, place: Replicate, advance: Callable[[int, int, str], None]
) -> None:
    """Train, test and store one replicate, from its checkpoint where there is one."""
    place.path.mkdir(parents=True, exist_ok=True)
    place.scenario.write_text(dump(setup), encoding="utf-8")
    began = time.perf_counter()
    built = build_recommender(setup, prepared, advance)
    building = time.perf_counter() - began
    log = train_recommender(setup, prepared, built, advance, place.checkpoint)
    began = time.perf_counter()
    told = describe(setup, prepared, built, log, place.candidates)
    measure(built.model, prepared, study.lengths, study.cutoffs).to_parquet(place.per_user, index=False)
    save(built.model, place.weights)
    # The epochs' own seconds are in the checkpoint: a training that was stopped in between counts whole, and once.
    training = sum(epoch.seconds for epoch in log.epochs)
    seconds = {"building": building, "training": training, "evaluation": time.perf_counter() - began}
    write_json(place.timings, {name: round(value, 3) for name, value in seconds.items()})
    write_json(place.training, told)
    place.checkpoint.unlink(missing_ok=True)


def _require_same(place: Replicate, expected: Setup, prepared: Prepared, study: Study) -> None:
    """DirectoryError where a finished replicate is not the one that is now asked for."""
    if _essence(read(Setup, place.scenario)) != _essence(expected):
        raise DirectoryError(
            f"{place.path}: trained with other options than this arm has now; give the arm another name, or begin a new study"
        )
    if read_json(place.training)["fingerprint"] != prepared.fingerprint:
        raise DataError(f"{place.path}: trained on other data; point --set data.path at those of this study")
    kept = pd.read_parquet(place.per_user)
    measured = list(kept.columns[2:]), tuple(kept["length"].dropna().unique())
    if measured != (metric_names(study.cutoffs), study.lengths):
        raise DirectoryError(
            f"{place.path}: measured at other cutoffs or cold_start.lengths than the study has now; begin a new study"
        )


def _essence(setup: Setup) -> dict[str, Any]:
    """All that a training is a function of, but for where things are; the content of data has its own fingerprint."""
    return setup.model_dump(
        mode="json",
        include={"seed", "data", "features", "recommender"},
        exclude={"data": {"path", "texts"}, "recommender": {"device"}},
    )


@contextmanager
def _naming(arm: Arm) -> Iterator[None]:
    """What goes wrong says in which arm."""
    try:
        yield
    except (DataError, ModelError) as error:
        raise type(error)(f"arm {arm.name!r}: {error}") from error
