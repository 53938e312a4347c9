"""A run directory: complete in itself, never half-overwritten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recommender.trained_directory import TrainedDirectory
from simulator.transcript.turns import TranscriptError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class RunDirectory(TrainedDirectory):
    """The files of one run, by purpose."""

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """An existing run; TranscriptError names what is missing."""
        run = cls(path)
        for file in (run.scenario, run.manifest, run.calls, run.proposals, run.training):
            if not file.is_file():
                raise TranscriptError(
                    f"{file}: no such file; {path} is not a run directory that can be replayed"
                )
        return run

    @property
    def manifest(self) -> Path:
        """Versions, hashes, seeds, who answered."""
        return self.path / "manifest.json"

    @property
    def calls(self) -> Path:
        """The journal: every finished call."""
        return self.path / "calls.jsonl"

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
    def summary(self) -> Path:
        """Parse statuses, calls, tokens, time, memory, the chosen weight."""
        return self.path / "summary.json"
