"""Two sides trained by turns: an epoch of one, an epoch of the other, and the same rule of when to stop."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Protocol

from benchmarks.peers.sides import Seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.peers.sides import Side

PATIENCE = 3
"""Validations without a better NDCG@10 before a side stops."""


@dataclass(frozen=True)
class Plan:
    """What is measured of both sides."""

    max_epochs: int
    timed: int = 3
    """Epochs and evaluations that are timed, after one of each that is not."""
    speed: bool = True
    quality: bool = True

    @property
    def epochs(self) -> int:
        """At most so many: without quality no more than are timed."""
        return self.max_epochs if self.quality else min(self.max_epochs, self.timed + 1)


class _Validation(Protocol):
    def __call__(self, side: Side) -> float:
        """NDCG@10 of a side's validation."""


@dataclass
class Course:
    """How one side's training went."""

    side: Side
    epochs: list[Seconds] = field(default_factory=list)
    evaluations: list[Seconds] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    """NDCG@10 after each epoch; empty where only speed is measured."""

    @property
    def best_epoch(self) -> int:
        """Number of the epoch with the best validation; 0 before the first."""
        return 1 + self.validation.index(max(self.validation)) if self.validation else 0

    @property
    def best(self) -> float:
        """Its NDCG@10."""
        return max(self.validation, default=-1.0)

    @property
    def converged(self) -> bool:
        """Whether patience has ended the training, or would."""
        return len(self.validation) - self.best_epoch >= PATIENCE


def alternate(
    sides: Sequence[Side],
    plan: Plan,
    validate: _Validation,
    report: Callable[[int, Sequence[Course]], None] = lambda epoch, courses: None,
) -> list[Course]:
    """Train all sides by turns; each is left with its best weights if quality is measured.

    A side that has converged stops, and the others go on alone. `report` is called after each round.
    """
    courses = [Course(side) for side in sides]
    for epoch in range(1, plan.epochs + 1):
        active = [course for course in courses if not course.converged]
        if not active:
            break
        for course in active:
            course.epochs.append(course.side.epoch())
        if plan.speed and epoch <= plan.timed + 1:
            for course in active:
                course.evaluations.append(course.side.evaluate())
        if plan.quality:
            for course in active:
                ndcg = validate(course.side)
                if ndcg > course.best:
                    course.side.keep()
                course.validation.append(ndcg)
        report(epoch, courses)
    if plan.quality:
        for course in courses:
            course.side.restore()
    return courses


def typical(measured: Sequence[Seconds], timed: int) -> Seconds | None:
    """The medians of `timed` measurements after the first, which warms up; None where there are none."""
    counted = measured[1 : timed + 1]
    return Seconds(*map(median, zip(*counted, strict=True))) if counted else None


def ratios(theirs: Seconds | None, ours: Seconds | None) -> tuple[float | None, float | None]:
    """Their time over ours, wall and processor; None where one was not measured."""
    if theirs is None or ours is None:
        return None, None
    return round(theirs.wall / ours.wall, 2), round(theirs.cpu / ours.cpu, 2)
