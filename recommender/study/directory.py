"""The folder of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recommender.trained_directory import TrainedDirectory, new_folder

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from recommender.study.arms import Arm


@dataclass(frozen=True)
class Replicate(TrainedDirectory):
    """The files of one training of one arm: a trained recommender, and how it did."""

    @property
    def per_user(self) -> Path:
        """Test metrics of each user at each length."""
        return self.path / "per_user.parquet"

    @property
    def timings(self) -> Path:
        """Seconds of its steps."""
        return self.path / "timings.json"


@dataclass(frozen=True)
class StudyDirectory:
    """The files of one study, by purpose."""

    path: Path

    @classmethod
    def create(cls, out: Path | None, runs: Path, name: str) -> Self:
        """As `recommender.trained_directory.new_folder`."""
        return cls(new_folder(out, runs, name))

    @property
    def scenario(self) -> Path:
        """The study, every default written out."""
        return self.path / "scenario.yaml"

    @property
    def results(self) -> Path:
        """Metrics, their intervals and paired differences; the same bytes for the same study. Written last."""
        return self.path / "results.json"

    @property
    def timings(self) -> Path:
        """Seconds by arm and seed."""
        return self.path / "timings.json"

    @property
    def per_user(self) -> Path:
        """Test metrics by arm, seed, length and user."""
        return self.path / "per_user.parquet"

    @property
    def table(self) -> Path:
        """The results as Markdown."""
        return self.path / "table.md"

    def figure(self, kind: str) -> Path:
        """The figure: "svg", "png", or "json", its Vega-Lite specification."""
        return self.path / f"figure.{kind}"

    def replicate(self, arm: Arm, seed: int) -> Replicate:
        """Where one training is kept."""
        return Replicate(self.path / "arms" / arm.slug / f"seed-{seed}")
