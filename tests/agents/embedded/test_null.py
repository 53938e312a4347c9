import random

import numpy as np
import pytest
from embedded_town import ask, question, verdict
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.embedded.null import EchoUser, OracleUser, PopularityUser, RandomUser
from agents.llm import Draw, Request
from agents.reply import Status


@pytest.fixture(scope="module")
def candidates(town):
    return random.Random(5).sample(town.titles, 12)


def held_out(town, *titles):
    return {draw.user: frozenset(map(town.titles.index, titles)) for draw in [Draw("u1", 1, 0)]}


def users(town):
    return {
        "echo": EchoUser(town.reader),
        "random": RandomUser(town.reader, 0),
        "popularity": PopularityUser(town.reader, town.counts),
        "oracle": OracleUser(town.reader, lambda draw: frozenset(range(0, len(town.titles), 2))),
    }


@pytest.mark.parametrize("name", ["echo", "random", "popularity", "oracle"])
@pytest.mark.parametrize("feedback", ["template_3", "template_4", "template_a", "template_b"])
def test_every_answer_is_whole_in_the_asked_form(town, candidates, name, feedback):
    client = users(town)[name]
    text = ask(client, question([], candidates, feedback))
    assert ("my ranking as Ann would be" in text) == (feedback in {"template_3", "template_b"})
    assert ("I would accept" in text) == (feedback != "template_3")
    reply = client.answer(Request(question([], candidates), "m", {}, Draw("u1", 1, 0)))
    assert name in reply.model
    assert "null user" in reply.model
    assert verdict(client, candidates).status is Status.OK


def test_echo_keeps_the_order_shown_and_accepts_all(town, candidates):
    answer = verdict(EchoUser(town.reader), candidates)
    assert answer.ranking == tuple(range(12))
    assert answer.accepted == tuple(range(12))


@settings(max_examples=30)
@given(user=st.text(max_size=5), turn=st.integers(0, 9), replicate=st.integers(0, 9))
def test_random_is_a_permutation_of_its_draw(town, candidates, user, turn, replicate):
    client = RandomUser(town.reader, 0)
    answer = verdict(client, candidates, draw=(user, turn, replicate))
    assert sorted(answer.ranking) == list(range(12))
    assert set(answer.accepted) == set(answer.ranking[:6])
    assert verdict(client, candidates, draw=(user, turn, replicate)) == answer


def test_random_is_at_chance(town, candidates):
    client = RandomUser(town.reader, 0)
    firsts = [verdict(client, candidates, draw=(f"u{n}", 1, 0)).ranking[0] for n in range(480)]
    counts = np.bincount(firsts, minlength=12)
    assert ((counts - 40) ** 2 / 40).sum() < 31.3  # chi-square with 11 degrees of freedom at 0.001


def test_popularity_ranks_by_train_count_ties_as_shown(town, candidates):
    answer = verdict(PopularityUser(town.reader, town.counts), candidates)
    count = [town.counts[town.titles.index(title)] for title in candidates]
    assert list(answer.ranking) == sorted(range(12), key=lambda place: (-count[place], place))
    assert set(answer.accepted) == set(answer.ranking[:6])


def test_the_oracle_puts_held_out_items_first_and_accepts_only_them(town, candidates):
    liked = held_out(town, candidates[7], candidates[3])
    client = OracleUser(town.reader, lambda draw: liked.get(draw.user, frozenset()))
    answer = verdict(client, candidates)
    assert answer.ranking == (3, 7, 0, 1, 2, 4, 5, 6, 8, 9, 10, 11)
    assert answer.accepted == (3, 7)
    nothing = verdict(client, candidates, draw=("u2", 1, 0))
    assert nothing.status is Status.OK
    assert nothing.ranking == tuple(range(12))
    assert nothing.accepted == ()
    assert nothing.rejected == tuple(range(12))
