import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from turns_made import turn

from agents.randomness import keyed_generator
from simulator.refinement import Answer, Fuse, Replace, choose_weight, preference_levels, repair_generator

SIZES = st.integers(1, 12)
weights = st.floats(0, 1)


@st.composite
def slates(draw):
    """Falling scores, levels over all places, and how many are to be shown."""
    size = draw(SIZES)
    scores = sorted(draw(st.lists(st.floats(-5, 5, width=16), min_size=size, max_size=size)), reverse=True)
    order = draw(st.permutations(range(size)))
    cuts = sorted(draw(st.sets(st.integers(1, size - 1)))) if size > 1 else []
    levels = [tuple(sorted(order[a:b])) for a, b in zip([0, *cuts], [*cuts, size], strict=True)]
    return scores, tuple(levels), draw(st.integers(1, size))


@st.composite
def answers(draw):
    """What a verdict can hold: a partial ranking without repeats, and three groups that may leave places out."""
    size = draw(SIZES)
    ranking = draw(st.lists(st.integers(0, size - 1), unique=True))
    said = draw(
        st.lists(st.sampled_from(["accepted", "undecided", "rejected", None]), min_size=size, max_size=size)
    )
    groups = [
        tuple(n for n in range(size) if said[n] == name) for name in ("accepted", "undecided", "rejected")
    ]
    return size, Answer(tuple(ranking), *groups)


def drawn():
    return keyed_generator(0, "test")


@given(slates(), weights)
def test_every_policy_gives_n_different_places(slate, weight):
    scores, levels, n = slate
    for policy in (Replace(), Fuse(weight)):
        final = policy.refine(scores, levels, n)
        assert len(final) == n == len(set(final))
        assert set(final) <= set(range(len(scores)))


@given(slates())
def test_replace_is_the_answer_alone(slate):
    scores, levels, n = slate
    final = Replace().refine(scores, levels, n)
    level_of = {place: number for number, level in enumerate(levels) for place in level}
    assert list(final) == sorted(range(len(scores)), key=lambda place: (level_of[place], place))[:n]


@given(slates())
def test_weight_0_is_the_recommender_and_weight_1_the_answer(slate):
    scores, levels, n = slate
    assert Fuse(0.0).refine(scores, levels, n) == tuple(range(n))
    assert Fuse(1.0).refine(scores, levels, n) == Replace().refine(scores, levels, n)


@given(slates(), weights)
def test_of_two_candidates_the_one_better_in_both_stands_first(slate, weight):
    scores, levels, _ = slate
    level_of = {place: number for number, level in enumerate(levels) for place in level}
    final = Fuse(weight).refine(scores, levels, len(scores))
    for better in range(len(scores)):
        for worse in range(better + 1, len(scores)):
            if level_of[better] <= level_of[worse]:
                assert final.index(better) < final.index(worse)


@given(slates(), weights, st.floats(0.1, 10), st.floats(-5, 5))
def test_the_unit_of_the_scores_does_not_matter(slate, weight, scale, shift):
    scores, levels, n = slate
    # Apart from scores that rounding makes equal.
    spread = [round(score, 2) for score in scores]
    if len(set(spread)) == len(scores) and len(scores) > 1:
        moved = [scale * score + shift for score in spread]
        weight = round(weight, 1) + 0.0137
        if weight <= 1:
            assert Fuse(weight).refine(moved, levels, n) == Fuse(weight).refine(spread, levels, n)


@given(st.permutations(range(6)), weights, st.data())
def test_who_stands_where_depends_on_score_and_level_only(order, weight, data):
    """Permutation equivariance: with distinct scores, renaming the places renames the result."""
    scores = data.draw(st.lists(st.integers(-50, 50), min_size=6, max_size=6, unique=True))
    levels = tuple((place,) for place in data.draw(st.permutations(range(6))))
    renamed = {old: new for new, old in enumerate(order)}
    fused = Fuse(round(weight, 1) + 0.0137 if weight < 0.95 else weight)
    result = fused.refine(scores, levels, 6)
    moved = fused.refine(
        [scores[old] for old in order], tuple(tuple(renamed[place] for place in level) for level in levels), 6
    )
    values = _fused(scores, levels, fused.weight)
    if min(abs(a - b) for a in values for b in values if a is not b) > 1e-9:
        assert tuple(renamed[place] for place in result) == moved


def _fused(scores, levels, weight):
    rank = np.empty(len(scores))
    for number, (place,) in enumerate(levels):
        rank[place] = number
    z = [(np.asarray(x, float) - np.mean(x)) / np.std(x) for x in (scores, rank)]
    return ((1 - weight) * z[0] - weight * z[1]).tolist()


