import os
import random
from pathlib import Path

import pytest
from embedded_town import question

from agents.embedded.reading import PromptReader, Watched
from agents.llm import Message
from prompts import inline
from recommender.data import load

STARS = (None, 1.0, 2.0, 3.0, 3.5, 4.0, 5.0)


def exact(titles, rounds):
    """Put every title into a history and a candidate list, `rounds` times in random company; what was misread."""
    reader, draw, wrong = PromptReader(titles), random.Random(0), []
    for _ in range(rounds):
        order = draw.sample(range(len(titles)), len(titles))
        for start in range(0, len(order), 20):
            seen, offered = order[start : start + 20], (order * 2)[start + 20 : start + 40]
            history = [(item, draw.choice(STARS)) for item in seen]
            read = reader.read(
                question([(titles[item], stars) for item, stars in history], [titles[n] for n in offered])
            )
            if read.history != tuple(Watched(*pair) for pair in history):
                wrong.append([titles[n] for n in seen])
            # As written, but for signs at its edges ("...And Justice for All (1979)").
            whole = all(text in titles[n] for text, n in zip(read.titles, offered, strict=False))
            if read.candidates != tuple(offered) or not whole:
                wrong.append([titles[n] for n in offered])
    return wrong


def test_every_embedded_title_is_read_exactly(town):
    assert exact(town.titles, rounds=4) == []


@pytest.mark.skipif(
    "SCREENTEST_DATA" not in os.environ, reason="SCREENTEST_DATA names no folder of real data"
)
def test_every_movielens_title_is_read_exactly():
    items = load("ml-1m", Path(os.environ["SCREENTEST_DATA"]) / "ml-1m").items
    assert exact([inline(title) for title in items["title"]], rounds=2) == []


TRAPS = [
    "Game, The (1997)",
    "Big (1988)",
    "Big Night (1996)",
    "Heat (1995)",
    "In the Heat of the Night (1967)",
    "Cook the Thief His Wife & Her Lover, The (1989)",
    "Hamlet (1948)",
    "Hamlet (1996)",
    "And Now for Something Completely Different (1971)",
    "In (1990)",
    "Past, The (2013)",
    "Task (2001)",
    "Seven (Se7en) (1995)",
    "8 1/2 (1963)",
    "Cité des enfants perdus, La (City of Lost Children, The) (1995)",
]


def test_titles_that_are_words_of_the_prompt_or_of_each_other():
    reader = PromptReader(TRAPS)
    read = reader.read(question([(title, 4.0) for title in TRAPS[::2]], TRAPS[1::2]))
    assert [TRAPS[seen.item] for seen in read.history] == TRAPS[::2]
    assert [seen.rating for seen in read.history] == [4.0] * len(TRAPS[::2])
    assert [TRAPS[item] for item in read.candidates] == TRAPS[1::2]


def test_words_of_the_sentence_are_no_titles():
    reader = PromptReader(
        ["In (1990)", "Sequence, The (1999)", "Rank (2000)", "Past, The (2013)", "Rest (2001)"]
    )
    messages = question([("Rest (2001)", 5.0)], ["Rank (2000)"])
    told = messages[1].content.replace("(5)", "(5) (3 more of the past left out)")
    read = reader.read((messages[0], Message("user", told)))
    assert read.history == (Watched(4, 5.0),)
    assert read.candidates == (2,)


@pytest.mark.parametrize(
    ("feedback", "accept", "rank"),
    [
        ("template_3", False, True),
        ("template_4", True, False),
        ("template_a", True, False),
        ("template_b", True, True),
    ],
)
def test_what_each_template_asks_for(feedback, accept, rank):
    read = PromptReader(TRAPS).read(question([], TRAPS[:2], feedback))
    assert (read.asked.accept, read.asked.rank) == (accept, rank)
    assert read.titles == tuple(TRAPS[:2])


@pytest.mark.parametrize("name", ["Ann", "J. R. Smith", "Zoë van der Berg"])
def test_the_name_is_read(name):
    assert PromptReader(TRAPS).read(question([], TRAPS[:2], name=name)).name == name


def test_parts_that_are_not_there_are_empty():
    read = PromptReader(TRAPS).read((Message("user", "Good morning."),))
    assert (read.name, read.history, read.candidates, read.titles) == (None, (), (), ())
    without_memory = PromptReader(TRAPS).read(question([], TRAPS[:2], age="25-34"))
    assert without_memory.history == ()
    assert "25-34" in without_memory.persona
    assert without_memory.candidates == (0, 1)


def test_a_candidate_of_another_catalogue_is_passed_over():
    read = PromptReader(TRAPS).read(question([], [TRAPS[0], "Nobody Knows This One (1903)", TRAPS[3]]))
    assert read.titles == (TRAPS[0], TRAPS[3])


def test_a_name_shared_by_two_works_is_told_from_neither():
    reader = PromptReader(["Twins (1988)", "Twins (1988)", "Big (1988)"])
    read = reader.read(question([("Twins (1988)", 4.0), ("Big (1988)", 3.0)], ["Twins (1988)", "Big (1988)"]))
    assert read.history == (Watched(2, 3.0),)
    assert read.candidates == (None, 2)
    assert read.titles == ("Twins (1988)", "Big (1988)")
