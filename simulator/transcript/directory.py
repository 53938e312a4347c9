"""A run directory: complete in itself, never half-overwritten."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from simulator.transcript.turns import TranscriptError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class RunDirectory:
    """The files of one run, by purpose."""

    path: Path

    @classmethod
    def create(cls, out: Path | None, runs: Path, name: str) -> RunDirectory:
        """Make `out`, or a new folder `runs/NAME-TIME-ID`; TranscriptError if `out` holds anything already."""
        if out is None:
            out = runs / f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        try:
            out.mkdir(parents=True, exist_ok=True)
            if any(out.iterdir()):
                raise TranscriptError(
                    f"{out} is not empty; give --out a new folder, so that no record is overwritten"
                )
        except (FileExistsError, NotADirectoryError):
            raise TranscriptError(f"{out} is a file; give --out a new folder") from None
        except OSError as error:
            raise TranscriptError(
                f"{out}: cannot be made ({error.strerror}); give --out another folder"
            ) from error
        return cls(out)

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
    def scenario(self) -> Path:
        """The scenario, resolved, as run."""
        return self.path / "scenario.yaml"

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
    def weights(self) -> Path:
        """The trained recommender."""
        return self.path / "recommender.pt"

    @property
    def training(self) -> Path:
        """Epochs and full-ranking metrics of the recommender."""
        return self.path / "training.json"

    def candidates(self, phase: str) -> Path:
        """The sampled items of a phase, where the scenario asks for some."""
        return self.path / f"candidates-{phase}.parquet"

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


def write_json(path: Path, value: Any) -> None:
    """Write a file whole or not at all."""
    part = path.with_suffix(path.suffix + ".part")
    with part.open("w", encoding="utf-8", newline="\n") as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_json(path: Path) -> Any:
    """Read a JSON file of a run; TranscriptError if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TranscriptError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise TranscriptError(f"{path}: not JSON ({error}); the file is damaged") from None
