"""What all episodes of an environment share: the users of an arm, the rules of their worlds, and who answers for them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from agents.embedded.client import EmbeddedClient
from agents.llm import ClientSetupError
from recommender.data.histories import Histories
from recommender.stages import Stages
from recommender.truncation import Known
from simulator.audience import item_names, make_client, make_members
from simulator.cast import Casting, Rules
from simulator.environment.episode import Episode
from simulator.scenario import ScenarioError
from simulator.sending import answers_at_hand, make_budget, open_gateway, open_ledger
from simulator.study import Study
from simulator.transcript.directory import RunDirectory
from simulator.transcript.journal import CallJournal
from simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from agents.llm import ChatClient, Gateway, Record
    from agents.llm.record import Journal
    from recommender.pipeline import Prepared
    from simulator.cast import Member
    from simulator.environment.slates import Slate
    from simulator.proposing import Proposer
    from simulator.refinement import Refinement
    from simulator.scenario import Scenario
    from simulator.sending import Sending
    from simulator.study import Condition
    from simulator.transcript.turns import Turn


@dataclass(frozen=True)
class Viewer:
    """A user of the population, as the rounds begin."""

    member: Member
    row: int
    """In the users' table."""
    history: NDArray[np.int64]
    """Item numbers of what is known that it had, newest last."""
    had: NDArray[np.int64]
    """Of all that it had before what is held out, known or not: none of it may be shown."""
    profile: NDArray[np.int64]
    """(F,) labels."""

    @property
    def user_id(self) -> str:
        """As in the data."""
        return self.member.user_id


