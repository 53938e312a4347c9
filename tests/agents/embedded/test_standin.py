import asyncio
import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from embedded_town import ask, question, verdict

from agents.embedded.knowledge import COMPONENTS
from agents.embedded.null import EchoUser, RandomUser
from agents.embedded.standin import StandIn, StandInConfig
from agents.llm import Draw, Message, Request
from agents.reply import Asked, Status, parse

STEADY = StandInConfig(noise=0, slot_bias=0)


@pytest.fixture(scope="module")
def make(town):
    return lambda config=STEADY, seed=0: StandIn(town.reader, town.knowledge, config, seed)


@pytest.fixture(scope="module")
def case(town):
    """A user's history and 20 candidates."""
    return town.histories[0][-30:], random.Random(1).sample(town.titles, 20)


def rankings(client, town, people=12, length=10, **persona):
    """Best-first titles of several users, each asked about the same 20 candidates."""
    candidates = random.Random(2).sample(town.titles, 20)
    result = []
    for number, history in enumerate(town.histories[:people]):
        answer = verdict(client, candidates, history[-length:], (f"u{number}", 1, 0), **persona)
        result.append(tuple(candidates[place] for place in answer.ranking))
    return result


def test_it_says_what_it_is(make, case):
    reply = make().answer(Request(question(*case), "m", {}, Draw("u1", 1, 0)))
    assert "stand-in" in reply.model
    assert "not a language model" in reply.model
    assert reply.model == make().label
    assert "approximate" in make().label
    assert reply.usage.prompt_tokens > 300


def test_the_reply_is_read_back_whole(make, town):
    for number, history in enumerate(town.histories[:20]):
        candidates = random.Random(number).sample(town.titles, 20)
        answer = verdict(make(StandInConfig()), candidates, history[-30:], (f"u{number}", 1, 0))
        assert answer.status is Status.OK
        assert sorted(answer.ranking) == list(range(20))
        accepted, rejected = set(answer.accepted), set(answer.rejected)
        assert accepted | rejected == set(range(20))
        # It ranks by the utility it accepts by: what it accepts comes first.
        assert set(answer.ranking[: len(accepted)]) == accepted


def test_a_draw_has_one_answer_whatever_else_was_asked(make, town, case):
    messages = question(*case)
    draws = [("u1", 1, 0), ("u2", 1, 0), ("u1", 2, 0), ("u1", 1, 1)]
    first = [ask(make(StandInConfig()), messages, draw) for draw in draws]
    client = make(StandInConfig())
    assert [ask(client, messages, draw) for draw in reversed(draws)] == first[::-1]
    assert len(set(first)) == len(draws)
    assert ask(make(StandInConfig(), seed=1), messages) != first[0]


def test_it_answers_as_a_chat_client_too(make, case):
    request = Request(question(*case), "m", {}, Draw("u1", 1, 0))
    client = make()
    assert asyncio.run(client.complete(request)) == client.answer(request)


def test_a_shorter_memory_changes_answers(make, town):
    client = make()
    longer, shorter = rankings(client, town, length=10), rankings(client, town, length=3)
    assert sum(a != b for a, b in zip(longer, shorter, strict=True)) > len(longer) // 2


def test_ratings_in_the_memory_change_answers(make, town):
    client = make()
    candidates = random.Random(2).sample(town.titles, 20)
    history = [title for title, _ in town.histories[0][-10:]]
    stars = [5.0, 1.0] * 5
    one, other = (
        verdict(client, candidates, list(zip(history, given, strict=True))) for given in (stars, stars[::-1])
    )
    assert one.ranking != other.ranking


def test_dropping_the_persona_changes_answers(make, town):
    client = make()
    told, untold = rankings(client, town, age="25-34", interests="Horror and Western"), rankings(client, town)
    assert told != untold


@pytest.mark.parametrize("component", COMPONENTS)
def test_each_component_moves_answers_and_can_be_switched_off(make, town, component):
    weight = town.knowledge.weights[COMPONENTS.index(component)]
    assert weight > 0, "calibration gave this component no say, so that its switch would do nothing"
    off = make(replace(STEADY, **{component: False}))
    persona = {"interests": "Drama and Comedy", "age": "25-34"}
    assert rankings(make(), town, **persona) != rankings(off, town, **persona)


def test_switched_off_altogether_it_has_no_preference(make, town, case):
    off = make(replace(STEADY, **dict.fromkeys(COMPONENTS, False)))
    assert verdict(off, case[1], case[0]).ranking == tuple(range(20))


