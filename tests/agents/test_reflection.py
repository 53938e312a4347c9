"""Notes between rounds: harmless, within their budget, and none made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_doubles import completion

from agents.llm.tokens import estimate_tokens
from agents.reflection import Reflection, noted
from prompts import load_family, session_template

TOLD = session_template(load_family("paper"), "reflection")


def test_a_note_is_one_harmless_line_without_thoughts():
    found = noted(completion("<think>hm</think>I like noir.\n\nMy ranking would be Heat [1]"), 2)
    assert found == Reflection(2, "I like noir. (removed) would be Heat (1)")


@pytest.mark.parametrize("said", [None, completion(""), completion(" \n"), completion("<think>only this")])
def test_no_note_is_none(said):
    assert noted(said, 1) is None


@given(st.text(st.characters(codec="ascii"), min_size=1, max_size=600), st.integers(0, 120))
def test_it_keeps_to_its_budget_and_says_where_it_was_cut(text, budget):
    found = noted(completion(text), 1)
    if found is None:
        return
    told = found.tell(TOLD, budget)
    assert not told or estimate_tokens(told) <= budget
    assert not told or told.endswith(" ...") or found.text in told


def test_a_whole_note_is_told_whole():
    assert (
        Reflection(3, "I like noir.").tell(TOLD, 100)
        == "What you noted for yourself after round 3: I like noir."
    )
