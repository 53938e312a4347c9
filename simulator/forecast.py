"""What a run would cost, every prompt rendered and counted, nothing sent; and what it could show."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from agents.llm import Endpoint, Record, request_key
from agents.llm.tokens import longest_reply
from simulator.measures.planned_power import planned_power
from simulator.scenario.declared import declared
from simulator.scenario.plan import VALIDATION_ROUND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from agents.embedded.client import EmbeddedClient
    from agents.embedded.reading import PromptReader
    from agents.llm import Answers, ChatClient, Completion, Journal, Prices, Request, TokenCounter
    from agents.llm.record import Source
    from simulator.measures.planned_power import PlannedPower
    from simulator.scenario import Scenario

_REASON_TOKENS = 25
"""Mean length of the reason for one item in 2,561 role-play replies of GPT-3.5 (10 % to 90 %: 17 to 36)."""
_LONGEST_ITEM_TOKENS = 91
"""Nine in ten of those replies take no more for an item, title and all."""
_ENOUGH = 20
"""Replies at hand of which the mean says more than other models' replies."""
_ENDS = ("low", "expected", "high")
_FIRST_TEST_ROUND = VALIDATION_ROUND + 1


@dataclass(frozen=True)
class Range:
    """A number that is known only roughly."""

    low: float
    expected: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """Calls, tokens and US dollars that a run would still take. Retries and a server's prefix cache are not in it."""

    calls: int
    """To be made."""
    at_hand: dict[str, int]
    """Calls that need not be made, by where their answers are: journal, recording, cache."""
    estimated_calls: int
    """Of the calls to be made, those whose prompts depend on answers that are not there yet."""
    prompt_tokens: int
    reply_tokens: Range
    expected_from: str
    high_from: str
    """What the expected and the high length of a reply rest on; low is each candidate named once."""
    token_counts: str
    """How tokens were counted; says so where it is an estimate."""
    usd: Range | None
    """None: nobody says a price."""
    prices: str | None


def total(forecasts: Sequence[Forecast]) -> Forecast:
    """What all of them take together; a cost that one does not know is unknown."""
    at_hand: Counter[str] = Counter()
    for each in forecasts:
        at_hand.update(each.at_hand)
    costs = [each.usd for each in forecasts if each.usd is not None]
    return Forecast(
        calls=sum(each.calls for each in forecasts),
        at_hand=dict(at_hand),
        estimated_calls=sum(each.estimated_calls for each in forecasts),
        prompt_tokens=sum(each.prompt_tokens for each in forecasts),
        reply_tokens=_sum([each.reply_tokens for each in forecasts]),
        expected_from=_joined(each.expected_from for each in forecasts),
        high_from=_joined(each.high_from for each in forecasts),
        token_counts=_joined(each.token_counts for each in forecasts),
        usd=_sum(costs) if len(costs) == len(forecasts) else None,
        prices=_joined(each.prices for each in forecasts if each.prices is not None) or None,
    )


def power_of_study(scenario: Scenario) -> PlannedPower | None:
    """What the planned users could show; None where no arms are compared, or fewer than two users planned."""
    if scenario.arms is None and scenario.sweep is None:
        return None
    found = declared(scenario)
    if not found.references or found.planned_users < 2:
        return None
    expected_sd = None if scenario.study is None else scenario.study.expected_sd
    # Averaged over rounds or replicates a user has a share of hits.
    hits = found.metric.startswith("hr@") and scenario.rounds == scenario.replicates == 1
    return planned_power(found, scenario.users.count, expected_sd, hits=hits)


def _sum(ranges: Sequence[Range]) -> Range:
    return Range(*(sum(getattr(each, end) for each in ranges) for end in _ENDS))


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


@dataclass(frozen=True)
class _Call:
    """One that is still to be made: tokens of its prompt and its reply."""

    prompt: int
    low: int
    expected: int
    high: int
    estimated: bool


