"""Embedded users asked about one item: a word, and how probable it was."""

import math
import random
from itertools import combinations

import pytest
from embedded_town import question, verdict

from agents.embedded.null import EchoUser, OracleUser, PopularityUser, RandomUser
from agents.embedded.reading import PromptReader
from agents.embedded.standin import StandIn, StandInConfig
from agents.llm import Draw, Message, Request
from agents.reply import Asked
from agents.reply.yes_no import read_logprobs, read_word
from prompts import load_family

QUESTION = load_family("pointwise").template("yes_no")
STEADY = StandInConfig(noise=0.0, slot_bias=0.0)


def about(title, history=(), **persona):
    """The messages that ask about one title."""
    system, user = question(history, ["-"], **persona)
    memory = user.content.rpartition("Now the recommender")[0]
    return system, Message("user", memory + QUESTION.render({"name": "Ann", "candidates": title}))


def probability(client, title, history=(), part=0, **params):
    request = Request(about(title, history), "m", {"logprobs": True, **params}, Draw("u1", 1, 0, part))
    return read_logprobs(client.answer(request)).probability


@pytest.fixture(scope="module")
def titles(town):
    return random.Random(5).sample(town.titles, 12)


def test_the_stand_in_ranks_and_accepts_one_by_one_as_it_does_in_a_list(town, titles):
    client, history = StandIn(town.reader, town.knowledge, STEADY, 0), town.histories[0][-8:]
    likes = [probability(client, title, history) for title in titles]
    whole = verdict(client, titles, history)
    assert sorted(range(12), key=lambda place: -likes[place]) == list(whole.ranking)
    assert {place for place in range(12) if likes[place] > 0.5} == {*whole.accepted}
    assert 0 < len(whole.accepted) < 12, "a decision that is not the same for all"


def test_its_noise_is_drawn_for_each_part_and_only_once(town, titles):
    noisy = StandIn(town.reader, town.knowledge, StandInConfig(noise=1.0), 0)
    drawn = [probability(noisy, titles[0], part=part) for part in range(5)]
    assert len({*drawn}) == 5
    assert drawn == [probability(noisy, titles[0], part=part) for part in range(5)]


def test_the_null_users_say_what_they_are(town, titles):
    known = frozenset(map(town.titles.index, titles[:6]))
    oracle = OracleUser(town.reader, lambda draw: known)
    echo, drawn = EchoUser(town.reader), RandomUser(town.reader, 0)
    popular = PopularityUser(town.reader, town.counts)
    assert [round(probability(oracle, title), 6) for title in titles] == [1] * 6 + [0] * 6
    assert {round(probability(echo, title), 6) for title in titles} == {1}
    assert len({probability(drawn, titles[0], part=part) for part in range(20)}) == 20
    count = [town.counts[town.titles.index(title)] for title in titles]
    share = [probability(popular, title) for title in titles]
    assert [a < b for a, b in combinations(share, 2)] == [a < b for a, b in combinations(count, 2)]


def test_the_word_is_the_likelier_one_and_log_probabilities_come_where_they_are_asked_for(town, titles):
    client = RandomUser(town.reader, 0)
    for part in range(10):
        request = Request(about(titles[0]), "m", {"logprobs": True}, Draw("u1", 1, 0, part))
        said = client.answer(request)
        (token,) = said.logprobs
        assert math.fsum(math.exp(value) for _, value in token.top) == pytest.approx(1)
        assert token.token == said.text == max(token.top, key=lambda pair: pair[1])[0]
        plain = client.answer(Request(about(titles[0]), "m", {}, Draw("u1", 1, 0, part)))
        assert (plain.text, plain.logprobs) == (said.text, None)
        assert read_word(plain).probability == round(read_logprobs(said).probability)


def test_only_the_last_paragraph_asks():
    reader = PromptReader(["Reply, Yes or No (1990)", "Big (1988)"])
    read = reader.read(question([("Reply, Yes or No (1990)", 4.0)], ["Big (1988)"]))
    assert not read.yes_or_no
    asked = reader.read(about("Big (1988)", [("Reply, Yes or No (1990)", 4.0)]))
    assert asked.yes_or_no
    assert asked.candidates == (1,)
    assert [seen.item for seen in asked.history] == [0]
    assert asked.asked == Asked(accept=False, rank=False)


def test_a_title_that_nobody_knows_is_not_answered_as_if_it_were_known(town):
    request = Request(about("Zzyzx Qrr (1903)"), "m", {"logprobs": True}, Draw("u1", 1, 0))
    said = EchoUser(town.reader).answer(request)
    assert read_logprobs(said).probability is None
