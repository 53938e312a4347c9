"""Texts in place of titles say no title."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts import blind_text


@pytest.mark.parametrize(
    ("title", "description"),
    [
        (
            "Usual Suspects, The (1995)",
            "In The Usual Suspects five men; the USUAL-SUSPECTS return. Usual suspects, the",
        ),
        ("Misérables, Les (1995)", "Les Misérables, and les misérables again"),
        ("Postino, Il (The Postman) (1994)", "Il Postino is The Postman; a Postino"),
        ("Alien: Resurrection (1997)", "Alien: Resurrection, or Alien Resurrection, or only Alien"),
        ("Schindler's List (1993)", "SCHINDLER'S LIST; Schindler's  List"),
    ],
)
def test_a_title_is_nowhere_in_its_text(title, description):
    told = blind_text(title, ("Drama",), description).lower()
    for word in ("usual suspects", "misérables", "postino", "postman", "alien", "schindler"):
        assert word not in told
    assert told.startswith("drama: ")


def test_what_is_not_known_is_said_and_not_made_up():
    assert blind_text("Heat (1995)", (), "") == "nothing is known of it"
    assert blind_text("Heat (1995)", ("Action", "Crime"), "") == "Action, Crime"


def test_a_long_text_ends_at_a_word_and_a_short_title_takes_no_common_words():
    told = blind_text("It (1990)", (), "it was " + "very " * 100 + "late")
    assert told.startswith("it was very")
    assert told.endswith("very ...")
    assert len(told) < 210


@given(st.text(max_size=40), st.text(max_size=80))
def test_any_text_becomes_one_line(title, description):
    assert "\n" not in blind_text(title, ("Drama",), description)
