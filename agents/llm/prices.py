"""What a call costs, in US dollars: published prices with the day they were checked, or the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

    from agents.llm.types import Usage

_MILLION = Decimal(1_000_000)


class Prices(Protocol):
    """Prices of one model at one endpoint."""

    @property
    def source(self) -> str:
        """Where they come from, as outputs name it."""
        ...

    def cost(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> Decimal:
        """US dollars of one call; `cached_tokens` are those of the prompt that the server had cached."""
        ...


@dataclass(frozen=True)
class OwnPrices:
    """Prices that the user gives, in US dollars per million tokens."""

    input: Decimal
    output: Decimal
    cached_input: Decimal
    source: str

    def cost(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> Decimal:
        """US dollars of one call."""
        fresh = prompt_tokens - cached_tokens
        total = fresh * self.input + cached_tokens * self.cached_input + completion_tokens * self.output
        return total / _MILLION


FREE = OwnPrices(Decimal(0), Decimal(0), Decimal(0), "embedded in the process, nothing to pay")


class PublishedPrices:
    """Prices of a vendor's public list, as the package genai-prices holds them for today; no network.

    `batch` asks for those of the Batch API. Raises LookupError if the list has no such model at that address.
    """

    def __init__(self, model: str, base_url: str, *, batch: bool = False) -> None:
        # Imported here: runs with an embedded audience need not wait for it.
        from genai_prices import Usage as PricedUsage  # noqa: PLC0415
        from genai_prices import calc_price  # noqa: PLC0415

        def calculate(prompt_tokens: int, completion_tokens: int, cached_tokens: int) -> PriceCalculation:
            return calc_price(
                PricedUsage(
                    input_tokens=prompt_tokens,
                    cache_read_tokens=cached_tokens,
                    output_tokens=completion_tokens,
                ),
                model,
                provider_api_url=base_url,
                price_context={"processing": "batch"} if batch else None,
            )

        self._calculate = calculate
        found = calculate(1, 1, 0)
        day = datetime.now(UTC).date().isoformat()
        self.source = f"{found.provider.name}'s {'batch ' if batch else ''}price of {found.model.id} on {day} (genai-prices {version('genai-prices')})"

    def cost(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> Decimal:
        """US dollars of one call."""
        return self._calculate(prompt_tokens, completion_tokens, cached_tokens).total_price


def published(model: str, base_url: str, *, batch: bool = False) -> Prices | None:
    """Published prices; free for an embedded client; None where nobody says: unknown is never nothing."""
    if not base_url:
        return FREE
    try:
        return PublishedPrices(model, base_url, batch=batch)
    except LookupError:
        return None


def usage_cost(prices: Prices, usage: Usage) -> Decimal | None:
    """US dollars of an answer by the server's own count; None if it gave none."""
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    return prices.cost(usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens or 0)
