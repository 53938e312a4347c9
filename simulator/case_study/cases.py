"""What a case study tells of two users: the values, numbers and texts of the paper's Fig. 5 to 7."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recommender.interests import InterestUse
    from simulator.case_study.agreement import Agreement

Judged = Literal["accepted", "rejected", "undecided"]


@dataclass(frozen=True)
class Interest:
    """One of the K interests of a user."""

    number: int
    """From 1; the same number is the same capsule of the model in every user."""
    genres: tuple[str, ...]
    """What its history items are more often than the user's others, at most two, the most marked first; a reader's name for it, of
    which the model knows nothing."""
    weights: Mapping[str, float]
    """x_k of Eq. 9 by profile field, each from 0 to 1."""

    @property
    def label(self) -> str:
        """Number and genres."""
        return f"{self.number}: {', '.join(self.genres)}" if self.genres else str(self.number)


@dataclass(frozen=True)
class HistoryItem:
    """One item that the recommender read of the user."""

    item_id: str
    title: str
    genres: tuple[str, ...]
    attention: float
    """a_t of Eq. 4, from 0 to 1."""
    routing: tuple[float, ...]
    """c_tk of Eq. 6 for each interest; they sum to 1."""
    interest: int
    """The number of the interest with the largest share."""


@dataclass(frozen=True)
class Candidate:
    """One item that was proposed, and what became of it."""

    item_id: str
    title: str
    genres: tuple[str, ...]
    likes: tuple[float, ...]
    """o_k . e_i for each interest."""
    interest: int
    """The number of the interest that proposed it: argmax of `likes`."""
    score: float
    """As recorded."""
    before: int
    """Its place in the recommender's list, from 1."""
    after: int | None
    """Its place in the list that was shown in the end; None where it is not in it."""
    judged: Judged
    """By the simulated user."""
    held_out: bool
    """Whether the person behind the data went on to take it."""
    planted: bool
    """Put into the list by the scenario, not by the recommender."""


@dataclass(frozen=True)
class Said:
    """One call: what the agent was sent, and what it replied."""

    messages: tuple[tuple[str, str], ...]
    """(role, text), in order."""
    reply: str | None
    """None where no answer came, for the reason in `error`."""
    error: str | None


@dataclass(frozen=True)
class Case:
    """One user in the first round of the test."""

    user_id: str
    profile: Mapping[str, str]
    """Label of each field, as the recommender reads it."""
    interests: tuple[Interest, ...]
    history: tuple[HistoryItem, ...]
    """Oldest first."""
    candidates: tuple[Candidate, ...]
    """Best first."""
    status: str
    """How the reply was read, of agents.reply.Status."""
    fallback: bool
    """Whether the reply could not be used, so that the recommender's list was shown."""
    dialogue: tuple[Said, ...]


@dataclass(frozen=True)
class Spread:
    """A profile weight over all simulated users of the arm, to hold those of two users against."""

    mean: float
    sd: float
    """0 for one user."""


@dataclass(frozen=True)
class CaseStudy:
    """Two users of one arm of a finished run."""

    data: str
    """Name of the data; says so where they are synthetic."""
    client: str
    """Who answered; says so where it is no language model."""
    model: str
    arm: str
    n: int
    """Length of the list that is shown."""
    chosen_by: str
    """The rule by which the users were chosen, in words."""
    users: int
    """Simulated in the arm."""
    fields: tuple[str, ...]
    """Of the profile."""
    population: tuple[Mapping[str, Spread], ...]
    """Of each interest, by profile field."""
    use: InterestUse | None
    """How different the interests of the simulated users are; None where a user has one."""
    use_over: int
    """Users that `use` is about."""
    agreement: Agreement
    """Whether what is routed to one interest is alike, over all simulated users."""
    score_distance: float
    """The largest distance between a recorded score and what the model of the run directory gives now."""
    cases: tuple[Case, ...]
