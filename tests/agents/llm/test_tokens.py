"""Token counts: exact and offline where a vocabulary is at hand, else labelled; never a download, never a failure."""

import socket

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st
from llm_doubles import ask_for

from agents.llm import Message, token_counter
from agents.llm.tokens import bound_tokens, estimate_tokens, longest_reply


@pytest.fixture
def _offline(monkeypatch, tmp_path):
    """No network, nothing of an earlier run: neither tiktoken's own cache nor ours."""

    def refuse(*args, **kwargs):
        raise AssertionError("counting must not go to the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setitem(tiktoken.registry.__dict__, "ENCODINGS", {})
    token_counter.cache_clear()
    yield
    token_counter.cache_clear()


@pytest.mark.usefixtures("_offline")
@pytest.mark.parametrize(
    ("model", "vocabulary", "tokens"), [("gpt-4o-mini", "o200k_base", 5), ("gpt-4", "cl100k_base", 5)]
)
def test_openai_models_are_counted_exactly_without_a_network(model, vocabulary, tokens, monkeypatch):
    counter = token_counter(model)
    assert (counter.exact, counter.name) == (True, vocabulary)
    assert counter.text("The Shawshank Redemption") in (tokens, tokens - 1, tokens + 1)
    assert counter.text("hello world") == 2
    assert counter.prompt([Message("user", "hello world")]) == 2 + 1 + 3 + 3


@pytest.mark.usefixtures("_offline")
@pytest.mark.parametrize("model", ["llama-3.1-8b-instruct", "standin", ""])
def test_other_models_are_estimated_and_the_estimate_says_so(model):
    counter = token_counter(model)
    assert not counter.exact
    assert "approximate" in counter.name
    assert counter.text("x" * 280) == 100


@pytest.mark.usefixtures("_offline")
@pytest.mark.parametrize("damage", ["missing", "unreadable", "other"])
def test_without_its_vocabulary_a_known_model_is_estimated(damage, monkeypatch, tmp_path):
    from agents.llm import tokens

    packed = {"missing": None, "unreadable": None, "other": b"IQ== 0\n"}[damage]
    monkeypatch.setattr(tokens, "_packed", lambda name: packed)
    counter = token_counter("gpt-4o-mini")
    assert not counter.exact
    assert "o200k_base is not on this machine" in counter.name


@pytest.mark.usefixtures("_offline")
def test_a_damaged_copy_is_replaced_and_not_fetched(tmp_path):
    assert token_counter("gpt-4o-mini").exact
    (file,) = (path for path in (tmp_path / "xdg").rglob("*") if path.is_file())
    file.write_bytes(file.read_bytes()[:-1])
    token_counter.cache_clear()
    tiktoken.registry.ENCODINGS.clear()
    assert token_counter("gpt-4o-mini").exact


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_the_bound_is_never_below_the_exact_count(text):
    messages = [Message("system", text), Message("user", text)]
    for model in ("gpt-4o-mini", "gpt-4"):
        assert bound_tokens(messages) >= token_counter(model).prompt(messages)
    assert estimate_tokens(text) >= len(text) / 3


def test_special_tokens_in_a_title_are_text():
    assert token_counter("gpt-4o-mini").text("<|endoftext|>") > 1


def test_the_longest_reply_is_what_the_request_allows():
    assert longest_reply(ask_for("u")) is None
    assert longest_reply(ask_for("u", max_tokens=7)) == 7
    assert longest_reply(ask_for("u", max_completion_tokens=9, n=3)) == 27
    assert longest_reply(ask_for("u", max_tokens="many")) is None
