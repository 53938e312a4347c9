"""The real engine with a real language model, the smallest there is."""

import asyncio
import json

from llm_doubles import ask_for
from local_engine import needs_model

from agents.llm import CallError, ClientSetupError
from agents.local.client import LocalClient
from agents.local.server import ServerSettings
from agents.local.weights import find_weights

pytestmark = needs_model
SETTINGS = ServerSettings(context=512, slots=2, threads=1)
SCHEMA = {
    "type": "object",
    "properties": {"accept": {"type": "boolean"}, "rank": {"type": "integer"}},
    "required": ["accept", "rank"],
    "additionalProperties": False,
}


def answers(model, *requests):
    client = LocalClient(str(model), SETTINGS)

    async def ask_all():
        try:
            return await asyncio.gather(*map(client.complete, requests), return_exceptions=True)
        finally:
            await client.aclose()

    return asyncio.run(ask_all())


def test_a_language_model_answers_through_http():
    said, short, schema, long = answers(
        "smollm2",
        ask_for(text="What is the capital of France?", max_tokens=12, temperature=0),
        ask_for(text="Say hello.", max_tokens=3, temperature=0, logprobs=True, top_logprobs=5),
        ask_for(
            text="Would you watch Heat?",
            max_tokens=100,
            temperature=0,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "choice", "strict": True, "schema": SCHEMA},
            },
        ),
        ask_for(text="film " * 600, max_tokens=3),
    )
    assert len(set(said.text.split())) > 2, "words, be they wrong"
    assert said.model == "smollm2"
    assert (short.finish_reason, short.usage.completion_tokens) == ("length", 3)
    assert 10 < short.usage.prompt_tokens < 60
    assert json.loads(schema.text).keys() == {"accept", "rank"}
    assert isinstance(long, CallError)
    assert not long.retryable
    assert "users.local.context" in str(long)


def test_weights_that_were_cut_off_do_not_come_up(tmp_path):
    cut = tmp_path / "cut.gguf"
    with find_weights("smollm2").path.open("rb") as file:
        cut.write_bytes(file.read(2_000_000))
    (error,) = answers(cut, ask_for())
    assert isinstance(error, ClientSetupError)
    assert str(cut) in str(error)


def test_a_call_that_is_given_up_does_not_keep_the_server_from_stopping():
    client = LocalClient("smollm2", SETTINGS)

    async def give_up():
        await client.complete(ask_for(text="Hello", max_tokens=1))
        call = asyncio.create_task(client.complete(ask_for(text="Count to a million.", max_tokens=400)))
        await asyncio.sleep(0.3)
        call.cancel()
        await asyncio.wait([call])
        async with asyncio.timeout(10):
            await client.aclose()

    asyncio.run(give_up())