def test_without_noise_and_slot_bias_the_order_shown_does_not_matter(make, town):
    client = make()
    for number, history in enumerate(town.histories[:10]):
        shown = random.Random(number).sample(town.titles, 20)
        moved = random.Random(-1 - number).sample(shown, 20)
        one, other = verdict(client, shown, history[-10:]), verdict(client, moved, history[-10:])
        assert [shown[place] for place in one.ranking] == [moved[place] for place in other.ranking]
        assert {shown[place] for place in one.accepted} == {moved[place] for place in other.accepted}


def test_slot_bias_favours_the_first_slot(make, town, case):
    history, candidates = case
    biased = make(replace(STEADY, slot_bias=50.0))
    for turn in range(5):
        shown = candidates[turn:] + candidates[:turn]
        assert verdict(biased, shown, history).ranking[0] == 0


def test_noise_spreads_the_draws(make, town, case):
    history, candidates = case
    spread = []
    for noise in (0.0, 0.3, 3.0):
        client = make(replace(STEADY, noise=noise))
        orders = [verdict(client, candidates, history, (f"u{n}", 1, 0)).ranking for n in range(15)]
        steady = verdict(make(), candidates, history).ranking
        spread.append(
            np.mean([np.corrcoef(order_places(steady), order_places(order))[0, 1] for order in orders])
        )
    assert spread[0] == pytest.approx(1)
    assert all(more > less + 0.05 for more, less in pairwise(spread))


def order_places(ranking):
    return np.argsort(ranking)


def auc(ranking, liked):
    """Share of (liked, other) pairs in the right order."""
    place = {item: n for n, item in enumerate(ranking)}
    others = [item for item in ranking if item not in liked]
    pairs = [place[one] < place[other] for one in liked for other in others]
    return sum(pairs) / len(pairs)


def test_it_beats_echo_and_chance_at_finding_held_out_items(make, town):
    """The item knowledge has not seen these users."""
    clients = {
        "stand-in": make(StandInConfig()),
        "echo": EchoUser(town.reader),
        "random": RandomUser(town.reader, 0),
    }
    scores = {name: [] for name in clients}
    draw = np.random.default_rng(0)
    for number, (history, held) in enumerate(zip(town.histories[:150], town.liked, strict=False)):
        liked, known = held[:5], {title for title, _ in history} | set(held)
        unseen = [title for title in town.titles if title not in known]
        candidates = [*liked, *draw.choice(unseen, 20 - len(liked), replace=False).tolist()]
        draw.shuffle(candidates)
        for name, client in clients.items():
            answer = verdict(client, candidates, history[-30:], (f"u{number}", 1, 0))
            scores[name].append(auc([candidates[n] for n in answer.ranking], liked))
    mean = {name: np.mean(values) for name, values in scores.items()}
    error = {name: np.std(values) / np.sqrt(len(values)) for name, values in scores.items()}
    assert mean["stand-in"] > 0.5 + 3 * error["stand-in"]
    assert mean["stand-in"] > max(mean["echo"], mean["random"]) + 0.03
    assert abs(mean["random"] - 0.5) < 4 * error["random"]
    assert abs(mean["echo"] - 0.5) < 4 * error["echo"]


def test_candidates_it_does_not_know_are_left_out_and_counted(make, town):
    candidates = [*town.titles[:5], "Nobody Knows This One (1903)"]
    answer = verdict(make(), candidates)
    assert answer.status is Status.PARTIAL
    assert answer.missing == (5,)
    assert sorted(answer.ranking) == list(range(5))


def test_without_a_memory_it_still_answers(make, town):
    answer = verdict(make(), town.titles[:10])
    assert answer.status is Status.OK
    assert sorted(answer.ranking) == list(range(10))


@pytest.mark.parametrize(
    "text", ["Good morning.", "Now the recommender wants to recommend , and your task is to rank."]
)
def test_a_prompt_without_candidates_is_answered_honestly(make, town, text):
    reply = ask(make(), (Message("user", text),))
    assert "cannot find" in reply
    read = parse(reply, town.titles[:10], "stop", Asked(accept=True, rank=True))
    assert read.status is Status.UNPARSEABLE
    assert (read.ranking, read.accepted, read.rejected) == ((), (), ())


def test_what_it_knows_is_part_of_its_identity(make, town):
    assert make().provider == make().provider
    others = {make(replace(STEADY, persona=False)).provider, make(seed=1).provider}
    assert make().provider not in others
    assert town.knowledge.fingerprint in make().provider
