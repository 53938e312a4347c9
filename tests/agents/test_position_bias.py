"""A user that is drawn to what stands first: its order is what it likes where it is asked in several orders, and not in one."""

from dataclasses import replace

import mesa
import numpy as np
from scipy.stats import kendalltau

from agents.asking import Asking
from agents.llm import Completion, Usage
from agents.memory import Memory
from agents.persona import persona
from agents.reply import Asked
from agents.user import Script, UserAgent
from prompts import load_family

TITLES = tuple(f"{name} ({1960 + place})" for place, name in enumerate(
    ("Alpha", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel", "India", "Juliett", "Kilo", "Lima")
))  # fmt: skip
"""Best liked first, and as the recommender has them: whoever only repeats the slate is right, whoever repeats a prompt is not."""
USERS = 60
PULL = 1.5
"""Places that one place nearer to the front of the prompt is worth: more than one place of preference."""
FAMILY = load_family("paper")
SCRIPT = Script(
    FAMILY,
    *(FAMILY.template(name) for name in ("system", "template_1", "template_2", "template_b")),
    Asked(accept=True, rank=True),
    2000,
    True,
    "m",
    {},
    0,
)


def drawn_to_the_front(request):
    """A whole reply: the order of liking, pulled to the order of the prompt; the better half is accepted."""
    text = request.messages[-1].content
    slot = {
        place: slot
        for slot, place in enumerate(sorted(range(len(TITLES)), key=lambda p: text.index(TITLES[p])))
    }
    order = sorted(slot, key=lambda place: place + PULL * slot[place])
    name = text.split("my ranking as ")[1].split(" would be")[0]
    said = [TITLES[place] for place in order]
    return Completion(
        f"I would accept these recommendations: {', '.join(said[:6])}\nmy ranking as {name} would be {', '.join(said)}",
        "stop", Usage(1, 1), "m",
    )  # fmt: skip


def asked(asking):
    """For each user: the rank of each title, and its slot in the first prompt."""
    ranks, slots, accepted = [], [], []
    for number in range(USERS):
        user = f"u{number}"
        script = replace(SCRIPT, asking=asking)
        agent = UserAgent(mesa.Model(), "arm", user, persona(user, {}, {}, [], 0), Memory(), script)
        requests = agent.observe(TITLES, 1, 0)
        decision = agent.decide([drawn_to_the_front(request) for request in requests])
        assert decision.verdict.status == "ok"
        ranks.append(np.argsort(decision.verdict.ranking))
        slots.append(np.argsort(decision.readings[0].shown))
        accepted.append(len({*decision.verdict.accepted} & {*range(6)}) / len(decision.verdict.accepted))
    return np.array(ranks), np.array(slots), np.mean(accepted)


def agreement(ranks):
    """Mean rank correlation with what the users like."""
    return np.mean([kendalltau(rank, range(len(TITLES))).statistic for rank in ranks])


def pull(ranks, slots):
    """Ranks that a slot costs, on the average over items and users."""
    own = ranks - ranks.mean(axis=0)
    return np.polyfit(slots.ravel(), own.ravel(), 1)[0]


def test_a_planted_position_bias_is_removed_by_permuted_and_not_by_listwise():
    once, slots, halves = asked(Asking())
    assert agreement(once) < 0.5
    assert pull(once, slots) > 0.5
    often, first_slots, more = asked(Asking("permuted", permutations=40))
    assert agreement(often) > 0.85
    assert abs(pull(often, first_slots)) < 0.05
    assert halves < 0.8
    assert more > 0.9


def test_the_more_orders_the_less_is_left_of_it():
    likings = [
        agreement(asked(asking)[0]) for asking in (Asking(), *(Asking("permuted", n) for n in (3, 9, 27)))
    ]
    assert likings == sorted(likings)
    assert min(np.diff(likings)) > 0.05


def test_one_prompt_is_the_listwise_one_whatever_the_numbers_of_other_ways():
    agent = UserAgent(mesa.Model(), "arm", "u", persona("u", {}, {}, [], 0), Memory(), SCRIPT)
    (request,) = agent.observe(TITLES, 1, 0)
    other = UserAgent(
        mesa.Model(), "arm", "u", agent.persona, Memory(),
        replace(SCRIPT, asking=Asking("listwise", permutations=9, threshold=0.1, from_text=True)),
    )  # fmt: skip
    assert other.observe(TITLES, 1, 0) == (request,)
