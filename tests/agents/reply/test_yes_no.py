"""Yes or no to one item, from the likeliest tokens or from the text."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llm import Completion, TokenLogprob, Usage
from agents.reply import Status
from agents.reply.yes_no import read_logprobs, read_word


def said(*tokens, text=None, finish_reason="length"):
    """A completion whose tokens are given with the probabilities of what could stand there."""
    found = tuple(
        TokenLogprob(next(iter(places)), 0.0, tuple((token, math.log(p)) for token, p in places.items()))
        for places in tokens
    )
    text = "".join(token.token for token in found) if text is None else text
    return Completion(text, finish_reason, Usage(1, 1), "m", logprobs=found)


@pytest.mark.parametrize(
    ("places", "probability", "mass"),
    [
        ({"Yes": 0.6, "No": 0.2}, 0.75, 0.8),
        ({" no": 0.3, "No": 0.1, "YES": 0.1, " yes": 0.3, "Maybe": 0.2}, 0.5, 0.8),
        ({"▁Yes": 0.5, "ĠNo": 0.25, "yes.": 0.25}, 0.75, 1.0),
        ({"**Yes": 0.2, '"no"': 0.6}, 0.25, 0.8),
        ({"Perhaps": 0.9, "no": 0.001}, 0.0, 0.001),
        ({"Yes": 0.4, "Yesterday": 0.5, "Nothing": 0.1}, 1.0, 0.4),
    ],
)
def test_all_spellings_count(places, probability, mass):
    found = read_logprobs(said(places))
    assert found.status is Status.OK
    assert found.probability == pytest.approx(probability)
    assert found.mass == pytest.approx(mass)


def test_the_first_word_counts_and_not_what_stands_before_or_comes_after():
    found = read_logprobs(said({"\n\n": 0.9, "No": 0.1}, {"**": 1.0}, {"Yes": 0.9, "No": 0.1}, {"No": 1.0}))
    assert found.probability == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("completion", "status"),
    [
        (said({"Well": 0.9, "Hm": 0.1}, {"yes": 1.0}), Status.UNPARSEABLE),
        (said({"\n": 1.0}), Status.UNPARSEABLE),
        (said(), Status.UNPARSEABLE),
        (said({"I": 1.0}, text="I'm sorry, but"), Status.REFUSED),
        (Completion("yes", "stop", Usage(1, 1), "m"), Status.UNPARSEABLE),
    ],
)
def test_without_a_distribution_over_yes_and_no_nothing_is_guessed(completion, status):
    found = read_logprobs(completion)
    assert (found.status, found.probability, found.mass) == (status, None, None)


@given(st.floats(1e-6, 1), st.floats(1e-6, 1), st.floats(0.01, 1))
def test_the_probability_is_of_yes_against_no_whatever_else_there_is(yes, no, scale):
    whole = scale / (yes + no)
    found = read_logprobs(said({"yes": yes * whole, "no": no * whole, "other": 1.0}))
    assert found.probability == pytest.approx(yes / (yes + no), abs=1e-9)
    assert found.mass == pytest.approx(scale, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "probability"),
    [
        ("yes", 1),
        ("No.", 0),
        ("**Yes**, I would accept it", 1),
        ("<think>No, or is it?</think>\n\nYes", 1),
        (" YES I would", 1),
        ("no\nbecause", 0),
        ("No doubt I would accept it", None),
        ("Yesterday", None),
        ("I would say yes", None),
        ("", None),
    ],
)
def test_the_text_alone_is_one_or_nothing(text, probability):
    found = read_word(Completion(text, "stop", Usage(1, 1), "m"))
    assert found.probability == probability
    assert (found.status is Status.OK) is (probability is not None)
    assert found.mass is None


def test_a_text_cut_off_before_its_word_is_truncated():
    assert read_word(said(text="<think>Let me see")).status is Status.TRUNCATED
    assert read_word(said(text="Yes, I")).probability == 1
