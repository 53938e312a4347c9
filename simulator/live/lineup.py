"""Who answers in a live view: the gateways of a study, made anew where a slider changes them or a call has failed."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING

from rich.console import Console

from agents.embedded.client import EmbeddedClient
from recommender.stages import Stages
from simulator.audience import make_knowledge
from simulator.lines import lines_of, open_lines
from simulator.scenario import ScenarioError
from simulator.sending import answers_at_hand, open_ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agents.llm import ChatClient, Gateway, Record, Request
    from simulator.sending import Sending
    from simulator.study import Condition, Study
    from simulator.transcript.directory import RunDirectory
    from simulator.transcript.journal import CallJournal


@dataclass(frozen=True)
class _Open:
    noise: float | None
    gateways: Mapping[str, Gateway]
    """By the name of the condition."""
    stack: ExitStack


class Lineup:
    """Answers the calls of all worlds through one set of gateways, so that caps hold for all of them together.

    What was answered once is in the journal, and is not asked again when a world is reset to where it was. Belongs to one thread.
    """

    def __init__(
        self,
        study: Study,
        directory: RunDirectory,
        journal: CallJournal,
        sending: Sending,
    ) -> None:
        self._study, self._directory, self._journal = study, directory, journal
        self._sending = sending
        self.labels: dict[str, str] = {}
        """Who answers, by the name of the condition; known once it is checked."""
        self._open: _Open | None = None
        self._failed = False
        self._knowledge = cache(
            lambda: make_knowledge(study.scenario, study.prepared, study.conditions[0].audience)
        )

    def check(self, stages: Stages) -> None:
        """ClientSetupError or ScenarioError where clients cannot be made, or could be asked without an end."""
        clients = self._clients(None, stages)
        for condition, client in zip(self._study.conditions, clients, strict=True):
            users = condition.scenario.users
            if users.send == "batch":
                raise ScenarioError(
                    "users.send is batch, and nobody can watch a round that is answered within a day; add --set users.send=single"
                )
            caps = self._sending.caps
            limited = any(cap is not None for cap in (caps.calls, caps.tokens, caps.cost))
            if not (limited or isinstance(client, EmbeddedClient) or users.client == "local"):
                raise ScenarioError(
                    f"users.client {users.client} may cost money, and a page that plays has no last round; say what may be spent, "
                    "such as --max-cost 1.00 or --max-calls 500"
                )
        self.labels = {
            each.name: client.label for each, client in zip(self._study.conditions, clients, strict=True)
        }

    def renew(self) -> None:
        """Make calls again that had failed, and ask an endpoint again that had refused: for a world that begins anew."""
        if self._failed:
            self.close()

    def ask(
        self,
        condition: str,
        noise: float | None,
        requests: Sequence[Request],
        on_done: Callable[[Record], None],
    ) -> list[Record]:
        """A record for each request; `on_done` is told of each as it ends. Raises Halt where no further call may be sent."""
        if self._open is None or self._open.noise != noise:
            self.close()
            self._open = self._opened(noise)
        try:
            records = self._open.gateways[condition].ask(requests, on_done)
        except BaseException:
            self._failed = True
            raise
        self._failed = self._failed or any(record.completion is None for record in records)
        return records

    def close(self) -> None:
        """Close clients and connections; the journal stays open."""
        if self._open is not None:
            opened, self._open = self._open, None
            opened.stack.close()
        self._failed = False

    def _opened(self, noise: float | None) -> _Open:
        with ExitStack() as stack:
            clients = self._clients(noise, Stages(Console(quiet=True)))
            at_hand = stack.enter_context(answers_at_hand(self._study.scenario, clients, self._sending))
            gateways, _ = stack.enter_context(
                open_lines(
                    lines_of(self._study, clients),
                    self._journal,
                    at_hand,
                    replace(self._sending, retry_errors=True),
                    ledger=cache(partial(open_ledger, self._directory.batches)),
                    tell=_ignore,
                )
            )
            return _Open(noise, gateways, stack.pop_all())

    def _clients(self, noise: float | None, stages: Stages) -> tuple[ChatClient, ...]:
        conditions = tuple(_with_noise(each, noise) for each in self._study.conditions)
        return replace(self._study, conditions=conditions).clients(stages, self._knowledge)


def _ignore(said: str) -> None:
    """How batches stand: there are none."""


def _with_noise(condition: Condition, noise: float | None) -> Condition:
    users = condition.scenario.users
    if noise is None or users.client != "standin":
        return condition
    changed = users.model_copy(update={"standin": users.standin.model_copy(update={"noise": noise})})
    scenario = condition.scenario.model_copy(update={"users": changed})
    return replace(condition, arm=replace(condition.arm, scenario=scenario))
