from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from llm_doubles import ask_for, completion

from agents.llm import Completion, Draw, Message, Request, TokenLogprob, Usage
from agents.llm.canonical import canonical_json
from agents.llm.written import completion_fields, completion_of, request_fields, request_of

texts = st.text(st.characters(), max_size=12)  # lone surrogates and line separators included
counts = st.none() | st.integers(0, 2**40)
logprobs = st.floats(max_value=0, allow_nan=False, allow_infinity=False)
tokens = st.builds(TokenLogprob, texts, logprobs, st.lists(st.tuples(texts, logprobs), max_size=3).map(tuple))
completions = st.builds(
    Completion,
    texts,
    texts,
    st.builds(Usage, counts, counts, counts, counts),
    texts,
    reasoning=st.none() | texts,
    logprobs=st.none() | st.lists(tokens, max_size=3).map(tuple),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=5,
)
requests = st.builds(
    Request,
    messages=st.lists(st.builds(Message, texts, texts), max_size=3).map(tuple),
    model=texts,
    params=st.dictionaries(texts, values, max_size=3),
    draw=st.builds(Draw, texts, st.integers(), st.integers()),
)


@given(completions)
def test_a_completion_reads_back_from_its_json(answer):
    assert completion_of(json.loads(canonical_json(completion_fields(answer)))) == answer


@given(requests)
def test_a_request_reads_back_from_its_json(request):
    assert request_of(json.loads(canonical_json(request_fields(request)))) == request


def test_a_failed_call_has_no_completion():
    assert completion_of(json.loads(canonical_json(completion_fields(None)))) is None


def test_what_is_absent_is_left_out():
    """So lines are no longer than they were, and those written before reasoning and logprobs were kept read the same."""
    assert completion_fields(completion("ok")) == {
        "completion": {"text": "ok", "finish_reason": "stop", "model": "test-model"},
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }
    assert completion_of(completion_fields(completion("ok"))) == completion("ok")


def test_empty_is_not_absent():
    """A server that was asked for logprobs and gave none has said something else than one that was not asked."""
    answer = Completion("", "length", Usage(0, 0, 0, 0), "m", reasoning="", logprobs=())
    read = completion_of(json.loads(canonical_json(completion_fields(answer))))
    assert read == answer
    assert read != Completion("", "length", Usage(0, 0), "m")


def test_the_form_of_a_request_is_what_it_was():
    assert request_fields(ask_for("u7", "hi", round=2)) == {
        "messages": [{"role": "user", "content": "hi"}],
        "model": "test-model",
        "params": {"temperature": 0.5},
        "draw": {"user": "u7", "round": 2, "replicate": 0},
    }
