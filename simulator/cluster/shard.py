"""Some of a run's users, in an actor: their agents, their gateways and their journal."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import socket
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from agents.llm import Account, ChatClient, ClientSetupError, Endpoint, Halt, token_counter
from simulator.clients import make_model_client
from simulator.cluster.journals import ShardJournal
from simulator.cluster.keeper import SharedMinute, SharedPurse
from simulator.players import Here
from simulator.sending import CACHE_VARIABLE, answers_at_hand, open_gateway, prices_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from agents.llm import Gateway, Record
    from simulator.cast import Casting, Member
    from simulator.players import SummedUp, Told
    from simulator.scenario import Scenario
    from simulator.scenario.schema import Users
    from simulator.sending import Sending
    from simulator.transcript.proposals import Proposal


_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SharedLine:
    """One model at one address, as actors are told of it. No key is in it: each finds its own in its environment."""

    embedded: ChatClient | None
    """Who answers, where that is an embedded user; else each actor makes a client of its own."""
    endpoint: Endpoint
    model: str
    users: Users
    arms: tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """What all shards of a run share; once in the object store."""

    scenario: Scenario
    lines: tuple[SharedLine, ...]
    data: str
    calls: Path
    shards: Path
    """The folder of their journals."""
    sending: Sending
    cache: str | None
    """Folder of the response cache, where the environment of the run names one."""
    paths: tuple[str, ...]
    """Where the driver finds modules: a client or a policy of one's own may lie beside a scenario."""
    actors: int


class Progress(NamedTuple):
    """How far a shard has come with what it was dealt."""

    done: int
    planned: int
    failed: int


_NOT_BEGUN = Progress(0, 0, 0)


class Shard:
    """Runs as an actor, one method after the other, but for `progress`, `stop` and `cancel`, which come in between.

    Nothing of it is lost with it: begun anew, and dealt the same again, it comes to the same, since what was answered is in the
    journal.
    """

    def __init__(self, number: int, holder: str, setting: Setting, keeper: Any) -> None:
        """`holder` names this actor to the keeper, which is None where nothing is limited or paid for."""
        self._number, self._holder, self._setting, self._keeper = number, holder, setting, keeper
        self._stack = ExitStack()
        self._gateways: list[Gateway] = []
        self._purses: list[SharedPurse] = []
        self._players = Here({})
        self._progress = _NOT_BEGUN

    def begin(self) -> tuple[str, int]:
        """Open journal and gateways; host and process id. Raises what a run raises that cannot begin."""
        setting = self._setting
        sys.path.extend(path for path in setting.paths if path not in sys.path)
        if setting.cache is not None:
            os.environ[CACHE_VARIABLE] = setting.cache
        if not setting.calls.is_file():
            raise ClientSetupError(
                f"{setting.calls}: not to be seen from {socket.gethostname()}, where actor {self._number} runs; put the run "
                "directory with --out on a file system that all machines of the cluster share"
            )
        journal = ShardJournal(setting.calls, setting.shards / f"{self._number}.jsonl", setting.data)
        self._stack.callback(journal.close)
        clients = [self._client(line) for line in setting.lines]
        at_hand = self._stack.enter_context(answers_at_hand(setting.scenario, clients, setting.sending))
        ray: Any = None if self._keeper is None else importlib.import_module("ray")
        by_arm: dict[str, Gateway] = {}
        for number, (line, client) in enumerate(zip(setting.lines, clients, strict=True)):
            users = self._own_part(line.users)
            account = minute = None
            if ray is not None:
                self._purses.append(purse := SharedPurse(ray, self._keeper, self._holder))
                limits = users.requests_per_minute, users.tokens_per_minute
                minute = SharedMinute(ray, self._keeper, number, *limits) if any(limits) else None
                prices, tokens = prices_of(users, line.model, client), token_counter(line.model)
                account = Account(setting.sending.caps, prices, tokens, purse)
            gateway = open_gateway(
                users,
                client,
                journal,
                at_hand,
                account,
                ledger=None,
                tell=_log.info,
                minute=minute,
                retry_errors=setting.sending.retry_errors,
                earlier=journal.earlier(),
            )
            self._gateways.append(self._stack.enter_context(gateway))
            by_arm |= dict.fromkeys(line.arms, gateway)
        self._players = Here(by_arm)
        return socket.gethostname(), os.getpid()

    def enter(self, castings: Mapping[str, Casting], members: Mapping[str, Sequence[Member]]) -> None:
        """A phase begins; of its casts, these are the users of this shard."""
        self._players.enter(
            {name: replace(casting, members=members[name]) for name, casting in castings.items()}
        )

    def play(self, dealt: Mapping[str, Sequence[Proposal]]) -> dict[str, Told]:
        """What the shard's users make of what is dealt to them."""
        with self._sending():
            told = self._players.play(dealt, self._advance)
        return {name: each._replace(records=list(map(_told_of, each.records))) for name, each in told.items()}

    def sum_up(self, arms: Sequence[str]) -> dict[str, SummedUp]:
        """What the shard's users note of the round."""
        with self._sending():
            told = self._players.sum_up(arms, self._advance)
        return {name: each._replace(records=list(map(_told_of, each.records))) for name, each in told.items()}

    def again(self, method: str, *arguments: Any) -> None:
        """Do what an actor that died had done."""
        getattr(self, method)(*arguments)

    def progress(self) -> Progress:
        """Of what it does now."""
        return self._progress

    def stop(self, reason: str) -> None:
        """Send no further call."""
        for gateway in self._gateways:
            gateway.stop(Halt(reason))

    def cancel(self) -> None:
        """Give up the calls under way."""
        for gateway in self._gateways:
            gateway.cancel()

    def close(self) -> None:
        """Close gateways and journal."""
        self._stack.close()

    def _client(self, line: SharedLine) -> ChatClient:
        if line.embedded is not None:
            return line.embedded
        try:
            client = make_model_client(line.users)
        except ClientSetupError as error:
            raise ClientSetupError(f"{error} (actor {self._number} on {socket.gethostname()})") from None
        if Endpoint.of(client) != line.endpoint:
            raise ClientSetupError(
                f"actor {self._number} on {socket.gethostname()} would ask {Endpoint.of(client).provider}, and the run asks "
                f"{line.endpoint.provider}: all machines of the cluster need the same model, and the same version of a plug-in"
            )
        return client

    def _own_part(self, users: Users) -> Users:
        """With its part of the calls in flight."""
        part, rest = divmod(users.concurrency, self._setting.actors)
        return users.model_copy(update={"concurrency": part + (self._number < rest)})

    def _advance(self, done: int, planned: int, failed: int) -> None:
        self._progress = Progress(done, planned, failed)

    @contextmanager
    def _sending(self) -> Iterator[None]:
        """Calls are sent inside of it; what is given up is told, and what was spent goes to the keeper."""
        try:
            yield
        except asyncio.CancelledError:
            raise Halt(_GIVEN_UP) from None
        finally:
            for purse in self._purses:
                purse.flush()


_GIVEN_UP = "the run was interrupted"


def _told_of(record: Record) -> Record:
    """Without texts, which are in the journal and would only be carried to and fro."""
    said = record.completion
    if said is not None:
        said = replace(said, text="", reasoning=None, logprobs=None)
    return replace(record, request=replace(record.request, messages=()), completion=said)
