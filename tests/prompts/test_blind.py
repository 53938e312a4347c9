"""Texts in place of titles say no title."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts import TitleBlind


def blind_text(title, genres, description, *others):
    return TitleBlind([title, *others]).text(title, genres, description)


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


OTHERS = (
    "Toy Story (1995)",
    "Thelma & Louise (1991)",
    "Game, The (1997)",
    "Misérables, Les (1995)",
    "Heat (1995)",
    "It (1990)",
)


@pytest.mark.parametrize(
    ("description", "told"),
    [
        ("A sequel to Toy Story, with TOY-STORY toys", "A sequel to (title), with (title) toys"),
        ("As in Thelma and Louise (1991)", "As in (title) (1991)"),
        ("By the maker of The Game and of Les Miserables.", "By the maker of (title) and of (title)."),
        (
            "Better than Heat, with more heat; it is a game",
            "Better than (title), with more heat; it is a game",
        ),
        ("Thelma alone, a toy, a story", "Thelma alone, a toy, a story"),
    ],
)
def test_titles_of_other_items_are_taken_out_too(description, told):
    assert blind_text("Toy Story 2 (1999)", (), description, *OTHERS) == told


@given(
    st.lists(
        st.lists(st.sampled_from("Ann Bob café Dog the of & II".split()), min_size=2, max_size=4),
        min_size=1,
        max_size=5,
    ),
    st.lists(st.sampled_from("ANN bob cafe Dog, the. of and ii x".split()), max_size=8),
    st.data(),
)
def test_no_title_of_several_words_is_left_in_any_text(titles, around, data):
    catalogue = [" ".join(words) for words in titles]
    named = data.draw(st.sampled_from(catalogue))
    told = TitleBlind(catalogue).text("Other One", (), " ".join([*around, named, *around]))
    assert not [title for title in catalogue if f" {title.lower()} " in f" {told.lower()} "]


@given(st.text(max_size=40), st.text(max_size=80))
def test_any_text_becomes_one_line(title, description):
    assert "\n" not in blind_text(title, ("Drama",), description)
