"""Replies in the asked form are read without a search, and exactly as the search reads them."""

from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.embedded.null import RandomUser
from agents.embedded.reading import PromptReader
from agents.llm import Draw, Message, Request
from agents.reply import Asked, TitleIndex, VerbatimTitles, parse, parser

ASKED = [Asked(accept=True, rank=True), Asked(accept=True, rank=False), Asked(accept=False, rank=True)]
WORDS = [
    "Alpha",
    "Beta",
    "Gamma",
    "the",
    "The",
    "of",
    "and",
    "My",
    "None",
    "Not",
    "Ranking",
    "Big",
    "2001",
    "I",
]
TRAPS = [
    "Big (1988)", "Big Night (1996)", "Game, The (1997)", "The Game (1997)", "Alpha Beta", "Beta, Gamma", "Alpha", "Gamma (1990)",
    "Alpha, Beta (1990)", "2001: A Space Odyssey (1968)", "1984", "Face/Off (1997)", "FaceOff (1997)", "L.A. Confidential (1997)",
    "Vol. 1. Alpha (2003)", "Postino, Il (The Postman) (1994)", "Café Zéphyrin, The (1989)", "My Ranking (1990)", "Would Be (1991)",
    "None of Them (1992)", "(500) Days (2009)", "Yahoo! (2001)", "Me, Myself & Irene (2000)", "A. B. (1999)", "Leonard (1990)",
    "Leonard, Part 6 (1987)", "Heat (1995)", "Heat (1986)", "Heat", "<think> (1999)", "ĉ Alpha (1999)", "Accept This (2000)",
]  # fmt: skip
names = st.sampled_from(
    ["Leonard", "Anna Maria", "My", "Accept", "Not Sure", "Zoë", "Big", "I would", "Heat", "this user"]
)
titles = st.lists(
    st.one_of(
        st.sampled_from(TRAPS),
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join),
        st.tuples(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(", ".join), st.integers(1990, 1993)).map(
            lambda parts: f"{parts[0]} ({parts[1]})"
        ),
    ),
    min_size=2, max_size=8, unique=True,
)  # fmt: skip


def reply(candidates, order, accepted, name, asked):
    lines = []
    if asked.accept:
        named = ", ".join(candidates[place] for place in order[:accepted])
        lines.append(f"I would accept these recommendations: {named or 'none of them'}")
    if asked.rank:
        lines.append(f"my ranking as {name} would be {', '.join(candidates[place] for place in order)}")
    return "\n".join(lines)


@settings(max_examples=400, deadline=None)
@given(titles, st.randoms(use_true_random=False), st.integers(0, 8), names, st.sampled_from(ASKED))
def test_the_verdict_is_that_of_the_search(candidates, random, accepted, name, asked):
    order = random.sample(range(len(candidates)), len(candidates))
    text = reply(candidates, order, accepted, name, asked)
    assert parse(text, candidates, "stop", asked) == parser._read(text, tuple(candidates), asked)
    certain = parser.decided(order, {*order[:accepted]}, candidates, name, asked)
    assert certain in {None, parser._read(text, tuple(candidates), asked)}


@settings(max_examples=400, deadline=None)
@given(titles, st.randoms(use_true_random=False), st.booleans())
def test_a_list_is_read_as_the_search_finds_it(candidates, random, shuffled):
    order = random.sample(range(len(candidates)), len(candidates)) if shuffled else range(len(candidates))
    text = ", ".join(candidates[place] for place in order)
    places = VerbatimTitles(candidates).read(text)
    found = TitleIndex(candidates).find(text)
    assert places is None or [(place,) for place in places] == [mention.positions for mention in found]
    if places is not None:
        assert [text[mention.start : mention.end] for mention in found] == [
            candidates[place] for place in places
        ]


def test_ordinary_replies_are_not_searched():
    candidates = [
        f"{one} {other} ({year})"
        for one, other, year in zip("ABCDEF", "UVWXYZ", range(1990, 1996), strict=True)
    ]
    text = reply(candidates, [3, 1, 2, 0, 5, 4], 2, "Leonard", ASKED[0])
    parse(text, candidates, "stop", ASKED[0])
    with patch.object(parser, "read", side_effect=AssertionError("it was searched")):
        verdict = parse(text, candidates, "stop", ASKED[0])
    assert (verdict.ranking, verdict.accepted, verdict.rejected) == ((3, 1, 2, 0, 5, 4), (3, 1), (0, 2, 4, 5))


@pytest.mark.parametrize("change", [lambda text: text + ".", lambda text: text.replace(", ", "; ")])
def test_other_forms_are_still_read(change):
    candidates = [f"{one} {other} (1990)" for one, other in zip("ABCDEF", "UVWXYZ", strict=True)]
    text = change(reply(candidates, [3, 1, 2, 0, 5, 4], 2, "Leonard", ASKED[0]))
    assert parse(text, candidates, "stop", ASKED[0]).ranking == (3, 1, 2, 0, 5, 4)


@settings(max_examples=100, deadline=None)
@given(titles, st.integers(0, 9), names)
def test_what_a_null_user_decides_is_what_its_reply_says(candidates, number, name):
    user = RandomUser(PromptReader(candidates), seed=0)
    prompt = (
        f"You have watched nothing. Now the recommender wants to recommend {', '.join(candidates)}, and your task is to "
        f'decide. Reply with "I would accept these recommendations" and "my ranking as {name} would be".'
    )
    request = Request((Message("user", prompt),), "model", {}, Draw("u", number, 0))
    shown = tuple(candidates)
    assert user.verdict(request, shown, ASKED[0]) == parse(user.answer(request).text, shown, "stop", ASKED[0])
