"""Caps on a whole run: calls, tokens and money, reserved before each attempt and settled after it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from agents.llm.prices import usage_cost
from agents.llm.purse import OwnPurse, Spent
from agents.llm.tokens import bound_tokens, longest_reply
from agents.llm.types import CallError, ClientSetupError, Completion

if TYPE_CHECKING:
    from agents.llm.prices import Prices
    from agents.llm.purse import Caps, Purse
    from agents.llm.record import Attempt, Record
    from agents.llm.tokens import TokenCounter
    from agents.llm.types import Request


class Account:
    """What attempts at one price take from a purse.

    An attempt reserves the most that it can take: its prompt and the longest reply that it allows. Where the prompt's
    tokens cannot be counted exactly its bytes are reserved, which no tokenizer exceeds. After it, an answer counts as
    the server's `usage` says, or as the reservation where it says nothing; an attempt that the server turned away with
    a status counts nothing; and one that may have been answered without our hearing of it (a cut connection, a timeout, an
    answer that is none) counts as its reservation. So by the server's own count the caps are never passed.

    Raises ClientSetupError if a cap cannot be kept: no price for a cap on money.
    """

    def __init__(self, caps: Caps, prices: Prices | None, tokens: TokenCounter, purse: Purse) -> None:
        if caps.cost is not None and prices is None:
            raise ClientSetupError(
                "a cap on money needs the price of the model, and none is published for it at this address: give your "
                "own as users.prices, in US dollars per million tokens ({input: 0.5, output: 1.5})"
            )
        self.prices, self.tokens = prices, tokens
        self._purse = purse
        self._limits_size = caps.tokens is not None or caps.cost is not None
        self._nothing = None if prices is None else Decimal(0)

    def count(self, record: Record) -> None:
        """Add what a call of a resumed run's journal took; answers of the cache took nothing."""
        for attempt in record.attempts:
            if (taken := self._taken_by(record, attempt)) is not None:
                self._purse.add(taken)

    async def reserve(self, request: Request) -> Spent:
        """Set aside what an attempt may take, waiting for others to end where only they leave room.

        Raises BudgetReached if there is no room and nobody is left to leave any.
        """
        most = self._reservation(request)
        await self._purse.reserve(most)
        return most

    def settle(self, request: Request, reserved: Spent, outcome: Completion | CallError | None) -> None:
        """Replace a reservation by what the attempt took; None: it was given up, and nobody knows."""
        turned_away = isinstance(outcome, CallError) and outcome.status is not None
        completion = outcome if isinstance(outcome, Completion) else None
        self._purse.settle(reserved, None if turned_away else self._taken(request, completion))

    def _taken_by(self, record: Record, attempt: Attempt) -> Spent | None:
        outcome = record.completion if attempt.error is None else None
        if outcome is not None or (attempt.status is None and not attempt.unspent):
            return self._taken(record.request, outcome)
        return None

    def _reservation(self, request: Request) -> Spent:
        return self._most(request) if self._limits_size else Spent(1, 0, self._nothing)

    def _taken(self, request: Request, completion: Completion | None) -> Spent:
        usage = completion.usage if completion is not None else None
        if usage is not None and usage.prompt_tokens is not None and usage.completion_tokens is not None:
            cost = None if self.prices is None else usage_cost(self.prices, usage)
            return Spent(1, usage.prompt_tokens + usage.completion_tokens, cost)
        if self._limits_size:
            return self._most(request)
        # Nothing was reserved, so this is no bound but the best guess.
        reply = longest_reply(request) or 0
        if completion is not None:
            reply = self.tokens.text(completion.text)
        return self._sum(self.tokens.prompt(request.messages), reply)

    def _most(self, request: Request) -> Spent:
        exact = self.tokens.exact
        prompt = self.tokens.prompt(request.messages) if exact else bound_tokens(request.messages)
        reply = longest_reply(request)
        if reply is None:
            raise ClientSetupError(
                "a cap on tokens or money needs a limit on each reply, or no call could be reserved for: set "
                "users.params.max_tokens (max_completion_tokens for reasoning models)"
            )
        return self._sum(prompt, reply)

    def _sum(self, prompt: int, reply: int) -> Spent:
        return Spent(1, prompt + reply, None if self.prices is None else self.prices.cost(prompt, reply))


class Budget(Account):
    """What a run may spend, and has spent: an account with a purse of its own.

    Calls at other prices count in a budget of their own `beside` it, which has the same caps and spends from the same purse;
    only one of the two may be asked from at a time.
    """

    def __init__(
        self, caps: Caps, prices: Prices | None, tokens: TokenCounter, beside: Budget | None = None
    ) -> None:
        self.purse: OwnPurse = OwnPurse(caps) if beside is None else beside.purse
        """Shared with those beside it."""
        super().__init__(caps, prices, tokens, self.purse)

    @property
    def spent(self) -> Spent:
        """By all attempts that have ended, those of a resumed run's journal included."""
        spent = self.purse.spent
        # Nothing spent at no known price is no known cost either.
        return spent if self.prices is not None else Spent(spent.calls, spent.tokens, None)

    def reserve_now(self, request: Request) -> Spent | None:
        """Set aside without waiting; None where there is no room now."""
        most = self._reservation(request)
        return most if self.purse.reserve_now(most) else None

    def commit(self, request: Request) -> Spent:
        """Set aside what an attempt may take that was sent already, whatever the caps say now."""
        most = self._reservation(request)
        self.purse.commit(most)
        return most

    def release(self, reserved: Spent) -> None:
        """Take back a reservation whose attempt is not made."""
        self.purse.settle(reserved, None)

    def close(self, record: Record, reserved: Spent) -> None:
        """Replace a reservation by what the last attempt of a record took."""
        self.purse.settle(reserved, self._taken_by(record, record.attempts[-1]))
