"""Who is there: sessions and pages, satisfaction, leaving and joining, as a function of the seed and of what was accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.randomness import keyed_uniform

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulator.scenario.living import Population
    from simulator.transcript.turns import Turn


class Attendance:
    """The population of one arm and replicate from round to round.

    It knows nothing but ids, draws keyed by (purpose, user, round, replicate), the same in every arm, and the turns it is
    told of, so that it can be gone through again from a transcript.
    """

    def __init__(
        self, rules: Population, seed: int, replicate: int, residents: Sequence[str], newcomers: Sequence[str]
    ) -> None:
        """`residents` are there from the start; `newcomers` join in their order."""
        self._rules, self._seed, self._replicate = rules, seed, replicate
        self._members = list(residents)
        self._waiting = list(newcomers)
        self._satisfaction: dict[str, float] = {}
        self._residents = frozenset(residents)
        self._gone: set[str] = set()
        self._session: list[str] = []
        """Who came to it."""
        self._reading: list[str] = []
        """Who saw the last page."""

    def present(self, number: int) -> list[str]:
        """Who is to be shown a list in round `number`, in fixed order; the rounds are gone through one after the other."""
        rules = self._rules
        page = (number - 1) % rules.pages + 1
        if page == 1:
            self._close_session(number)
            self._session = self._reading = (
                self._members
                if rules.activity == 1
                else [
                    user for user in self._members if self._drawn("activity", user, number) < rules.activity
                ]
            )
        elif rules.fatigue:
            turns_over = (1 - rules.fatigue) ** (page - 1)
            self._reading = [user for user in self._reading if self._drawn("page", user, number) < turns_over]
        if self._gone:
            self._reading = [user for user in self._reading if user not in self._gone]
        return self._reading

    def exhausted(self, user: str) -> None:
        """There is nothing left that this user could be shown: it leaves."""
        self._gone.add(user)

    def settle(self, shares: Iterable[tuple[str, float | None]]) -> None:
        """What a round left of everybody's satisfaction, by `accepted_share` of each user's turn."""
        rules = self._rules
        for user, share in shares:
            if share is not None:
                before = self.satisfaction(user)
                worth = min(1.0, share / rules.expects)
                self._satisfaction[user] = before + rules.satisfaction_rate * (worth - before)

    def satisfaction(self, user: str) -> float:
        """From 0 to 1."""
        return self._satisfaction.get(user, self._rules.satisfaction)

    @property
    def members(self) -> list[str]:
        """Who has not left, whether it came or not."""
        return [user for user in self._members if user not in self._gone]

    @property
    def contentment(self) -> float:
        """Mean satisfaction of those who have not left; not a number where all have."""
        members = self.members if self._gone else self._members
        return sum(map(self.satisfaction, members)) / len(members) if members else float("nan")

    @property
    def retention(self) -> float:
        """Share of the first round's population that has not left."""
        return 1 - len(self._residents & self._gone) / len(self._residents)

    def _close_session(self, number: int) -> None:
        """Leaving and joining, between the session before round `number` and its own; nobody does before the first."""
        rules = self._rules
        if rules.churn:
            for user in self._session:
                chance = rules.churn * (1 - self.satisfaction(user))
                if self._drawn("leaving", user, number) < chance:
                    self._gone.add(user)
        if self._gone:
            self._members = self.members
        if number > 1 and self._waiting and rules.newcomers:
            self._members = self._members + self._waiting[: rules.newcomers]
            del self._waiting[: rules.newcomers]

    def _drawn(self, purpose: str, user: str, number: int) -> float:
        return keyed_uniform(self._seed, purpose, user, number, self._replicate)


def accepted_share(turn: Turn) -> float | None:
    """Of the list that was shown, the share that its user accepted.

    None of a turn without a usable answer, or one that was asked for a ranking only: they say nothing of it.
    """
    if turn.fallback or not turn.final or not turn.decides:
        return None
    accepted = frozenset(turn.accepted)
    return sum(item in accepted for item in turn.final) / len(turn.final)
