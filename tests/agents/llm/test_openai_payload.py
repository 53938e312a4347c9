"""Answers as the servers that speak the protocol write them, shortened from their documentation and sources."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llm import CallError, TokenLogprob, Usage
from agents.llm.openai_payload import Reader
from agents.llm.written import completion_fields, completion_of

KEY = "sk-canary-0192"
READER = Reader("http://host/v1", "MY_KEY", (KEY,))


def answer(message, usage=None, **choice):
    payload = {"model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop", **choice}]}
    return READER.completion(json.dumps({**payload, "usage": usage}).encode())


def test_openai_tells_cached_and_reasoning_tokens():
    usage = {
        "prompt_tokens": 1117,
        "completion_tokens": 46,
        "total_tokens": 1163,
        "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 32, "audio_tokens": 0},
    }
    assert answer({"role": "assistant", "content": "Yes"}, usage).usage == Usage(1117, 46, 1024, 32)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "12"}, {"prompt_tokens_details": None}])
def test_what_the_server_does_not_count_is_unknown_not_zero(usage):
    assert answer({"content": "Yes"}, usage).usage == Usage(None, None)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_told_apart_is_kept_apart(name):
    told = answer({"content": "2, 1", name: "The user likes 2."})
    assert (told.text, told.reasoning) == ("2, 1", "The user likes 2.")


def test_a_reasoning_model_out_of_tokens_has_no_text_and_says_why():
    told = answer({"content": None, "reasoning_content": "Hmm, let me"}, finish_reason="length")
    assert (told.text, told.finish_reason, told.reasoning) == ("", "length", "Hmm, let me")


def test_a_refusal_stands_where_the_text_would():
    assert answer({"content": None, "refusal": "I can't help with that."}).text == "I can't help with that."


def test_content_in_parts_is_one_text():
    parts = [{"type": "text", "text": "2, "}, {"type": "text", "text": "1"}]
    assert answer({"content": parts}).text == "2, 1"


def test_logprobs_with_their_alternatives():
    content = [
        {
            "token": "Yes",
            "logprob": -0.25,
            "bytes": [89, 101, 115],
            "top_logprobs": [{"token": "Yes", "logprob": -0.25}, {"token": "No", "logprob": -1.5}],
        },
        {"token": ".", "logprob": 0, "top_logprobs": []},
    ]
    told = answer({"content": "Yes."}, logprobs={"content": content, "refusal": None})
    assert told.logprobs == (
        TokenLogprob("Yes", -0.25, (("Yes", -0.25), ("No", -1.5))),
        TokenLogprob(".", 0.0),
    )
    assert completion_of(json.loads(json.dumps(completion_fields(told)))) == told


@pytest.mark.parametrize("given", [None, {"content": None}, {}])
def test_without_logprobs_there_are_none(given):
    assert answer({"content": "Yes"}, logprobs=given).logprobs is None


def test_no_part_of_an_answer_holds_the_key():
    token = {"token": KEY, "logprob": -1.0, "top_logprobs": [{"token": KEY, "logprob": -1.0}]}
    told = answer(
        {"content": f"a {KEY}", "reasoning": f"b {KEY}"}, finish_reason=KEY, logprobs={"content": [token]}
    )
    assert KEY not in repr(told)
    assert KEY not in repr(READER)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "usage", "logprobs", "token", "prompt_tokens"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON.map(json.dumps).map(str.encode) | st.binary(max_size=40))
def test_whatever_comes_is_an_answer_or_an_attempt_that_failed(content):
    with contextlib.suppress(CallError):
        told = READER.completion(content)
        assert completion_of(completion_fields(told)) == told


def rejection(status, error, model="m"):
    content = error if isinstance(error, bytes) else json.dumps(error).encode()
    return READER.rejection(status, {}, content, model)


@pytest.mark.parametrize(
    "written",
    [
        {
            "error": {
                "message": "too long",
                "type": "invalid_request_error",
                "code": "context_length_exceeded",
            }
        },
        {"object": "error", "message": "too long", "type": "BadRequestError", "code": 400},
        {"error": "too long"},
        b"too long",
    ],
    ids=["openai", "vllm", "ollama", "plain"],
)
def test_the_servers_own_words_are_passed_on(written):
    error = rejection(400, written)
    assert "too long" in str(error)
    assert "message" not in str(error)
    assert not error.retryable


def test_a_parameter_that_the_model_does_not_take_is_the_scenarios_to_change():
    said = {
        "message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        "type": "invalid_request_error",
        "param": "max_tokens",
        "code": "unsupported_parameter",
    }
    error = rejection(400, {"error": said}, "o4-mini")
    assert "users.params" in str(error)
    assert "max_completion_tokens" in str(error)


def test_a_redirect_is_told_not_followed():
    error = rejection(308, b"")
    assert "base_url" in str(error)
    assert not error.retryable


def test_a_rejection_does_not_quote_the_key():
    assert KEY not in str(rejection(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}))
