"""Several answers of one turn become one decision."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.asking import Reading, borda, combined
from agents.reply import Status, Verdict

TIES = (2, 0, 3, 1)


@st.composite
def partial_rankings(draw):
    """A number of places, lists of some of them, and an order of all."""
    size = draw(st.integers(1, 7))
    places = st.lists(st.integers(0, size - 1), unique=True)
    return draw(st.lists(places, max_size=5)), draw(st.permutations(range(size)))


@given(partial_rankings(), st.randoms())
def test_the_order_of_the_answers_is_nothing_to_the_merge(case, random):
    rankings, ties = case
    merged = borda(rankings, ties)
    random.shuffle(rankings)
    assert borda(rankings, ties) == merged
    assert {*merged} == {place for ranking in rankings for place in ranking}
    assert len({*merged}) == len(merged)


@given(partial_rankings(), st.data())
def test_the_names_of_the_places_are_nothing_to_the_merge(case, data):
    rankings, ties = case
    name = data.draw(st.permutations(range(len(ties))))
    renamed = [[name[place] for place in ranking] for ranking in rankings]
    assert borda(renamed, [name[p] for p in ties]) == tuple(name[p] for p in borda(rankings, ties))


@given(st.permutations(range(6)), st.integers(1, 4), st.permutations(range(6)))
def test_what_all_say_is_what_comes_out(ranking, count, ties):
    assert borda([ranking] * count, ties) == tuple(ranking)


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_what_two_say_against_each_other_is_a_tie_and_falls_as_drawn(ranking, ties):
    assert borda([ranking, ranking[::-1]], ties) == tuple(ties)


def test_left_out_places_share_the_mean_of_the_ranks_that_are_left():
    # The second answer leaves out 0, 1 and 3, which share rank 2: means 1, 1.5, 1 and 2.5, and the tie falls to 2.
    assert borda([(0, 1, 2, 3), (2,)], TIES) == (2, 0, 1, 3)
    assert borda([(1,), (1, 0)], TIES) == (1, 0)
    assert borda([], TIES) == ()


def yes(place, probability, status=Status.OK):
    return Reading((place,), None if status is None else Verdict(status), probability)


def test_pointwise_ranks_and_accepts_by_probability_and_ties_fall_as_drawn():
    readings = [yes(0, 0.7), yes(1, 0.2), yes(2, 0.7), yes(3, 0.5)]
    said = combined("pointwise", readings, 0.5, TIES)
    assert said == Verdict(Status.OK, (2, 0, 3, 1), (2, 0), (3, 1))
    assert combined("pointwise", readings, 0.1, TIES).accepted == (2, 0, 3, 1)


def test_pointwise_keeps_and_counts_what_could_not_be_read_or_failed():
    said = combined(
        "pointwise", [yes(0, 0.7), yes(1, None, Status.REFUSED), yes(2, None, None), yes(3, 0.1)], 0.5, TIES
    )
    assert said == Verdict(Status.PARTIAL, (0, 3), (0,), (3,), undecided=(1, 2), missing=(1, 2))


@pytest.mark.parametrize(
    ("statuses", "whole"),
    [
        ([None, None], None),
        ([None, Status.REFUSED], Status.REFUSED),
        ([Status.REFUSED, Status.UNPARSEABLE, Status.UNPARSEABLE], Status.UNPARSEABLE),
    ],
)
@pytest.mark.parametrize("way", ["pointwise", "permuted"])
def test_a_turn_without_anything_usable_says_how_most_of_its_calls_failed(way, statuses, whole):
    readings = [yes(place, None, status) for place, status in enumerate(statuses)]
    said = combined(way, readings, 0.5, range(len(statuses)))
    assert (said and said.status) == whole
    assert said is None or not (said.ranking or said.accepted)


def order(ranking, accepted, status=Status.OK, **counts):
    rejected = tuple(place for place in range(4) if place not in accepted)
    return Reading(TIES, Verdict(status, ranking, accepted, rejected, **counts))


def test_permuted_accepts_by_majority_in_the_merged_order():
    readings = [order((0, 1, 2, 3), (0, 1)), order((0, 2, 1, 3), (0, 2)), order((2, 0, 3, 1), (3, 2))]
    said = combined("permuted", readings, 0.5, TIES)
    assert said == Verdict(Status.OK, (0, 2, 1, 3), (0, 2), (1, 3))


def test_permuted_with_as_many_for_as_against_decides_nothing():
    said = combined("permuted", [order((0, 1, 2, 3), (0,)), order((0, 1, 2, 3), (0, 1))], 0.5, TIES)
    assert (said.accepted, said.rejected, said.undecided) == ((0,), (2, 3), (1,))


def test_permuted_keeps_what_can_be_used_and_says_that_it_is_not_all():
    lost = Reading(TIES, None)
    cut_off = Reading(TIES, Verdict(Status.TRUNCATED, unknown=("Zzz",)))
    repaired = order((0, 1, 2, 3), (0,), Status.REPAIRED, duplicate=2)
    said = combined("permuted", [repaired, lost, cut_off], 0.5, TIES)
    assert (said.status, said.ranking, said.accepted) == (Status.PARTIAL, (0, 1, 2, 3), (0,))
    assert (said.duplicate, said.unknown) == (2, ("Zzz",))
    assert combined("permuted", [repaired, repaired], 0.5, TIES).status is Status.REPAIRED


def test_permuted_without_rankings_only_accepts():
    said = combined("permuted", [Reading(TIES, Verdict(Status.OK, (), (1,), (0, 2, 3)))] * 2, 0.5, TIES)
    assert said == Verdict(Status.OK, (), (1,), (2, 0, 3))
