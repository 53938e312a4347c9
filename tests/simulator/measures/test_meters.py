"""Meters: a planted bias of known size is found again, and what cannot be known is said and counted, never made up."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from turns_made import turn

from simulator.measures.meters import METERS, Meters, repeated, tau_b
from simulator.report.meters import meters_table, null_label
from simulator.transcript.parts import Part

SLATE = tuple(f"i{number}" for number in range(10))
POPULARITY = {item: 2**number for number, item in enumerate(SLATE)}


def met(turns, seed=0):
    """What is told of the audience of the one arm, and of the null users."""
    meters = Meters(POPULARITY)
    assert len(list(meters.watched(turns))) == len(turns), "turns pass as they are"
    (told,) = meters.told(seed).values()
    json.dumps(told, allow_nan=False)
    return told


def asked(generator, user, say):
    """A turn of ten candidates in a drawn order, answered by `say(shown)` -> ranking, accepted."""
    shown = tuple(generator.permutation(SLATE).tolist())
    ranking, accepted = say(shown)
    return turn(
        user_id=f"u{user}",
        slate=SLATE,
        shown=shown,
        ranking=tuple(ranking),
        accepted=tuple(accepted),
        rejected=tuple(item for item in shown if item not in set(accepted)),
        undecided=(),
        nulls={"echo": shown[:5], "random": tuple(generator.permutation(SLATE)[:5].tolist())},
        nulls_accepted={"echo": shown[:5], "random": ()},
    )


def population(say, users=400, seed=0):
    generator = np.random.default_rng(seed)
    return [asked(generator, user, lambda shown: say(generator, shown)) for user in range(users)]


def near(told, value):
    """Within the interval widened by half: one test in a thousand would miss by chance."""
    slack = 0.5 * (told["high"] - told["low"])
    return told["low"] - slack <= value <= told["high"] + slack


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_echo_of_an_audience_of_whom_a_share_repeats_the_order(share):
    def say(generator, shown):
        return (shown if generator.random() < share else generator.permutation(shown).tolist()), ()

    told = met(population(say))
    assert near(told["audience"]["echo"], share)
    assert told["echo"]["echo"]["mean"] == 1
    assert near(told["random"]["echo"], 0)


@pytest.mark.parametrize("extra", [0.0, 0.2, 0.4])
def test_the_first_slot_is_accepted_more_by_what_was_planted(extra):
    def say(generator, shown):
        chance = np.full(len(shown), 0.5)
        chance[0] += extra
        taken = generator.random(len(shown)) < chance
        return shown, [item for item, each in zip(shown, taken, strict=True) if each]

    told = met(population(say, 800))["audience"]
    assert near(told["first_slot"], extra)
    assert near(told["by_slot"]["1"], 0.5 + extra)
    assert all(near(told["by_slot"][str(slot)], 0.5) for slot in range(2, 11))
    assert near(told["acceptance"], 0.5 + extra / 10)


@pytest.mark.parametrize("noise", [0.0, 2.0, 20.0])
def test_popularity_that_steers_ranks_is_found_as_strong_as_it_is(noise):
    counts = np.log([POPULARITY[item] for item in SLATE])

    def say(generator, shown):
        score = counts + generator.normal(0, noise, len(SLATE))
        return [SLATE[place] for place in np.argsort(-score)], ()

    told = met(population(say))["audience"]
    generator = np.random.default_rng(9)
    expected = np.mean(
        [
            stats.kendalltau(counts, counts + generator.normal(0, noise, len(SLATE))).statistic
            for _ in range(4_000)
        ]
    )
    assert abs(told["popularity"]["mean"] - expected) < 0.03
    assert near(told["echo"], 0), "orders were drawn, so popularity is no echo"


@pytest.mark.parametrize("lean", [-0.4, 0.0, 0.4])
def test_popularity_that_steers_acceptance_has_its_sign(lean):
    def say(generator, shown):
        chance = [0.5 + lean * (1 if SLATE.index(item) >= 5 else -1) for item in shown]
        return shown, [item for item, each in zip(shown, chance, strict=True) if generator.random() < each]

    told = met(population(say))["audience"]["accepted_popularity"]
    # Of the popular half .5 + lean are accepted, of the other .5 - lean: of tau-b what two equal groups can have.
    expected = 2 * lean * 25 / np.sqrt(45 * 25)
    assert abs(told["mean"] - expected) < 0.05
    assert told["low"] < told["mean"] < told["high"]


def test_where_an_item_stood_and_where_it_came_is_counted():
    told = met([turn(slate=SLATE, shown=SLATE, ranking=SLATE[::-1][:9], nulls={}, nulls_accepted={})])
    table = np.array(told["audience"]["places"]["10"])
    assert table.shape == (10, 11)
    assert [table[slot, 9 - slot] for slot in range(1, 10)] == [1] * 9
    assert table[0, 10] == 1, "the first item was not ranked"
    assert (table.sum(axis=1) == 1).all()


def test_users_count_once_however_many_turns_they_have():
    def say(shown, ranking):
        return {"slate": SLATE, "shown": shown, "ranking": ranking, "nulls": {}, "nulls_accepted": {}}

    turns = [turn(user_id="u1", round=number, **say(SLATE, SLATE)) for number in range(9)]
    told = met([*turns, turn(user_id="u2", **say(SLATE, SLATE[::-1]))])["audience"]["echo"]
    assert (told["mean"], told["users"]) == (0, 2)


def test_turns_without_a_usable_answer_are_counted_and_in_no_meter():
    lost = turn(
        slate=SLATE,
        shown=SLATE,
        status="failed",
        fallback=True,
        ranking=(),
        undecided=(),
        nulls={},
        nulls_accepted={},
    )
    told = met([lost])["audience"]
    assert (told["turns"], told["unusable"], told["users"]) == (1, 1, 0)
    assert [told[name] for name in METERS] == [None] * len(METERS)
    assert set(told["reasons"].values()) == {"no answer could be used"}


def test_what_was_not_asked_for_is_not_told():
    ranked = turn(slate=SLATE, shown=SLATE, ranking=SLATE, undecided=(), nulls={}, nulls_accepted={})
    told = met([ranked])["audience"]
    assert told["acceptance"] is told["first_slot"] is told["accepted_popularity"] is None
    assert told["reasons"]["acceptance"] == "no answer was asked to accept"
    assert told["by_slot"] == {}


def test_one_by_one_there_is_no_order_to_repeat():
    parts = tuple(Part(str(number), "ok", (item,), probability=0.5) for number, item in enumerate(SLATE))
    told = met(
        [turn(slate=SLATE, shown=SLATE, ranking=SLATE, accepted=SLATE[:3], rejected=SLATE[3:], undecided=(), ask="pointwise",
              parts=parts, nulls={"echo": SLATE[:5]}, nulls_accepted={"echo": SLATE})]
    )  # fmt: skip
    for who in ("audience", "echo"):
        assert told[who]["echo"] is told[who]["first_slot"] is None
        assert "alone" in told[who]["reasons"]["echo"]
    assert told["audience"]["acceptance"]["mean"] == 0.3
    assert "by_slot" not in told["audience"]


def test_each_order_of_a_permuted_turn_is_met_by_itself():
    shown = [SLATE, SLATE[::-1], SLATE[5:] + SLATE[:5]]
    parts = tuple(
        Part(str(number), "ok", order, ranking=order, missing=0) for number, order in enumerate(shown)
    )
    broken = Part("9", "unparseable", SLATE)
    told = met(
        [turn(slate=SLATE, shown=SLATE, ranking=SLATE, undecided=(), ask="permuted", parts=(*parts, broken), nulls={},
              nulls_accepted={})]
    )  # fmt: skip
    assert told["audience"]["echo"]["mean"] == 1, (
        "each call repeats its own order, whatever the merged one is"
    )
    assert sum(map(sum, told["audience"]["places"]["10"])) == 30


def test_an_echo_is_told_at_a_glance():
    meters = Meters(POPULARITY)
    for each in population(lambda generator, shown: (shown, ()), 5):
        meters.add(each)
    (line,) = repeated(meters.told(0))
    assert "REPEATS THE ORDER SHOWN (tau 1.00)" in line
    other = Meters(POPULARITY)
    for each in population(lambda generator, shown: (generator.permutation(shown).tolist(), ()), 50):
        other.add(each)
    assert repeated(other.told(0)) == []


NUMBERS = st.one_of(st.just(float("nan")), st.integers(0, 4).map(float))


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=12))
@settings(max_examples=200, deadline=None)
def test_tau_is_scipys(pairs):
    first, second = np.array(pairs).T
    both = ~(np.isnan(first) | np.isnan(second))
    expected = stats.kendalltau(first[both], second[both]).statistic if both.sum() > 1 else np.nan
    assert tau_b(first[None], second[None])[0] == pytest.approx(expected, nan_ok=True)


def test_a_null_user_that_differs_between_arms_is_told_as_of_the_first():
    generator = np.random.default_rng(0)
    alike, different = Meters(POPULARITY), Meters(POPULARITY)
    for each in [asked(generator, user, lambda shown: (shown, shown[:5])) for user in range(5)]:
        backwards = {**each.nulls, "random": each.nulls["random"][::-1]}
        for meters, nulls in ((alike, each.nulls), (different, backwards)):
            meters.add(replace(each, arm="a"))
            meters.add(replace(each, arm="b", nulls=nulls))
    assert [null_label(alike.told(0), name) for name in ("echo", "random")] == ["null: echo", "null: random"]
    rows = [*meters_table(different.told(0)).columns[0].cells]
    assert rows == ["a", "b", "null: echo", "null: random, a"]


def test_an_interval_ends_where_its_meter_does():
    def answer(user, accepted):
        return turn(user_id=user, slate=SLATE, shown=SLATE, ranking=(), nulls={}, nulls_accepted={},
                    accepted=SLATE[:accepted], rejected=SLATE[accepted:], undecided=())  # fmt: skip

    for accepted in ((10, 10, 9), (0, 0, 1)):
        told = met([answer(f"u{user}", count) for user, count in enumerate(accepted)])["audience"]
        for entry in (told["acceptance"], *told["by_slot"].values()):
            assert 0 <= entry["low"] <= entry["mean"] <= entry["high"] <= 1
        assert -1 <= told["first_slot"]["low"] <= told["first_slot"]["high"] <= 1
