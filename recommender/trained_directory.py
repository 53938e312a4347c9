"""The folder that a trained recommender is kept in; a run directory of the simulator is one as well."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO, Self


class DirectoryError(ValueError):
    """A folder cannot be made or read as asked; the message says why and what to do."""


@dataclass(frozen=True)
class TrainedDirectory:
    """The files of one training, by purpose."""

    path: Path

    @classmethod
    def create(cls, out: Path | None, runs: Path, name: str) -> Self:
        """Make `out`, or a new folder `runs/NAME-TIME-ID`; DirectoryError if `out` holds anything already."""
        return cls(new_folder(out, runs, name))

    @property
    def scenario(self) -> Path:
        """The scenario, resolved, as run."""
        return self.path / "scenario.yaml"

    @property
    def weights(self) -> Path:
        """The trained recommender."""
        return self.path / "recommender.pt"

    @property
    def training(self) -> Path:
        """Epochs and full-ranking metrics of the recommender; written last."""
        return self.path / "training.json"

    @property
    def checkpoint(self) -> Path:
        """Training as far as it has come; there only while it is unfinished."""
        return self.path / "checkpoint.pt"

    def candidates(self, phase: str) -> Path:
        """The sampled items of a phase, where the scenario asks for some."""
        return self.path / f"candidates-{phase}.parquet"


def new_folder(out: Path | None, runs: Path, name: str) -> Path:
    """Make `out`, or a new folder `runs/NAME-TIME-ID`; DirectoryError if `out` holds anything already."""
    if out is None:
        out = runs / f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise DirectoryError(
                f"{out} is not empty; give --out a new folder, so that no record is overwritten"
            )
    except (FileExistsError, NotADirectoryError):
        raise DirectoryError(f"{out} is a file; give --out a new folder") from None
    except OSError as error:
        raise DirectoryError(
            f"{out}: cannot be made ({error.strerror}); give --out another folder"
        ) from error
    return out


def require_begun(folder: Path) -> Path:
    """The folder that is to be gone on with; DirectoryError where none was begun in it."""
    if not (folder / "scenario.yaml").is_file():
        raise DirectoryError(
            f"{folder}: there is nothing to go on with, it holds no scenario.yaml; give --resume the folder that was printed at the start"
        )
    return folder


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that takes its place at the end of the block, whole, or not at all."""
    part = path.with_suffix(path.suffix + ".part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    part.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    with whole_file(path) as file:
        file.write(text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write a file whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file of a folder; DirectoryError if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DirectoryError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise DirectoryError(f"{path}: not JSON ({error}); the file is damaged") from None
