"""The `study` section of a scenario: what is declared of a comparison before anybody is asked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from scenarios.section import Positive, Section

_Between = Annotated[float, Field(gt=0, lt=1)]


class StudyPlan(Section):
    """What the arms are compared by. Written down before the run, it cannot be chosen by what came out."""

    primary: str | None = None
    """The one metric that decides, such as ndcg@20 (auc, f1, ... of held-out slates); null: NDCG at the largest cutoff, or auc."""
    list: Literal["refined", "audience_alone", "audience"] | None = None
    """Whose primary metric: refined (after the audience, the default) or audience_alone (its own order); of held-out slates
    audience."""
    family: Annotated[tuple[str, ...] | None, Field(strict=False)] = None
    """Arms whose primary comparisons with the first arm count together (Holm); null: all. The others are hints."""
    planned_users: Annotated[int, Field(ge=2)] | None = None
    """Users the study is planned for; a run with fewer is labelled interim. null: users.count."""
    alpha: _Between = 0.05
    """False alarms tolerated in the family, two-sided."""
    power: _Between = 0.8
    """Probability of finding a true difference that the users needed are computed for; more than alpha."""
    smallest_effect: Positive | None = None
    """The smallest difference of the primary metric that would matter; null: users needed are told of the measured one."""
    expected_sd: Positive | None = None
    """Standard deviation of the differences within users, for --dry-run: an assumption, or `sd` of a pilot's summary.json."""

    @field_validator("family")
    @classmethod
    def _each_once(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and (not value or len(set(value)) < len(value)):
            raise ValueError("should name one arm at least, and each once")
        return value
