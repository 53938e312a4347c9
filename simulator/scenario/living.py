"""Sections of a scenario that say how its world lives: who comes, stays and leaves over rounds, and what the recommender learns."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue, ValidationInfo, field_validator

from scenarios.section import Count, Section, Share

Chance = Annotated[float, Field(gt=0, le=1)]


class Population(Section):
    """Who is there in a round. The defaults are a population in which everybody comes to every round and stays."""

    pages: Count = 1
    """Rounds of a session: whoever comes to one sees up to so many pages, one a round. rounds is a multiple of it."""
    activity: Chance = 1.0
    """Chance that a user comes to a session."""
    fatigue: Share = 0.0
    """Of a session: after its p-th page a user turns to the next with chance (1 - fatigue) to the power of p."""
    satisfaction: Share = 0.5
    """Of a user who has seen nothing yet, from 0, discontent, to 1, content."""
    satisfaction_rate: Share = 0.3
    """How much one page counts: satisfaction moves so far of the way towards what the page was worth."""
    expects: Chance = 0.5
    """Share of a shown list that leaves a user wholly content if it accepts so much; less is worth less, in proportion."""
    churn: Share = 0.0
    """Chance that a wholly discontent user leaves for good after a session; it falls to 0 with satisfaction, in proportion."""
    newcomers: Annotated[int, Field(ge=0)] = 0
    """Users who join at each session after the first, beside users.count. No recommender is trained on them before they come."""
    newcomer_history: Count = 1
    """Newest interactions that are known of a newcomer."""

    def sessions(self, rounds: int) -> int:
        """How many so many rounds are."""
        return rounds // self.pages

    def session(self, number: int) -> int:
        """That of round `number`, both from 1."""
        return (number - 1) // self.pages + 1

    def joining(self, rounds: int) -> int:
        """Newcomers of all so many rounds."""
        return self.newcomers * (self.sessions(rounds) - 1)

    @property
    def still(self) -> bool:
        """Whether everybody comes to every round, and nobody joins or leaves."""
        return self.activity == 1 and not (self.fatigue or self.churn or self.newcomers)


class Learning(Section):
    """What the recommender learns from the simulated audience."""

    retrain_every: Count | None = None
    """Before the next round after so many, the recommender is trained further, on train and on what its users accepted of what
    they were shown, never on what is held out. Each replicate has a model of its own. null: it stays as it was trained."""
    epochs: Count = 1
    """Passes of each retraining, the last of which is kept."""


def _of_a_recommender(key: str) -> str:
    section, _, rest = key.partition(".")
    if section not in {"recommender", "features"} or not all(rest.split(".")):
        raise ValueError("should be a dotted key below recommender or features, such as recommender.model")
    return key


class Traffic(Section):
    """Several recommenders before one population, as in production: the scenario's own, the control, and its challengers."""

    mode: Literal["split", "interleaved"] = "interleaved"
    """split: each user has one of them for good, drawn in equal parts; interleaved: each slate is drafted from the lists of all of
    them (team draft, Radlinski, Kurup and Joachims 2008), and whoever brought an item has the credit if it is accepted."""
    control: str = "control"
    """Name of the scenario's own recommender."""
    challengers: Annotated[
        dict[str, dict[Annotated[str, AfterValidator(_of_a_recommender)], JsonValue]], Field(min_length=1)
    ]
    """By name, the dotted keys below recommender and features in which it differs from the control."""

    @field_validator("challengers")
    @classmethod
    def _named_apart(
        cls, value: dict[str, dict[str, JsonValue]], info: ValidationInfo
    ) -> dict[str, dict[str, JsonValue]]:
        if info.data.get("control") in value:
            raise ValueError(f"should have other names than the control's, {info.data['control']!r}")
        return value