class Screening:
    """An arm of a scenario, ready to be played with any of its users; to be closed in the end.

    `arm` is the name under which a run records its turns (None: the first). Calls are kept in the folder `out`, and what was
    answered there is not asked again; an embedded audience may do without. Newcomers take no part.
    """

    def __init__(self, scenario: Scenario, arm: str | None, out: Path | None, sending: Sending) -> None:
        """Raises ScenarioError for a scenario that cannot be played so, ClientSetupError where what answers is missing, and what
        `Study.of` raises.
        """
        study = Study.of(scenario, Stages(Console(quiet=True)))
        condition, self.arm = _chosen(study, arm)
        self.scenario = condition.scenario
        self._refinement = _playable(condition)
        self._study, self._condition = study, condition
        self.prepared: Prepared = study.prepared
        self.to_train = self.prepared.without(condition.audience.newcomers)
        """What a recommender may be trained on."""
        self.label = study.label
        """Name of the data; says so where they are synthetic."""
        items = self.prepared.split.dataset.items
        self.item_ids: list[str] = items["item_id"].tolist()
        self.item_rows = {item: row for row, item in enumerate(self.item_ids)}
        self._titles = dict(zip(self.item_ids, items["title"], strict=True))
        names = item_names(condition.script.family, items)
        self._names = dict(zip(self.item_ids, names, strict=True))
        self.viewers = {each.user_id: each for each in self._viewers(names)}
        """By user id, in the order of the data."""
        client = make_client(self.scenario, self.prepared, condition.audience, study.reader, study.nulls)
        self.client = client.label
        """Label of who answers."""
        with ExitStack() as stack:
            self._gateway = self._open(client, out, sending, stack)
            self._open_until_closed = stack.pop_all()

    def begin(self, user: str, replicate: int) -> Episode:
        """The episode of a user in a replicate, which is over already if the user comes to no round.

        ScenarioError if a run of the scenario has no such user or replicate.
        """
        if user not in self.viewers:
            some = ", ".join([*self.viewers][:5])
            raise ScenarioError(f"no user {user!r} is simulated in {self.arm}; there are {some}, ...")
        if not 0 <= replicate < self.scenario.replicates:
            raise ScenarioError(
                f"replicate {replicate} is not in 0 to {self.scenario.replicates - 1}; replicates in the scenario says how many"
            )
        return Episode(self, self.viewers[user], replicate)

    def play(self, moves: Sequence[tuple[Episode, Slate]]) -> list[Turn]:
        """A step of each episode with its slate: all users are asked in one call of the gateway."""
        episodes = [episode for episode, _ in moves]
        asked = [episode.offer(slate.items) for episode, slate in moves]
        records = iter(self._gateway.ask([request for requests in asked for request in requests]))
        notes = [
            episode.settle([next(records) for _ in requests])
            for episode, requests in zip(episodes, asked, strict=True)
        ]
        records = iter(self._gateway.ask([request for requests in notes for request in requests]))
        return [
            episode.reflected([next(records) for _ in requests])
            for episode, requests in zip(episodes, notes, strict=True)
        ]

    def world(self, viewer: Viewer, replicate: int, proposer: Proposer) -> World:
        """That of one user: nothing in a world depends on who else is there."""
        scenario = self.scenario
        casting = Casting(
            members=[replace(viewer.member, replicate=replicate)],
            phase="test",
            titles=self._titles,
            script=self._condition.script,
            nulls={},
            rules=Rules(scenario.list_length, self._refinement, scenario.refinement.repair, scenario.seed),
            labels=(self.label, self.client),
            names=self._names,
        )
        return World(casting, proposer, self._gateway.ask, population=scenario.population)

    def close(self) -> None:
        """Close client, journal and event loop. Safe to call twice."""
        self._open_until_closed.close()

    def _viewers(self, names: Sequence[str]) -> Iterator[Viewer]:
        scenario, audience, split = self.scenario, self._condition.audience, self.prepared.split
        residents = replace(
            audience, lengths={self.arm: audience.lengths[self.arm]}, newcomers=audience.newcomers[:0]
        )
        members = make_members(scenario, self.prepared, residents, "test", names=names)
        known = Known(
            split,
            self.prepared.labels,
            audience.lengths[self.arm],
            audience.newcomers,
            scenario.population.newcomer_history,
        )
        whole, count = split.history("test"), len(split.dataset.users)
        profile = known.profile(whole).numpy()
        histories, had = Histories.of(known.history(whole), count), Histories.of(whole, count)
        for member, row in zip(members, residents.users.tolist(), strict=True):
            yield Viewer(member, row, _of(histories, row), _of(had, row), profile[row])

    def _open(self, client: ChatClient, out: Path | None, sending: Sending, stack: ExitStack) -> Gateway:
        users = self.scenario.users
        journal: Journal = _Unkept()
        if out is not None:
            folder = RunDirectory(out)
            if folder.manifest.exists():
                raise ScenarioError(
                    f"{out}: this is a run's directory; give the environment's out a folder of its own"
                )
            out.mkdir(parents=True, exist_ok=True)
            stack.enter_context(folder.held())
            journal = stack.enter_context(CallJournal(folder.calls, "append", data=self.label))
        elif not isinstance(client, EmbeddedClient):
            raise ClientSetupError(
                f"users.client {users.client}: calls of a language model are to be kept, so that none is asked or paid for twice; "
                "give the environment a folder for them, out=DIR"
            )
        at_hand = stack.enter_context(answers_at_hand(self.scenario, [client], sending))
        return stack.enter_context(
            open_gateway(
                users,
                client,
                journal,
                at_hand,
                make_budget(users, self._condition.script.model, client, sending.caps),
                # Only an endpoint takes batches, and an endpoint has a folder.
                ledger=partial(open_ledger, RunDirectory(out or Path()).batches),
                tell=lambda said: None,
                retry_errors=sending.retry_errors,
            )
        )


class _Unkept:
    """The journal of an audience that answers in this process, for nothing, the same each time: it keeps no call."""

    def get(self, key: str) -> Record | None:
        """Nothing."""

    def append(self, records: Sequence[Record]) -> None:
        """Nothing to keep."""

    def records(self) -> Iterator[Record]:
        """None."""
        return iter(())


def _chosen(study: Study, arm: str | None) -> tuple[Condition, str]:
    found = {name: each for each in study.conditions for name in each.audience.lengths}
    name = next(iter(found)) if arm is None else arm
    if name not in found:
        raise ScenarioError(f"the scenario has no arm {name!r}; its turns are recorded as {', '.join(found)}")
    return found[name], name


def _playable(condition: Condition) -> Refinement:
    scenario = condition.scenario
    if scenario.slates.source == "held_out":
        raise ScenarioError(
            "slates.source: held-out items make the slates, so no policy can; it should be recommender"
        )
    if scenario.injection.attack is not None:
        raise ScenarioError(
            "injection.attack: an environment shows what its policy chose, and plants nothing"
        )
    if condition.refinement is None:
        raise ScenarioError(
            "refinement.weight: validation turns would choose it, and an environment plays none; set a number, such as 0.5, or "
            "refinement.policy to replace"
        )
    return condition.refinement


def _of(histories: Histories, row: int) -> NDArray[np.int64]:
    found: NDArray[np.int64] = histories.item[histories.start[row] : histories.start[row + 1]].numpy()
    return found
