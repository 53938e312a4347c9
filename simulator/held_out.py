"""Slates of the 1:m task: items that a user is known to have liked, and was never told, among m times as many others."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from agents.randomness import keyed_generator, keyed_permutation
from recommender.data.splitting import concatenate
from simulator.transcript.proposals import Proposal, append_proposals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from recommender.data.dataset import Interactions
    from recommender.data.splitting import Split
    from recommender.pipeline import Prepared
    from simulator.party import Party
    from simulator.planting import Planting
    from simulator.scenario import Scenario
    from simulator.scenario.schema import Slates
    from simulator.transcript.turns import Place


def told_history(scenario: Scenario, split: Split, phase: str) -> Interactions:
    """What users may be told of their past: train alone where validation and test make the slates."""
    return split.train if scenario.slates.source == "held_out" else split.history(phase)


def liked_items(scenario: Scenario, split: Split, phase: str) -> Interactions:
    """The held-out positives: of the phase, or of validation and test together where they make the slates."""
    if scenario.slates.source == "held_out":
        return concatenate(split.validation, split.test)
    return split.targets(phase)


def able_users(scenario: Scenario, prepared: Prepared) -> NDArray[np.bool_]:
    """(U,) whether a user has all that its slate takes; True for everybody where a recommender makes the slates."""
    split, slates = prepared.split, scenario.slates
    users, items = len(split.dataset.users), len(split.dataset.items)
    if slates.source == "recommender":
        return np.ones(users, dtype=bool)
    liked, disliked, known = (
        np.bincount(inter.user, minlength=users)
        for inter in (
            liked_items(scenario, split, "test"),
            prepared.disliked,
            concatenate(split.dataset.interactions, prepared.disliked),
        )
    )
    others = disliked if slates.others == "disliked" else items - known
    able: NDArray[np.bool_] = (liked >= slates.liked_count) & (others >= slates.others_count)
    return able


class HeldOutProposer:
    """Draws every user's slate by seed, and writes each new one down in `journal`, if one is given.

    A slate is a function of the data, the seed, the user and `slates` alone, the same in every arm that agrees in them. Its
    order is drawn and its scores are all 0: neither says which items are liked. `plantings`, by arm, put an item into slates. `recorded` slates stay as they are.
    """

    def __init__(
        self,
        scenario: Scenario,
        prepared: Prepared,
        recorded: Mapping[Place, Proposal],
        journal: Path | None,
        plantings: Mapping[str, Planting] | None = None,
    ) -> None:
        self._plantings = plantings or {}
        self._slates, self._seed = scenario.slates, scenario.seed
        self._recorded, self._journal = recorded, journal
        split = prepared.split
        self._label = split.dataset.label
        self._sets = ItemSets(scenario, prepared)
        self._row = {user: row for row, user in enumerate(split.dataset.users["user_id"])}
        self._items: list[str] = split.dataset.items["item_id"].tolist()
        self._drawn: dict[str, tuple[str, ...]] = {}

    def propose(self, party: Party) -> list[Proposal]:
        """The slate of each user; nothing that was accepted or shown changes it."""
        proposals, fresh = [], []
        for user in party.users:
            proposal = self._recorded.get(party.place(user))
            if proposal is None:
                slate = self._slate(user)
                if party.arm in self._plantings:
                    slate = self._plantings[party.arm].planted(user, slate)
                scores = (0.0,) * len(slate)
                proposal = party.proposal(self._label, user, slate, scores)
                fresh.append(proposal)
            proposals.append(proposal)
        if self._journal is not None:
            append_proposals(self._journal, fresh)
        return proposals

    def _slate(self, user: str) -> tuple[str, ...]:
        if user not in self._drawn:
            liked, others = self._sets.drawn(self._row[user], user)
            both = [*liked, *others]
            order = keyed_permutation(len(both), self._seed, "held-out order", user)
            self._drawn[user] = tuple(self._items[both[place]] for place in order)
        return self._drawn[user]


class ItemSets:
    """Row numbers of the liked items and of the others that make a user's slate."""

    def __init__(self, scenario: Scenario, prepared: Prepared) -> None:
        self._slates: Slates = scenario.slates
        self._seed = scenario.seed
        self._split, self._disliked = prepared.split, prepared.disliked
        self._liked = liked_items(scenario, prepared.split, "test")

    @cached_property
    def _popularity(self) -> NDArray[np.int64]:
        split = self._split
        return np.bincount(split.train.item, minlength=len(split.dataset.items))

    def drawn(self, row: int, user: str) -> tuple[list[int], list[int]]:
        """Those of the user in a row of the users' table, whose id keys every draw."""
        wanted = self._slates.others_count
        held_out = np.sort(_of(self._liked, row))
        # The first places of one permutation: the liked items of a larger m are among those of a smaller one.
        order = keyed_generator(self._seed, "held-out liked", user).permutation(len(held_out))
        liked = held_out[order[: self._slates.liked_count]].tolist()
        if self._slates.others == "matched":
            return liked, self._matched(row, user, liked)
        pool = np.sort(_of(self._disliked, row)) if self._slates.others == "disliked" else self._unseen(row)
        draw = keyed_generator(self._seed, f"held-out {self._slates.others}", user)
        return liked, draw.permutation(pool)[:wanted].tolist()

    def _unseen(self, row: int) -> NDArray[np.int64]:
        """Items that the user is not known to have seen: neither liked nor disliked, at any time."""
        unseen = np.ones(len(self._split.dataset.items), dtype=bool)
        unseen[_of(self._split.dataset.interactions, row)] = False
        unseen[_of(self._disliked, row)] = False
        return np.flatnonzero(unseen)

    def _matched(self, row: int, user: str, liked: Sequence[int]) -> list[int]:
        """For each liked item the m unseen ones next to it by train popularity, none twice."""
        left, chosen = self._unseen(row), list[int]()
        for item in liked:
            draw = keyed_generator(self._seed, "held-out matched", user, item)
            counts = self._popularity[left]
            order = np.lexsort((draw.random(len(left)), counts))
            near = order[nearest_ranks(counts[order], int(self._popularity[item]), self._slates.m, draw)]
            chosen += left[near].tolist()
            left = np.delete(left, near)
        return chosen


def nearest_ranks(
    counts: NDArray[np.int64], count: int, m: int, draw: np.random.Generator
) -> NDArray[np.int64]:
    """The m places of increasing `counts` that are nearest in rank to `count`, increasing.

    As many above as below, as far as there are: by distance in interactions there would be more of the less popular,
    which are denser, and popularity alone would tell the liked item from its matches. Among equals the place is drawn,
    as is the side of an odd one.
    """
    first, last = np.searchsorted(counts, count, "left"), np.searchsorted(counts, count, "right")
    at = int(draw.integers(first, last + 1))
    window = np.arange(max(0, at - m), min(len(counts), at + m))
    # Half places from the gap in which the item would stand; the drawn side wins where two are as near.
    lead = 0.25 if draw.random() < 0.5 else -0.25
    distance = np.abs(window - (at - 0.5) + lead)
    return np.sort(window[np.argsort(distance, kind="stable")[:m]])


def _of(inter: Interactions, row: int) -> NDArray[np.int64]:
    """Items of one user; `inter` is sorted by user."""
    start, end = np.searchsorted(inter.user, row, "left"), np.searchsorted(inter.user, row, "right")
    return inter.item[start:end].astype(np.int64)
