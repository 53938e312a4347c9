"""Titles in all styles, embedded and real; and a parser that is wrong must be seen to be."""

import os
import random
from dataclasses import replace

import pytest

from agents.reply import Asked, parse
from benchmarks import titles
from benchmarks.replies.slates import hard_slates, random_slates
from benchmarks.replies.styles import natural

TITLES = [
    "Heat (1995)", "Sabrina (1954)", "Sabrina (1995)", "Game, The (1997)", "Hard Day's Night, A (1964)", "Alien (1979)", "Aliens (1986)",
    "Girl, Interrupted (1999)", "Interrupted (2001)", "Misérables, Les (1995)", "eXistenZ (1999)", "'burbs, The (1989)",
    "Naked Gun: From the Files of Police Squad!, The (1988)", "Postino, Il (The Postman) (1994)", "That Darn Cat! (1997)",
]  # fmt: skip


def test_every_embedded_title_in_every_style(embedded):
    fields = titles.measured("embedded", list(embedded("embedded").items["title"])[::6], parse)
    assert fields["exact"] == fields["replies"] > 100
    assert all(style["exact"] == style["replies"] for style in fields["by_style"].values())


@pytest.mark.skipif(
    not os.environ.get("SCREENTEST_DATA"), reason="SCREENTEST_DATA is unset: MovieLens is not there"
)
def test_every_twentieth_title_of_movielens_in_every_style():
    chosen = titles._titles(quick=False)[::20]
    fields = titles.measured("ml-1m", chosen, parse)
    assert (fields["titles"], fields["exact"]) == (len(chosen), fields["replies"])


def test_hard_titles_beside_one_another_and_a_name_of_two_years_is_ambiguous():
    fields = titles.measured("test", TITLES, parse)
    assert fields["exact"] == fields["replies"]
    assert fields["ambiguous"] > 0


def first_of_several(text, candidates, reason, asked):
    """Takes the first film of an ambiguous name."""
    verdict = parse(text, candidates, reason, asked)
    guessed = [p for p in verdict.missing if any(name in candidates[p] for name in verdict.ambiguous)]
    return replace(verdict, ranking=(*verdict.ranking, *guessed[:1]))


def commas_only(text, candidates, reason, asked):
    """Reads as if every comma parted two titles."""
    return parse(text.replace(", ", " ; "), candidates, reason, asked)


@pytest.mark.parametrize("parser", [first_of_several, commas_only])
def test_a_parser_that_guesses_or_splits_is_not_exact(parser):
    fields = titles.measured("test", TITLES, parser)
    assert fields["exact"] < fields["replies"]


def test_slates_hold_every_title_and_namesakes_together():
    assert {title for slate in random_slates(TITLES, 1, 0) for title in slate} == set(TITLES)
    together = list(hard_slates([*TITLES, *(f"Film {n} (1990)" for n in range(40))], 0))
    assert all(len(slate) == len(set(slate)) == 20 for slate in together)
    assert any({"Sabrina (1954)", "Sabrina (1995)"} <= {*slate} for slate in together)
    assert any({"Girl, Interrupted (1999)", "Interrupted (2001)"} <= {*slate} for slate in together)


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("Game, The (1997)", "The Game (1997)"),
        ("Avventura, L' (1960)", "L'Avventura (1960)"),
        ("Heat", "Heat"),
    ],
)
def test_natural_titles(title, said):
    assert natural(title) == said


def test_asked_parts_are_read_apart():
    replies = list(titles.written(tuple(TITLES), random.Random(1)))
    assert {reply.asked for reply in replies} == {Asked(True, False), Asked(False, True)}
