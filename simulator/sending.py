"""How the calls of a run are sent: from the scenario and the command line to a gateway. None of it changes an answer."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from agents.embedded.client import EmbeddedClient
from agents.llm import (
    FREE,
    Budget,
    Caps,
    Gateway,
    OwnPrices,
    Pace,
    ResponseCache,
    RetryPolicy,
    published,
    token_counter,
)
from simulator.transcript.journal import CallJournal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agents.llm import Answers, ChatClient, Completion, Prices
    from agents.llm.batch.sender import BatchSender
    from agents.llm.record import Source
    from simulator.scenario import Scenario
    from simulator.scenario.schema import Users

_CACHE_VARIABLE = "SCREENTEST_CACHE"


@dataclass(frozen=True)
class Sending:
    """What the command line says of calls."""

    caps: Caps = field(default_factory=Caps)
    retry_errors: bool = False
    """Make the calls again that had failed before the run was resumed."""
    recording: Path | None = None
    """A journal of another run whose answers count before anything is asked."""
    refresh: bool = False
    """Take nothing from the response cache, and put the new answers there."""


class RecordedAnswers:
    """The answers of another run's journal."""

    source: Source = "recording"

    def __init__(self, journal: CallJournal) -> None:
        self._journal = journal

    def get(self, key: str) -> Completion | None:
        """What that run was answered, if it was."""
        record = self._journal.get(key)
        return None if record is None else record.completion


@contextmanager
def answers_at_hand(scenario: Scenario, client: ChatClient, sending: Sending) -> Iterator[_AtHand]:
    """What may answer before the client does: another run's record, then the cache that runs share."""
    with ExitStack() as stack:
        found: list[Answers] = []
        cache = None
        if sending.recording is not None:
            found.append(RecordedAnswers(stack.enter_context(CallJournal(sending.recording, "read"))))
        # What answers in this process is not worth a look into a database.
        if scenario.users.cache and client.base_url:
            folder = os.environ.get(_CACHE_VARIABLE)
            cache = ResponseCache(Path(folder) if folder else user_cache_path("screentest") / "responses")
            stack.callback(cache.close)
            if not sending.refresh:
                found.append(cache)
        yield _AtHand(tuple(found), cache)


@dataclass(frozen=True)
class _AtHand:
    answers: tuple[Answers, ...]
    cache: ResponseCache | None


def make_budget(scenario: Scenario, model: str, client: ChatClient, caps: Caps) -> Budget | None:
    """What the run may spend and has spent; None where calls cost nothing and nothing limits them."""
    if isinstance(client, EmbeddedClient) and caps == Caps():
        return None
    return Budget(caps, prices_of(scenario, model, client), token_counter(model))


def cost_told(budget: Budget | None) -> dict[str, Any]:
    """For summary.json: US dollars (null: nobody says a price), whose price, how tokens are counted that no server counted."""
    if budget is None:
        return {"usd": 0.0, "prices": FREE.source, "token_counts": None}
    cost = budget.spent.cost
    return {
        "usd": None if cost is None else float(cost),
        "prices": None if budget.prices is None else budget.prices.source,
        "token_counts": budget.tokens.name,
    }


def open_gateway(
    scenario: Scenario,
    client: ChatClient,
    journal: CallJournal,
    at_hand: _AtHand,
    budget: Budget | None,
    *,
    batches: Path,
    tell: Callable[[str], None],
    retry_errors: bool,
) -> Gateway:
    """The gateway of a live run; batches are noted in the file `batches`, and `tell` is told how they stand."""
    users = scenario.users
    pace = Pace(
        users.concurrency, users.requests_per_minute, users.tokens_per_minute, RetryPolicy(users.attempts)
    )
    sender = None
    if users.send == "batch":
        sender = _batch_sender(users, client.base_url, journal, batches, pace.retry, budget, tell)
    return Gateway(
        client,
        journal,
        at_hand=at_hand.answers,
        cache=at_hand.cache,
        pace=pace,
        budget=budget,
        batches=sender,
        retry_errors=retry_errors,
    )


def _batch_sender(
    users: Users,
    base_url: str,
    journal: CallJournal,
    batches: Path,
    retry: RetryPolicy,
    budget: Budget | None,
    tell: Callable[[str], None],
) -> BatchSender:
    # Imported here: the openai package takes most of a second, which other runs need not wait for.
    from agents.llm.batch.api import BatchApi  # noqa: PLC0415
    from agents.llm.batch.ledger import BatchLedger  # noqa: PLC0415
    from agents.llm.batch.patience import Waiting  # noqa: PLC0415
    from agents.llm.batch.sender import BatchSender  # noqa: PLC0415

    api = BatchApi(base_url, api_key_env=users.api_key_env, timeout=users.timeout_s)
    return BatchSender(api, BatchLedger(batches), journal, retry, budget, Waiting(users.batch_poll_s), tell)


def prices_of(scenario: Scenario, model: str, client: ChatClient) -> Prices | None:
    """The scenario's own prices, or those published for the model at the client's address; None where nobody says any."""
    own = scenario.users.prices
    if own is None:
        return published(model, client.base_url, batch=scenario.users.send == "batch")
    cached = own.input if own.cached_input is None else own.cached_input
    return OwnPrices(
        Decimal(str(own.input)),
        Decimal(str(own.output)),
        Decimal(str(cached)),
        "users.prices" if own.as_of is None else f"users.prices, {own.as_of}",
    )
