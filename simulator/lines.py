"""Whom the arms of a run ask: a gateway for each model at each address, over one journal, one cache and one budget."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.llm import Endpoint, request_key
from simulator.scenario import ScenarioError
from simulator.sending import make_budget, open_gateway
from simulator.transcript.leaves import leaves
from simulator.transcript.manifest import RecordedArm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agents.llm import Budget, Caps, ChatClient, Gateway, Record
    from agents.llm.batch.ledger import BatchLedger
    from simulator.scenario.schema import Users
    from simulator.sending import AtHand, Sending
    from simulator.study import Condition, Study
    from simulator.transcript.journal import CallJournal

_ANSWER = {"count", "personas", "client", "model", "base_url", "params", "standin"}
"""Options of users that say what is asked; the others say how."""


@dataclass(frozen=True)
class Line:
    """One model at one address, and the arms that ask it."""

    client: ChatClient
    model: str
    users: Users
    """How calls are sent to it."""
    arms: tuple[str, ...]

    def owns(self, record: Record) -> bool:
        """Whether this call was asked of it."""
        endpoint, request = Endpoint.of(self.client), record.request
        return (
            request.model == self.model
            and request_key(request, endpoint.provider, endpoint.base_url) == record.key
        )


def lines_of(study: Study, clients: Sequence[ChatClient]) -> list[Line]:
    """The lines of a study whose arms are answered by `clients`; ScenarioError where arms of one are to be sent differently."""
    found: dict[tuple[Endpoint, str], Line] = {}
    for condition, client in zip(study.conditions, clients, strict=True):
        model, users = condition.script.model, condition.scenario.users
        key = Endpoint.of(client), model
        line = found.get(key) or Line(client, model, users, ())
        if differing := _differing(line.users, users):
            raise ScenarioError(
                f"arms {line.arms[0]!r} and {condition.name!r} ask the same model at the same address, so users.{differing}, "
                "which changes no answer, should be the same for both"
            )
        found[key] = Line(line.client, model, line.users, (*line.arms, condition.name))
    return list(found.values())


def _differing(one: Users, other: Users) -> str | None:
    """The first option of sending that differs."""
    kept = dict(leaves(one.model_dump(mode="json", exclude=_ANSWER)))
    asked = dict(leaves(other.model_dump(mode="json", exclude=_ANSWER)))
    return next((key for key in {**kept, **asked} if kept.get(key) != asked.get(key)), None)


def recorded(study: Study, clients: Sequence[ChatClient]) -> list[RecordedArm]:
    """What the manifest says of each arm, where these clients answer."""
    return [
        told_of(study, condition, client.label, Endpoint.of(client))
        for condition, client in zip(study.conditions, clients, strict=True)
    ]


def told_of(study: Study, condition: Condition, label: str, endpoint: Endpoint) -> RecordedArm:
    """What the manifest says of an arm that `endpoint` answers."""
    return RecordedArm(
        condition.name,
        label,
        endpoint,
        condition.script.model,
        condition.script.hashes(),
        study.folder(condition),
        tuple(condition.audience.lengths),
        None if condition.audience.personas is None else condition.audience.personas.sha256,
    )


def make_budgets(lines: Sequence[Line], caps: Caps) -> list[Budget | None]:
    """The budget of each line, all with one purse; None where calls cost nothing and nothing limits them."""
    budgets: list[Budget | None] = []
    for line in lines:
        beside = next((budget for budget in budgets if budget is not None), None)
        budgets.append(make_budget(line.users, line.model, line.client, caps, beside))
    return budgets


@contextmanager
def open_lines(
    lines: Sequence[Line],
    journal: CallJournal,
    at_hand: AtHand,
    sending: Sending,
    ledger: Callable[[], BatchLedger],
    tell: Callable[[str], None],
) -> Iterator[tuple[dict[str, Gateway], list[Budget]]]:
    """The gateway of each arm, arms of one line having the same, and what all of them may spend together."""
    gateways: dict[str, Gateway] = {}
    budgets = make_budgets(lines, sending.caps)
    with ExitStack() as stack:
        for line, budget in zip(lines, budgets, strict=True):
            gateway = stack.enter_context(
                open_gateway(
                    line.users,
                    line.client,
                    journal,
                    at_hand,
                    budget,
                    ledger=ledger,
                    tell=tell,
                    retry_errors=sending.retry_errors,
                    owns=line.owns if len(lines) > 1 else None,
                )
            )
            gateways |= dict.fromkeys(line.arms, gateway)
        yield gateways, [budget for budget in budgets if budget is not None]