class Forecaster:
    """Stands where the gateway stands, and answers what is not at hand by a null user, so that later rounds have prompts.

    Prompts of the validation round and of the first test round are those that would be sent; later ones are as long as
    what the null user accepts makes them.
    """

    def __init__(
        self,
        client: ChatClient,
        journal: Journal,
        at_hand: Sequence[Answers],
        reader: PromptReader,
        null: EmbeddedClient,
        tokens: TokenCounter,
        *,
        retry_errors: bool,
    ) -> None:
        self._endpoint = Endpoint.of(client)
        self._journal, self._at_hand, self._retry_errors = journal, at_hand, retry_errors
        self._reader, self._null, self._tokens = reader, null, tokens
        self._records: dict[str, Record] = {}
        self._calls: list[_Call] = []
        self._limited = True

    def ask(
        self, requests: Sequence[Request], on_done: Callable[[Record], None] | None = None
    ) -> list[Record]:
        """Records as a gateway gives them; what is not at hand is only planned."""
        records = []
        for request in requests:
            key = request_key(request, self._endpoint.provider, self._endpoint.base_url)
            if key not in self._records:
                self._records[key] = self._known(key, request) or self._plan(key, request)
            records.append(self._records[key])
            if on_done is not None:
                on_done(self._records[key])
        return records

    def forecast(self, prices: Prices | None) -> Forecast:
        """The sum over all that was asked."""
        at_hand = Counter[str](record.source for record in self._records.values())
        at_hand.pop("client", None)
        low, expected, high = ([(c.prompt, getattr(c, end)) for c in self._calls] for end in _ENDS)
        known = [
            record.completion.usage.completion_tokens
            for record in self._records.values()
            if record.source != "client" and record.completion is not None
        ]
        counted = [tokens for tokens in known if tokens is not None]
        basis = "a reply that names each candidate with a reason, as long as GPT-3.5's were"
        if len(counted) >= _ENOUGH:
            mean = round(sum(counted) / len(counted))
            expected = [(prompt, mean) for prompt, _ in expected]
            basis = f"the mean of {len(counted)} replies at hand"
        ends = (low, expected, high)
        return Forecast(
            calls=len(self._calls),
            at_hand=dict(at_hand),
            estimated_calls=sum(call.estimated for call in self._calls),
            prompt_tokens=sum(call.prompt for call in self._calls),
            reply_tokens=Range(*(sum(reply for _, reply in end) for end in ends)),
            expected_from=basis,
            high_from="the limit that each call sets"
            if self._limited
            else f"{_LONGEST_ITEM_TOKENS} tokens a candidate; no max_tokens is set, and reasoning may take more",
            token_counts=self._tokens.name,
            usd=None if prices is None else Range(*(_cost(prices, end) for end in ends)),
            prices=None if prices is None else prices.source,
        )

    def _known(self, key: str, request: Request) -> Record | None:
        recorded = self._journal.get(key)
        if recorded is not None and (
            recorded.completion is not None or not (recorded.halting or self._retry_errors)
        ):
            return replace(recorded, source="journal")
        for answers in self._at_hand:
            if (completion := answers.get(key)) is not None:
                return _record(key, request, completion, answers.source)
        return None

    def _plan(self, key: str, request: Request) -> Record:
        said = self._null.answer(request)
        question = self._reader.read(request.messages)
        titles = question.titles
        named = self._tokens.text(", ".join(titles))
        expected = self._tokens.text(said.text) + named + _REASON_TOKENS * len(titles)
        if question.yes_or_no:
            named = expected = self._tokens.text(said.text)
        high = longest_reply(request)
        if high is None:
            self._limited = False
            high = max(expected, _LONGEST_ITEM_TOKENS * len(titles))
        estimated = request.draw.round > _FIRST_TEST_ROUND
        prompt = self._tokens.prompt(request.messages)
        call = _Call(prompt, min(named, high), min(expected, high), high, estimated)
        self._calls.append(call)
        return _record(key, request, said, "client")


def _record(key: str, request: Request, completion: Completion, source: Source) -> Record:
    return Record(key, request, (), completion, None, source, "", 0.0)


def _cost(prices: Prices, calls: Sequence[tuple[int, int]]) -> float:
    return float(sum((prices.cost(prompt, reply) for prompt, reply in calls), Decimal(0)))
