"""Where slates come from: a trained recommender, or the record of a run."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from recommender.data.histories import Histories
from recommender.evaluation import propose
from simulator.learning import grown
from simulator.transcript.proposals import Proposal, append_proposals, read_proposals
from simulator.transcript.turns import TranscriptError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from recommender.data.dataset import Interactions
    from recommender.data.splitting import Split
    from recommender.models import Recommender
    from recommender.ranking import Slate
    from recommender.truncation import Known
    from simulator.learning import Learner
    from simulator.party import Party
    from simulator.planting import Planting
    from simulator.transcript.turns import Place


class Proposer(Protocol):
    """Gives every user of an arm its slate."""

    def propose(self, party: Party) -> list[Proposal]:
        """One proposal per user, in order; one without items where nothing is left to propose."""
        ...


class Listed(NamedTuple):
    """What a source has for one user: item ids, best first, and scores."""

    items: tuple[str, ...]
    scores: tuple[float, ...]
    sources: tuple[str, ...] = ()
    """Of each item, who brought it; () where there is one recommender."""


class Source(Protocol):
    """Makes lists, and writes nothing down."""

    def hear(self, party: Party) -> None:
        """Before every test round, whether lists of it are then asked for or not."""
        ...

    def lists(self, party: Party) -> list[Listed]:
        """One for each user, in order."""
        ...


class Ranker:
    """The lists of one model. What arms or replicates have in common is computed once in a round.

    `known` maps an arm, as it is recorded, to what is known of its users, `learners` to what trains its model further. Items of the
    whole history are never proposed, however short the truncated one is: lists of all arms compete for the same targets.
    """

    def __init__(
        self,
        model: Recommender,
        split: Split,
        known: Mapping[str, Known],
        size: int,
        learners: Mapping[str, Learner] | None = None,
    ) -> None:
        self._model, self._split, self._known, self._size = model, split, known, size
        # Filled after this is made: learners begin from the same model.
        self._learners = {} if learners is None else learners
        self._user = {user: row for row, user in enumerate(split.dataset.users["user_id"])}
        self._items: list[str] = split.dataset.items["item_id"].tolist()
        self._item = {item: row for row, item in enumerate(self._items)}
        self._round: tuple[str, int] | None = None
        self._slates: dict[tuple[object, ...], list[Listed]] = {}
        """Of this round, by all that they are a function of: model, what is known, users, what each accepted and was shown before."""

    def hear(self, party: Party) -> None:
        """See `Source`."""
        if (learner := self._learners.get(party.arm)) is not None:
            learner.hear(party.arm, party.replicate, party.round, self._simulated(party.accepted))

    def lists(self, party: Party) -> list[Listed]:
        """One pass over these users."""
        users = party.users
        if self._round != (party.phase, party.round):
            self._round, self._slates = (party.phase, party.round), {}
        learner = self._learners.get(party.arm) if party.phase == "test" else None
        model = self._model if learner is None else learner.model(party.arm, party.replicate)
        added = (tuple(tuple(each.get(user, ())) for user in users) for each in (party.accepted, party.shown))
        basis = (model, self._known[party.arm].length, tuple(users), *added)
        if basis not in self._slates:
            slates = self._propose(model, party)
            self._slates[basis] = [
                Listed(
                    tuple(self._items[item] for item in slate.items),
                    # Seven digits hold a float32; more would be noise of the conversion.
                    tuple(float(f"{score:.7g}") for score in slate.scores),
                )
                for slate in slates
            ]
        return self._slates[basis]

    def _propose(self, model: Recommender, party: Party) -> list[Slate]:
        known, users, whole = self._known[party.arm], party.users, self._split.history(party.phase)
        count = len(self._user)
        accepted, shown = (
            {user: each.get(user, ()) for user in users} for each in (party.accepted, party.shown)
        )
        return propose(
            model,
            np.array([self._user[user] for user in users], dtype=np.int64),
            Histories.of(self._grown(known.history(whole), accepted), count),
            known.profile(whole),
            Histories.of(self._grown(whole, shown), count),
            self._size,
        )

    def _grown(self, history: Interactions, extra: Mapping[str, Sequence[str]]) -> Interactions:
        return grown(history, self._simulated(extra))

    def _simulated(self, extra: Mapping[str, Sequence[str]]) -> NDArray[np.int32]:
        """(n, 2) rows of users and of items."""
        rows = [(self._user[user], self._item[item]) for user, items in extra.items() for item in items]
        return np.array(rows, dtype=np.int32).reshape(-1, 2)


class RecommenderProposer:
    """Proposes what a source lists, and writes each new proposal down in `journal`, if one is given.

    What was `recorded` before a run goes on stays as it is. `plantings`, by arm, put an item into slates.
    """

    def __init__(
        self,
        source: Source,
        data: str,
        recorded: Mapping[Place, Proposal],
        journal: Path | None,
        plantings: Mapping[str, Planting] | None = None,
    ) -> None:
        self._source, self._data = source, data
        self._plantings = plantings or {}
        self._recorded, self._journal = recorded, journal

    def propose(self, party: Party) -> list[Proposal]:
        """One pass over these users of the arm."""
        if party.phase == "test":
            self._source.hear(party)
        recorded = [self._recorded.get(party.place(user)) for user in party.users]
        known = [proposal for proposal in recorded if proposal is not None]
        if len(known) == len(party.users):
            return known
        proposals = [
            party.proposal(
                self._data, user, self._planted(party.arm, user, listed.items), listed.scores, listed.sources
            )
            for user, listed in zip(party.users, self._source.lists(party), strict=True)
        ]
        # All of them were computed, recorded ones too, since a score may depend in its last digit on its batch.
        fresh = [proposal for proposal, old in zip(proposals, recorded, strict=True) if old is None]
        if self._journal is not None:
            append_proposals(self._journal, fresh)
        return [old or proposal for proposal, old in zip(proposals, recorded, strict=True)]

    def _planted(self, arm: str, user: str, slate: tuple[str, ...]) -> tuple[str, ...]:
        planting = self._plantings.get(arm)
        return slate if planting is None else planting.planted(user, slate)


class RecordedProposer:
    """Proposes what a run recorded; a gap is an error, never a fresh guess."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._recorded = read_proposals(journal)

    def propose(self, party: Party) -> list[Proposal]:
        """The recorded proposals of these users."""
        missing = [user for user in party.users if party.place(user) not in self._recorded]
        if missing:
            by_arm: dict[str, int] = defaultdict(int)
            for place in self._recorded:
                by_arm[place[0]] += 1
            held = ", ".join(f"{name} ({count})" for name, count in by_arm.items()) or "none"
            raise TranscriptError(
                f"{self._journal}: no proposal for arm {party.arm}, {party.phase}, round {party.round}, user {missing[0]} "
                f"({len(missing)} missing); it holds: {held}. Replay the scenario that was run"
            )
        return [self._recorded[party.place(user)] for user in party.users]
