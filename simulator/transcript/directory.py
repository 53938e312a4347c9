"""A run directory: complete in itself, never half-overwritten."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from recommender.trained_directory import TrainedDirectory, write_json, write_text
from simulator.transcript.turns import TranscriptError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


RECOMMENDERS = "recommenders"
"""The folder of recommenders in a run that has arms."""
CHALLENGERS = "challengers"
"""The folder of those that share the traffic with the run's own."""


@dataclass(frozen=True)
class RunDirectory(TrainedDirectory):
    """The files of one run, by purpose."""

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """An existing run; TranscriptError names what is missing."""
        run = cls(path)
        trained = [each.training for each in run.all_trained()]
        for file in (run.scenario, run.manifest, run.calls, run.proposals, *trained):
            if not file.is_file():
                raise TranscriptError(
                    f"{file}: no such file; {path} is not a run directory that can be replayed"
                )
        return run

    @classmethod
    def begun(cls, path: Path) -> RunDirectory:
        """A run to go on with, finished or not; TranscriptError if there is none."""
        run = cls(path)
        if not run.scenario.is_file() or not run.manifest.is_file():
            raise TranscriptError(
                f"{path}: no run was begun here (there is no scenario.yaml with its manifest.json); "
                "start one with a scenario file, and --out if it is to be here"
            )
        return run

    def begin(self, scenario: str, manifest: Mapping[str, Any]) -> None:
        """Write what the run is. From the moment the scenario is there, last, it can be resumed."""
        write_json(self.manifest, manifest)
        write_text(self.scenario, scenario)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from going on with this run meanwhile; TranscriptError if one does."""
        lock = self.path / "run.lock"
        try:
            with FileLock(lock, timeout=0):
                yield
                lock.unlink(missing_ok=True)
        except Timeout:
            raise TranscriptError(
                f"{self.path}: another process is at this run; wait for its end, or stop it"
            ) from None

    @property
    def complete(self) -> bool:
        """Whether the run came to its end: its summary is written last."""
        return self.summary.is_file()

    def trained(self, name: str) -> TrainedDirectory:
        """A trained recommender, by its folder as the manifest names it; "" is the run directory."""
        return TrainedDirectory(self.path / name)

    def all_trained(self) -> list[TrainedDirectory]:
        """The recommenders: the run directory itself, or one folder for each that its arms have."""
        found = [each for each in (self.path / RECOMMENDERS).glob("*/") if each.name.isdecimal()]
        folders = sorted(found, key=lambda folder: int(folder.name))
        return [TrainedDirectory(folder) for folder in folders] or [self]

    def challenger(self, number: int) -> TrainedDirectory:
        """A recommender that shares the traffic with the run's own, by its number, from 1."""
        return TrainedDirectory(self.path / CHALLENGERS / str(number))

    def all_challengers(self) -> list[TrainedDirectory]:
        """Those that there are."""
        found = sorted((self.path / CHALLENGERS).glob("*/"), key=lambda folder: int(folder.name))
        return [TrainedDirectory(folder) for folder in found]

    def copy_record(self, other: RunDirectory) -> None:
        """Put the record of this run, of which a replay is made, into a new one."""
        for file in (
            self.calls,
            self.proposals,
            *(each.training for each in (*self.all_trained(), *self.all_challengers())),
        ):
            place = other.path / file.relative_to(self.path)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)

    @property
    def retrained(self) -> Path:
        """A folder of recommenders that were trained further: NUMBER OF THE ARM/LENGTH-REPLICATE/BEFORE ROUND."""
        return self.path / "retrained"

    @property
    def manifest(self) -> Path:
        """Versions, hashes, seeds, who answered."""
        return self.path / "manifest.json"

    @property
    def calls(self) -> Path:
        """The journal: every finished call."""
        return self.path / "calls.jsonl"

    @property
    def shards(self) -> Path:
        """A folder of journals of actors, while a run is played by some."""
        return self.path / "shards"

    @property
    def batches(self) -> Path:
        """Which batches were sent (`users.send: batch`)."""
        return self.path / "batches.jsonl"

    @property
    def interviews(self) -> Path:
        """A folder of what its users were asked afterwards, with a journal of its own."""
        return self.path / "interviews"

    @property
    def proposals(self) -> Path:
        """Every slate the recommender proposed."""
        return self.path / "proposals.jsonl"

    @property
    def turns(self) -> Path:
        """Every planned turn."""
        return self.path / "turns.jsonl"

    @property
    def metrics(self) -> Path:
        """HR and NDCG of every list."""
        return self.path / "metrics.json"

    @property
    def per_user(self) -> Path:
        """The same, per user."""
        return self.path / "per_user.parquet"

    @property
    def items(self) -> Path:
        """The items of all slates: title and train interactions."""
        return self.path / "items.parquet"

    @property
    def users(self) -> Path:
        """The users of the test, in their order, and who of them joins later."""
        return self.path / "users.parquet"

    @property
    def summary(self) -> Path:
        """Parse statuses, calls, cost, time, memory, the chosen weight; written last, when the run is complete."""
        return self.path / "summary.json"