def test_fuse_by_hand():
    # z(score) of 2, 1, 0 is 1.2247, 0, -1.2247; the answer turns the order round.
    assert Fuse(0.4).refine([2, 1, 0], ((2,), (1,), (0,)), 3) == (0, 1, 2)
    assert Fuse(0.6).refine([2, 1, 0], ((2,), (1,), (0,)), 3) == (2, 1, 0)
    assert Fuse(0.5).refine([2, 1, 0], ((2,), (1,), (0,)), 3) == (0, 1, 2)  # all equal: slate order
    assert Fuse(0.6).refine([1, 1, 1], ((2,), (0, 1)), 2) == (2, 0)
    assert Fuse(0.3).refine([3, 2, 1, 0], ((0, 1, 2, 3),), 2) == (0, 1)


@given(slates(), weights)
def test_places_of_one_level_share_its_mean_rank(slate, weight):
    scores, levels, _ = slate
    rank = np.empty(len(scores))
    for number, level in enumerate(levels):
        before = sum(map(len, levels[:number]))
        rank[list(level)] = np.mean(range(before, before + len(level)))
    z = [(np.asarray(x) - np.mean(x)) / (np.std(x) or 1) for x in (scores, rank)]
    fused = (1 - weight) * z[0] - weight * z[1]
    values = [fused[place] for place in Fuse(weight).refine(scores, levels, len(scores))]
    assert all(first >= second - 1e-9 for first, second in pairwise(values))


@given(answers())
def test_levels_hold_every_place_once(case):
    size, answer = case
    levels = preference_levels(answer, size, "append", drawn)
    if not (answer.ranking or answer.accepted or answer.rejected):
        assert levels is None
    else:
        assert sorted(place for level in levels for place in level) == list(range(size))
        assert all(levels)


@given(answers(), st.sampled_from(["append", "random", "drop"]))
def test_a_ranking_is_kept_and_what_it_leaves_out_follows_as_told(case, repair):
    size, answer = case
    levels = preference_levels(answer, size, repair, drawn)
    if not answer.ranking:
        return
    left = sorted(set(range(size)) - set(answer.ranking))
    if repair == "drop" and left:
        assert levels is None
        return
    places = [place for (place,) in levels]
    assert places[: len(answer.ranking)] == list(answer.ranking)
    rest = places[len(answer.ranking) :]
    assert (rest if repair == "append" else sorted(rest)) == left


def test_random_repair_is_drawn_for_the_turn():
    answer = Answer((3,), (), (), ())
    orders = {
        preference_levels(answer, 9, "random", lambda n=n: repair_generator(0, turn(user_id=f"u{n}")))
        for n in range(10)
    }
    assert len(orders) > 5
    first, again = (
        preference_levels(answer, 9, "random", lambda: repair_generator(0, turn())) for _ in range(2)
    )
    assert first == again


def test_without_a_ranking_there_are_three_groups():
    answer = Answer((), (4, 1), (0,), (2,))
    assert preference_levels(answer, 6, "drop", drawn) == ((1, 4), (0,), (2,), (3, 5))
    assert preference_levels(Answer((), (), (), (0, 1)), 2, "append", drawn) == ((0, 1),)
    assert preference_levels(Answer((), (), (0, 1), ()), 2, "append", drawn) is None


def naive_ndcg(final, targets, n):
    gain = sum(1 / math.log2(place + 2) for place, item in enumerate(final[:n]) if item in targets)
    return gain / sum(1 / math.log2(place + 2) for place in range(min(n, len(targets))))


def test_the_weight_with_the_best_ndcg_is_chosen_the_smallest_of_equals():
    turns = [
        turn(user_id=f"u{n}", ranking=tuple("edcba"), targets=targets)
        for n, targets in enumerate([("e",), ("d", "e"), ("a",)])
    ]
    chosen = choose_weight(turns, 2, "append", 0)
    finals = {
        weight: [
            [t.slate[p] for p in Fuse(weight).refine(t.scores, tuple((p,) for p in (4, 3, 2, 1, 0)), 2)]
            for t in turns
        ]
        for weight, _ in chosen.curve
    }
    expected = {
        weight: np.mean([naive_ndcg(final, t.targets, 2) for final, t in zip(lists, turns, strict=True)])
        for weight, lists in finals.items()
    }
    assert dict(chosen.curve) == pytest.approx(expected)
    assert chosen.turns == 3
    assert chosen.weight == min(w for w in expected if expected[w] >= max(expected.values()) - 1e-12)
    assert 0.5 < chosen.weight < 1


def test_useless_answers_choose_the_recommender_and_failed_turns_count():
    turns = [turn(ranking=tuple("edcba"), targets=("a",)), turn(user_id="u2", fallback=True, status="failed")]
    chosen = choose_weight(turns, 2, "append", 0)
    assert chosen.weight == 0
    assert chosen.turns == 2
    # The failed turn keeps its own list at every weight: no hit of "c" among "a", "b".
    assert {value for weight, value in chosen.curve if weight < 0.4} == {0.5}


def test_turns_without_targets_do_not_vote():
    helped = turn(ranking=tuple("edcba"), targets=("e",))
    assert choose_weight([helped, turn(user_id="u2", targets=())], 2, "append", 0) == choose_weight(
        [helped], 2, "append", 0
    )
    with pytest.raises(ValueError, match="no validation turn has a held-out item"):
        choose_weight([turn(targets=())], 2, "append", 0)
