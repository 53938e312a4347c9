"""What every client holds to, as a test class that the author of one inherits. Needs pytest.

    from agents.testing.conformance import ChatClientConformance

    class TestMine(ChatClientConformance):
        def make(self):
            return MyClient()

`pytest.register_assert_rewrite("agents.testing.conformance")` in a conftest.py makes failures show the values compared.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from agents.llm.canonical import canonical_json
from agents.llm.gateway import Gateway
from agents.llm.key import Endpoint, public_url
from agents.llm.types import CallError, Completion, Draw, Message, Request, Usage
from agents.llm.written import completion_fields, completion_of
from agents.testing.journal import MemoryJournal

if TYPE_CHECKING:
    from agents.llm.types import ChatClient


class ChatClientConformance:
    """Override `make`; `request` where the client does not answer just any words; `make_failing` where it can fail."""

    def make(self) -> ChatClient:
        """A client that answers, as a run makes it; called on no event loop."""
        raise NotImplementedError

    def make_failing(self) -> ChatClient:
        """A client whose every attempt fails, because of the server, the network or the key."""
        pytest.skip("this client has no way to fail")

    def request(self, user: str = "u1") -> Request:
        """A question of one user that the client answers."""
        return Request((Message("user", f"Good evening from {user}."),), "model", {}, Draw(user, 1, 0))

    def test_an_answer_is_whole(self) -> None:
        """Text, why it ended, counts that are counts, and who answered."""
        answer = self._complete(self.request())[0]
        assert isinstance(answer, Completion)
        assert isinstance(answer.text, str)
        assert answer.finish_reason
        assert isinstance(answer.model, str)
        usage = answer.usage
        assert isinstance(usage, Usage)
        for count in vars(usage).values():
            assert count is None or (isinstance(count, int) and count >= 0)

    def test_an_answer_can_be_kept(self) -> None:
        """What is read from the journal is what was answered."""
        answer = self._complete(self.request())[0]
        written = completion_fields(answer)
        assert completion_of(written) == answer
        assert canonical_json(written)

    def test_many_are_answered_at_once(self) -> None:
        """Each caller gets an answer, whatever else is under way."""
        answers = self._complete(*(self.request(f"u{n}") for n in range(40)))
        assert len(answers) == 40
        assert all(isinstance(answer, Completion) for answer in answers)

    def test_the_request_is_left_as_it_is(self) -> None:
        """Its body is hashed before and journaled after."""
        request = self.request()
        before = canonical_json(request.body())
        self._complete(request)
        assert canonical_json(request.body()) == before

    def test_it_is_named_and_its_address_holds_no_credential(self) -> None:
        """Provider and base_url enter every key, label every output."""
        client, again = self.make(), self.make()
        try:
            assert client.provider
            assert client.label
            assert client.base_url == public_url(client.base_url)
            assert Endpoint.of(client) == Endpoint.of(again), "two clients made alike have different keys"
        finally:
            asyncio.run(client.aclose())
            asyncio.run(again.aclose())

    def test_it_can_be_closed_unused_and_twice(self) -> None:
        """A run that needs no call closes a client that never made one."""

        async def use() -> None:
            client = self.make()
            await client.aclose()
            await client.aclose()

        asyncio.run(use())

    def test_a_failure_is_a_call_error(self) -> None:
        """Nothing else: any other exception would end the run as a fault of the program."""

        async def use() -> CallError:
            client = self.make_failing()
            try:
                with pytest.raises(CallError) as caught:
                    await client.complete(self.request())
                return caught.value
            finally:
                await client.aclose()

        error = asyncio.run(use())
        assert str(error), "the message says what is wrong"
        assert isinstance(error.retryable, bool)

    def test_a_run_records_its_answers_and_replays_them(self) -> None:
        """Each call once in the journal; the replay has no client and gives the same completions."""
        journal, requests = MemoryJournal(), [self.request(f"u{n}") for n in range(5)]
        client = self.make()
        endpoint = Endpoint.of(client)
        with Gateway(client, journal) as gateway:
            records = gateway.ask(requests)
        assert [record.error for record in records] == [None] * 5
        assert sorted(record.key for record in journal.kept) == sorted({record.key for record in records})
        with Gateway(None, journal, endpoint=endpoint) as replaying:
            again = replaying.ask(requests)
        assert [record.completion for record in again] == [record.completion for record in records]

    def _complete(self, *requests: Request) -> list[Completion]:
        client = self.make()

        async def use() -> list[Completion]:
            try:
                return await asyncio.gather(*map(client.complete, requests))
            finally:
                await client.aclose()

        return asyncio.run(use())
