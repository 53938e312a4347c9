"""Several recommenders before one population: users split among them, or their lists interleaved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.randomness import keyed_permutation
from simulator.proposing import Listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.party import Party
    from simulator.proposing import Source


def split_users(users: Sequence[str], names: Sequence[str], seed: int) -> dict[str, str]:
    """The recommender of each user, drawn so that each has as many, give or take one."""
    order = keyed_permutation(len(users), seed, "traffic")
    return {users[place]: names[number % len(names)] for number, place in enumerate(order)}


def team_draft(
    lists: Mapping[str, Listed], size: int, seed: int, *key: str | int
) -> tuple[list[str], list[str]]:
    """Items of one list, and who brought each: at most `size`.

    Team draft for any number of teams (Schuth et al. 2014): in every draft the teams choose in an order drawn anew, each the
    best of its own list that is not taken. Equal lists have equal credit on average, whatever stands in them.
    """
    names = list(lists)
    left = {name: iter(listed.items) for name, listed in lists.items()}
    items: list[str] = []
    brought: list[str] = []
    taken: set[str] = set()
    draft = 0
    while left and len(items) < size:
        for place in keyed_permutation(len(names), seed, "team draft", *key, draft):
            name = names[place]
            if name not in left or len(items) == size:
                continue
            best = next((item for item in left[name] if item not in taken), None)
            if best is None:
                del left[name]
                continue
            items.append(best)
            brought.append(name)
            taken.add(best)
        draft += 1
    return items, brought


class SplitTraffic:
    """Each user has one of the recommenders for good."""

    def __init__(self, sources: Mapping[str, Source], assigned: Mapping[str, str]) -> None:
        """`assigned` is the name of each user's."""
        self._sources, self._assigned = sources, assigned

    def hear(self, party: Party) -> None:
        """All of them learn from everybody: a log is shared."""
        for source in self._sources.values():
            source.hear(party)

    def lists(self, party: Party) -> list[Listed]:
        """One for each user, in order."""
        found: dict[str, Listed] = {}
        for name, source in self._sources.items():
            own = [user for user in party.users if self._assigned[user] == name]
            if own:
                lists = source.lists(party._replace(users=own))
                for user, listed in zip(own, lists, strict=True):
                    found[user] = listed._replace(sources=(name,) * len(listed.items))
        return [found[user] for user in party.users]


class InterleavedTraffic:
    """Each slate is drafted from the lists of all of them. Its scores are places, since those of several models do not compare."""

    def __init__(self, sources: Mapping[str, Source], size: int, seed: int) -> None:
        self._sources, self._size, self._seed = sources, size, seed

    def hear(self, party: Party) -> None:
        """All of them learn from everything that was accepted, whoever brought it."""
        for source in self._sources.values():
            source.hear(party)

    def lists(self, party: Party) -> list[Listed]:
        """One for each user, in order; the draft of a user and round is the same in every arm."""
        each = {name: source.lists(party) for name, source in self._sources.items()}
        _, phase, replicate, number, users, *_ = party
        found = []
        for place, user in enumerate(users):
            own = {name: lists[place] for name, lists in each.items()}
            items, brought = team_draft(own, self._size, self._seed, user, phase, number, replicate)
            scores = tuple(float(len(items) - at) for at in range(len(items)))
            found.append(Listed(tuple(items), scores, tuple(brought)))
        return found
