from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn import metrics as sklearn_metrics
from turns_made import turn

from simulator.measures.fidelity import acceptance_by_rating, acceptance_measures, auc, per_user
from simulator.measures.ranking import paired_differences, summarise
from simulator.measures.verdict import fidelity_verdict, verdicts
from simulator.report.figures import _by_rating

SLATE = tuple("abcd")
FLAGS = arrays(np.bool_, (3, 6))


def task(**fields):
    """A turn about four items of which the user liked a and b."""
    return turn(
        **{
            "slate": SLATE,
            "shown": SLATE,
            "targets": ("a", "b", "z"),
            "ranking": (),
            "nulls": {"echo": SLATE, "random": ("c", "a", "d", "b")},
            "nulls_accepted": {"echo": SLATE, "random": ("c", "a")},
            "ratings": {"a": 5.0, "b": 3.0, "d": 1.0},
            **fields,
        }
    )


def measured(*turns):
    table = per_user(turns).set_index("list")
    return {name: row.drop(["arm", "user_id", "data", "audience"]) for name, row in table.iterrows()}


@given(FLAGS, arrays(np.float64, (3, 6), elements=st.integers(0, 4).map(float)))
def test_auc_is_scikit_learns_with_ties(truth, scores):
    for row, value in enumerate(auc(truth, scores)):
        if truth[row].all() or not truth[row].any():
            assert np.isnan(value)
        else:
            assert value == pytest.approx(sklearn_metrics.roc_auc_score(truth[row], scores[row]))


