"""Prices: published with their source, one's own, and unknown ones that are never zero."""

import socket
from decimal import Decimal

import pytest

from agents.llm import FREE, OwnPrices, Usage, published
from agents.llm.prices import usage_cost

OPENAI = "https://api.openai.com/v1"


def test_published_prices_name_vendor_model_day_and_package(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("prices must not be fetched")

    monkeypatch.setattr(socket, "socket", refuse)
    prices = published("gpt-4o-mini", OPENAI)
    assert prices is not None
    assert prices.source.startswith("OpenAI's price of gpt-4o-mini on 20")
    assert "genai-prices" in prices.source
    assert prices.cost(1_000_000, 0) == Decimal("0.15")
    assert prices.cost(0, 1_000_000) == Decimal("0.6")
    assert prices.cost(1_000_000, 0, 1_000_000) < prices.cost(1_000_000, 0)


def test_a_batch_is_half_the_price():
    batch, plain = published("gpt-4o-mini", OPENAI, batch=True), published("gpt-4o-mini", OPENAI)
    assert batch.cost(10**6, 10**6) * 2 == plain.cost(10**6, 10**6)


@pytest.mark.parametrize(
    ("model", "address"),
    [
        ("gpt-4o-mini", "http://127.0.0.1:8000/v1"),
        ("no-such-model", OPENAI),
        ("my-8b", "https://vllm.test/v1"),
    ],
)
def test_what_nobody_publishes_is_unknown(model, address):
    assert published(model, address) is None


def test_what_answers_in_the_process_is_free():
    assert published("standin", "") is FREE
    assert FREE.cost(10**9, 10**9) == 0


def test_own_prices_are_per_million_tokens_and_cached_ones_apart():
    prices = OwnPrices(Decimal(2), Decimal(8), Decimal("0.5"), "contract")
    assert prices.cost(1000, 100) == Decimal("0.0028")
    assert prices.cost(1000, 100, 400) == Decimal("0.0022")
    assert usage_cost(prices, Usage(1000, 100, cached_tokens=400)) == Decimal("0.0022")
    assert usage_cost(prices, Usage(None, 100)) is None
