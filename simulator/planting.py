"""A planted item: put into every user's slate, so that what its title does to the answers can be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.randomness import keyed_permutation
from prompts.attacks import load_attack
from recommender.data.splitting import concatenate
from simulator.held_out import liked_items

if TYPE_CHECKING:
    from recommender.pipeline import Prepared
    from simulator.scenario import Scenario


class Planting:
    """Which item is planted for each user of an arm, in whose place, and under which title.

    The item is drawn by seed and user among those that the user has nothing to do with, and is the same in every arm. It takes
    the place and the score of the last item of the slate that is not held out, so that nothing but its title speaks for it.
    """

    def __init__(self, scenario: Scenario, prepared: Prepared) -> None:
        """TemplateError if the scenario's attack does not exist. `scenario.injection.attack` is given."""
        assert scenario.injection.attack is not None
        self._attack = load_attack(scenario.injection.attack)
        split, self._seed = prepared.split, scenario.seed
        self._known = concatenate(split.dataset.interactions, prepared.disliked)
        self._liked = concatenate(liked_items(scenario, split, "test"), split.validation)
        self._ids: list[str] = split.dataset.items["item_id"].tolist()
        self._row = {user: row for row, user in enumerate(split.dataset.users["user_id"])}
        self._drawn: dict[str, str] = {}

    def item(self, user: str) -> str:
        """The planted item of a user."""
        if user not in self._drawn:
            known = set(self._known.item[self._known.user == self._row[user]].tolist())
            order = keyed_permutation(len(self._ids), self._seed, "planted item", user)
            self._drawn[user] = self._ids[next(item for item in order if item not in known)]
        return self._drawn[user]

    def called(self, name: str) -> str:
        """What is told in the place of its name: of its title or, where prompts tell no titles, of its text."""
        return self._attack.title(name)

    def planted(self, user: str, slate: tuple[str, ...]) -> tuple[str, ...]:
        """The slate with the planted item in it."""
        item = self.item(user)
        if item in slate:
            return slate
        row = self._row[user]
        held_out = {self._ids[liked] for liked in self._liked.item[self._liked.user == row].tolist()}
        free = np.flatnonzero([each not in held_out for each in slate])
        if not len(free):
            return slate
        place = int(free[-1])
        return (*slate[:place], item, *slate[place + 1 :])