@given(FLAGS, FLAGS)
def test_acceptance_is_measured_as_scikit_learn_does(truth, accepted):
    found = acceptance_measures(truth, accepted.astype(np.float64))
    for row in range(len(truth)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            precision, recall, f1, _ = sklearn_metrics.precision_recall_fscore_support(
                truth[row], accepted[row], average="binary", zero_division=0
            )
        expected = {
            "accuracy": sklearn_metrics.accuracy_score(truth[row], accepted[row]),
            "precision": precision,
            "recall": recall,
            "f1": f1,
        }
        assert {name: values[row] for name, values in found.items()} == pytest.approx(expected)


def test_a_ranking_is_compared_by_its_places_and_what_it_leaves_out_comes_last():
    (found,) = [measured(task(ranking=("c", "a"), accepted=("a",), rejected=("b", "c", "d")))["audience"]]
    # a is behind c and before d; b, left out, is behind c and level with d.
    assert found["auc"] == pytest.approx((0 + 1 + 0 + 0.5) / 4)
    assert (found["accuracy"], found["precision"], found["recall"]) == (0.75, 1.0, 0.5)


def test_an_answer_without_a_ranking_is_compared_by_levels_and_null_users_beside_it_too():
    found = measured(task(accepted=("a",), undecided=("b",), rejected=("c", "d")))
    assert found["audience"]["auc"] == 1
    assert found["echo"]["auc"] == 0.5
    assert found["random"]["auc"] == 0.5


def test_an_answer_that_cannot_be_used_knows_nothing_and_is_left_out_of_usable_ones():
    failed = task(status="failed", fallback=True, undecided=(), user_id="u2")
    found = measured(task(accepted=("a", "b"), rejected=("c", "d")), failed)
    table = per_user([task(accepted=("a", "b"), rejected=("c", "d")), failed])
    lost = table[(table["list"] == "audience") & (table["user_id"] == "u2")].iloc[0]
    assert (lost["auc"], lost["accuracy"], lost["precision"], lost["recall"], lost["f1"]) == (
        0.5,
        0.5,
        0,
        0,
        0,
    )
    assert found["audience_parsed_only"]["auc"] == 1
    assert table[table["list"] == "audience_parsed_only"]["user_id"].tolist() == ["u1"]


def test_what_was_not_asked_is_not_measured():
    ranked = task(ranking=SLATE, undecided=(), nulls_accepted={"echo": (), "random": ()})
    found = summarise(per_user([ranked]), 0)["history-5"]
    assert {name: set(entry) for name, entry in found.items()} == {
        name: {"auc"} for name in ("audience", "audience_parsed_only", "echo", "random")
    }
    assert acceptance_by_rating([ranked], 0) == {}
    failed = task(
        user_id="u2", status="failed", fallback=True, undecided=(), nulls_accepted={"echo": (), "random": ()}
    )
    both = summarise(per_user([ranked, failed]), 0)["history-5"]["audience"]
    assert set(both) == {"auc"}, "a turn that failed would have been asked no more"
    assert acceptance_by_rating([ranked, failed], 0) == {}
    (pairs,) = paired_differences(per_user([ranked]), 0).values()
    assert {name: set(entry) for name, entry in pairs.items()} == {
        "audience - random": {"auc"},
        "audience - echo": {"auc"},
    }


def test_users_are_the_unit_however_often_they_are_asked():
    right, wrong = (task(ranking=order, undecided=()) for order in (SLATE, SLATE[::-1]))
    other = task(ranking=SLATE, undecided=(), user_id="u2")
    found = summarise(per_user([right, wrong, wrong, wrong, other]), 0)["history-5"]["audience"]["auc"]
    assert (found["mean"], found["users"]) == (pytest.approx((0.25 + 1) / 2), 2)


def test_acceptance_by_real_rating_recovers_a_planted_habit():
    """Users who accept nine in ten of what they rated 5, one in ten of what they rated 1, and half of the rest."""
    generator = np.random.default_rng(0)
    share = {"5": 0.9, "1": 0.1, "unrated": 0.5}
    turns = []
    for user in range(400):
        taken = [item for item, rate in zip("abd", share.values(), strict=True) if generator.random() < rate]
        turns.append(
            task(
                slate=("a", "b", "d"),
                user_id=f"u{user}",
                ratings={"a": 5.0, "b": 1.0},
                accepted=tuple(taken),
                rejected=tuple({*"abd"} - {*taken}),
                undecided=(),
            )
        )
    found = acceptance_by_rating(turns, 0)["history-5"]["audience"]
    assert set(found) == set(share)
    for rating, rate in share.items():
        assert found[rating]["items"] == found[rating]["users"] == 400
        assert found[rating]["low"] < rate < found[rating]["high"]


def test_ratings_stand_in_the_order_of_their_numbers():
    rated = task(accepted=SLATE, undecided=(), ratings={"a": 10.0, "b": 9.0, "d": 0.5})
    found = acceptance_by_rating([rated], 0)["history-5"]
    assert [list(ratings) for ratings in found.values()] == [["0.5", "9", "10", "unrated"]] * len(found)
    summary = {"fidelity": {"by_rating": {"history-5": {"audience": found["audience"]}}}}
    (figure,) = [each for each in [_by_rating(summary)] if each is not None]
    assert figure.chart.to_dict()["spec"]["encoding"]["x"]["sort"] == ["0.5", "9", "10", "unrated"]


def test_the_verdict_says_yes_no_or_how_many_users_it_would_take():
    generator = np.random.default_rng(1)
    null = generator.uniform(0.3, 0.7, 300)
    better, worse = null + generator.normal(0.1, 0.2, 300), null - 0.1
    assert fidelity_verdict(better, null, "echo", 0).answer == "yes"
    assert fidelity_verdict(worse, null, "echo", 0).answer == "no"
    assert fidelity_verdict(null, null, "echo", 0).answer == "no"
    unsure = fidelity_verdict(null[:30] + generator.normal(0.02, 0.2, 30), null[:30], "popularity", 0)
    assert unsure.answer == "not shown"
    assert f"needs about {unsure.users_needed:,} users" in unsure.text
    assert "popularity" in unsure.text


@pytest.mark.parametrize("effect", [0.1, 0.3, 0.5])
def test_so_many_users_have_the_power_that_is_claimed(effect):
    null = np.zeros(1000)
    differences = stats.norm.ppf((np.arange(1000) + 0.5) / 1000)
    verdict = fidelity_verdict(
        differences - differences.mean() + effect * differences.std(ddof=1), null, "echo", 0
    )
    n = verdict.users_needed
    power = stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, effect * np.sqrt(n))
    assert power == pytest.approx(0.8, abs=0.02)


def test_the_verdict_is_against_the_best_null_user_that_knows_nobody():
    turns = [
        task(
            user_id=f"u{user}",
            ranking=SLATE,
            undecided=(),
            nulls={"echo": SLATE[::-1], "popularity": ("a", "c", "b", "d"), "oracle": SLATE},
            nulls_accepted={"echo": SLATE, "popularity": ("a", "c"), "oracle": ("a", "b")},
        )
        for user in range(5)
    ]
    (found,) = verdicts(per_user(turns), 0).values()
    assert (found.best_null, found.null_auc, found.answer) == ("popularity", 0.75, "yes")
