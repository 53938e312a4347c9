"""TitleIndex: the ways a title is written, covers, and what a mention tells about its place."""

from __future__ import annotations

import time

import pytest

from agents.reply import TitleIndex


def found(titles: list[str], text: str) -> list[tuple[int, ...]]:
    return [mention.positions for mention in TitleIndex(titles).find(text)]


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Game, The (1997)", "The Game"),
        ("Game, The (1997)", "the game (1997)"),
        ("The Matrix", "Matrix, The"),
        ("A Chef in Love (1996)", "Chef in Love, A"),
        ("Simple Plan, A (1998)", "A Simple Plan, A (1998)"),
        ("Bridge on the River Kwai, The (1957)", "Bridge on the River Kwai"),
        ("Postino, Il (The Postman) (1994)", "Il Postino"),
        ("Postino, Il (The Postman) (1994)", "The Postman"),
        ("Postino, Il (The Postman) (1994)", "The Postman (Il Postino)"),
        ("Seven (Se7en) (1995)", "Se7en (1995)"),
        ("Boat, The (Das Boot) (1981)", "Das Boot"),
        ("Hard 8 (a.k.a. Sydney, a.k.a. Hard Eight) (1996)", "Hard Eight"),
        ("Misérables, Les (1995)", "LES MISERABLES"),
        ("Misérables, Les (1995)", "Les Mise\u0301rables"),
        ("Zero Kelvin (Kjærlighetens kjøtere) (1995)", "Kjaerlighetens kjotere"),
        ("In & Out (1997)", "In and Out"),
        ("Oscar and Lucinda", "Oscar & Lucinda"),
        ("Schindler's List (1993)", "Schindlers List"),
        ("Schindler's List (1993)", "Schindler’s List"),
        ("M*A*S*H (1970)", "MASH"),
        ("L.A. Confidential (1997)", "LA Confidential"),
        ("E.T. the Extra-Terrestrial (1982)", "ET the Extra-Terrestrial"),
        ("20,000 Leagues Under the Sea (1954)", "20000 Leagues Under the Sea"),
        ("Face/Off (1997)", "FaceOff"),
        ("École, L' (1998)", "L'École"),
        ("Associate, The (L'Associe)(1982)", "The Associate (1982)"),
    ],
)
def test_one_title_many_spellings(title: str, text: str) -> None:
    (mention,) = TitleIndex(["Unrelated (2001)", title]).find(f"Titles: {text}; and others")
    assert mention.positions == (1,)
    assert mention.whole
    assert mention.end - mention.start == len(text)


def test_commas_are_no_borders() -> None:
    titles = ["Girl, Interrupted (1999)", "Yes, Madam (1995)", "I, Worst of All (1990)", "Girl 6 (1996)"]
    assert found(titles, "Yes, Madam, I, Worst of All, Girl, Interrupted, Girl 6") == [(1,), (2,), (0,), (3,)]


def test_the_cover_is_the_longest_not_the_first() -> None:
    titles = [
        "Sense",
        "Sense and Sensibility (1995)",
        "Sensibility",
        "And Now (1999)",
        "Now and Then (1995)",
        "Then Came Bronson",
    ]
    assert found(titles, "Sense and Sensibility") == [(1,)]
    assert found(titles, "And Now and Then Came Bronson") == [(3,), (5,)]


def test_a_list_separator_the_title_lacks_speaks_against_it() -> None:
    titles = ["Alien", "Nation", "Alien Nation (1988)", "East Palace West Palace (1997)"]
    assert found(titles, "Alien, Nation") == [(0,), (1,)]
    assert found(titles, "Alien Nation") == [(2,)]
    assert found(titles, "East Palace, West Palace") == [(3,)]


def test_the_nearest_alias_wins_and_equals_are_ambiguous() -> None:
    titles = [
        "Hamlet (1996)",
        "Hamlet (1948)",
        "Hamlet",
        "Killer, The (1989)",
        "Killer (Bulletproof Heart) (1994)",
    ]
    assert found(titles, "Hamlet (1996)") == [(0,)]
    assert found(titles, "Hamlet [1948]") == [(1,)]
    assert found(titles, "Hamlet") == [(2,)]
    assert found(titles[:2], "Hamlet") == [(0, 1)]
    assert found(titles, "The Killer") == [(3,)]
    assert found(titles, "Killer") == [(4,)]
    assert found(["Mummy, The (1932)", "Mummy, The (1959)"], "the mummy") == [(0, 1)]


def test_another_year_is_another_film() -> None:
    assert found(["Sabrina (1995)"], "Sabrina (1954)") == []
    assert found(["Sabrina (1995)", "Sabrina (1954)"], "Sabrina (1954)") == [(1,)]
    assert found(["Sabrina"], "Sabrina (1954)") == [(0,)]


def test_ordinary_words_are_told_apart_by_their_place() -> None:
    index = TitleIndex(["Big (1988)", "Heat (1995)", "Pulp Fiction (1994)"])
    assert not any(
        m.credible for m in index.find("I love big stories, the heat of summer and pulp fiction novels")
    )
    assert [m.whole for m in index.find("Heat, Big")] == [True, True]
    assert [m.whole for m in index.find("heat\nbig")] == [True, True]
    assert [m.credible for m in index.find("I did see Pulp Fiction again")] == [True]


def test_lines_and_arrows_are_borders() -> None:
    titles = ["Scream (1996)", "Scream 2 (1997)", "2 Days in the Valley (1996)"]
    assert found(titles, "Scream\n2 Days in the Valley") == [(0,), (2,)]
    assert found(titles, "Scream > 2") == [(0,)]


def test_titles_without_letters_are_never_found() -> None:
    assert found(["...", "***", "&", ">", "> & >"], "... *** ! & > and > & >") == []
    assert TitleIndex([]).find("Heat") == []


def test_a_catalogue_is_built_and_searched_quickly() -> None:
    titles = [
        f"{a} {b} of {c}, The ({year})"
        for a in "ABCDEFGH"
        for b in "KLMNOPQR"
        for c in "STUVWXYZ"
        for year in range(1990, 1998)
    ]
    began = time.process_time()
    index = TitleIndex(titles)
    built = time.process_time()
    prompt = ", ".join(titles[:130])[:3000]
    mentions = index.find(prompt)
    assert len(mentions) >= 129
    assert built - began < 3.0
    assert time.process_time() - built < 0.1
