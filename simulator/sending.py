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
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from agents.llm import Account, Answers, ChatClient, Completion, Journal, Prices, Record
    from agents.llm.batch.ledger import BatchLedger
    from agents.llm.batch.sender import BatchSender
    from agents.llm.limiter import PerMinute
    from agents.llm.record import Source
    from simulator.scenario import Scenario
    from simulator.scenario.schema import Users

CACHE_VARIABLE = "SCREENTEST_CACHE"
"""Names the folder of the response cache."""


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
def answers_at_hand(scenario: Scenario, clients: Sequence[ChatClient], sending: Sending) -> Iterator[AtHand]:
    """What may answer before the clients do: another run's record, then the cache that runs share."""
    with ExitStack() as stack:
        recording, cache = None, None
        if sending.recording is not None:
            recording = RecordedAnswers(stack.enter_context(CallJournal(sending.recording, "read")))
        if scenario.users.cache and any(map(_is_cached, clients)):
            folder = os.environ.get(CACHE_VARIABLE)
            cache = ResponseCache(Path(folder) if folder else user_cache_path("screentest") / "responses")
            stack.callback(cache.close)
        yield AtHand(recording, cache, refresh=sending.refresh)


def _is_cached(client: ChatClient) -> bool:
    # What answers in this process is not worth a look into a database.
    return bool(client.base_url)


@dataclass(frozen=True)
class AtHand:
    """Answers that need not be asked for."""

    recording: RecordedAnswers | None
    cache: ResponseCache | None
    refresh: bool

    def of(self, client: ChatClient) -> tuple[tuple[Answers, ...], ResponseCache | None]:
        """Where answers of this client may be, in the order in which to look; and where new ones go."""
        cache = self.cache if _is_cached(client) else None
        found: list[Answers] = [] if self.recording is None else [self.recording]
        if cache is not None and not self.refresh:
            found.append(cache)
        return tuple(found), cache


def make_budget(
    users: Users, model: str, client: ChatClient, caps: Caps, beside: Budget | None = None
) -> Budget | None:
    """What the run may spend and has spent, together with the one `beside`; None where calls cost nothing and nothing limits
    them.
    """
    if isinstance(client, EmbeddedClient) and caps == Caps():
        return None
    return Budget(caps, prices_of(users, model, client), token_counter(model), beside)


def cost_told(budgets: Sequence[Budget]) -> dict[str, Any]:
    """For summary.json: US dollars (null: nobody says a price), whose price, how tokens are counted that no server counted."""
    if not budgets:
        return {"usd": 0.0, "prices": FREE.source, "token_counts": None}
    cost = budgets[0].spent.cost
    prices = dict.fromkeys(budget.prices.source for budget in budgets if budget.prices is not None)
    return {
        "usd": None if cost is None else float(cost),
        "prices": "; ".join(prices) or None,
        "token_counts": "; ".join(dict.fromkeys(budget.tokens.name for budget in budgets)),
    }


def open_gateway(
    users: Users,
    client: ChatClient,
    journal: Journal,
    at_hand: AtHand,
    budget: Account | None,
    *,
    ledger: Callable[[], BatchLedger] | None,
    tell: Callable[[str], None],
    retry_errors: bool,
    owns: Callable[[Record], bool] | None = None,
    minute: PerMinute | None = None,
    earlier: Iterable[Record] | None = None,
) -> Gateway:
    """The gateway of a live run; `ledger` gives the one in which all note their batches (None: no batch is sent), and `tell` is told
    how they stand. The rest is as Gateway says.
    """
    pace = Pace(
        users.concurrency, users.requests_per_minute, users.tokens_per_minute, RetryPolicy(users.attempts)
    )
    sender = None
    if users.send == "batch":
        assert ledger is not None
        assert budget is None or isinstance(budget, Budget)
        sender = _batch_sender(users, client.base_url, journal, ledger(), pace.retry, budget, tell)
    answers, cache = at_hand.of(client)
    return Gateway(
        client,
        journal,
        at_hand=answers,
        cache=cache,
        pace=pace,
        budget=budget,
        minute=minute,
        batches=sender,
        retry_errors=retry_errors,
        owns=owns,
        earlier=earlier,
    )


def open_ledger(batches: Path) -> BatchLedger:
    """The ledger of a run's batches in the file `batches`."""
    # Imported here, as below.
    from agents.llm.batch.ledger import BatchLedger  # noqa: PLC0415

    return BatchLedger(batches)


def _batch_sender(
    users: Users,
    base_url: str,
    journal: Journal,
    ledger: BatchLedger,
    retry: RetryPolicy,
    budget: Budget | None,
    tell: Callable[[str], None],
) -> BatchSender:
    # Imported here: the openai package takes most of a second, which other runs need not wait for.
    from agents.llm.batch.api import BatchApi  # noqa: PLC0415
    from agents.llm.batch.patience import Waiting  # noqa: PLC0415
    from agents.llm.batch.sender import BatchSender  # noqa: PLC0415

    api = BatchApi(base_url, api_key_env=users.api_key_env, timeout=users.timeout_s)
    return BatchSender(api, ledger, journal, retry, budget, Waiting(users.batch_poll_s), tell)


def prices_of(users: Users, model: str, client: ChatClient) -> Prices | None:
    """The user's own prices, or those published for the model at the client's address; None where nobody says any."""
    own = users.prices
    if own is None:
        return published(model, client.base_url, batch=users.send == "batch")
    cached = own.input if own.cached_input is None else own.cached_input
    return OwnPrices(
        Decimal(str(own.input)),
        Decimal(str(own.output)),
        Decimal(str(cached)),
        "users.prices" if own.as_of is None else f"users.prices, {own.as_of}",
    )
