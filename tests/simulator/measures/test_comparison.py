"""Two arms on the same users: equal to scipy and statsmodels, fair to both arms, and silent where nothing can be known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from simulator.measures.arms import against_reference
from simulator.measures.comparison import RESAMPLES, compare, corrected, randomisation_p
from simulator.measures.findings import finding, study_told
from simulator.measures.power import power_of, smallest_detectable, users_needed
from simulator.scenario.declared import Declared

UNCERTAIN = ("low", "high", "d_z", "smallest_detectable", "users_needed")


def ndcg(generator, users, share=0.4):
    """Values with the shape of NDCG per user: many zeros."""
    return np.where(generator.random(users) < share, generator.beta(2, 2, users), 0.0)


def pair(seed, users=40):
    generator = np.random.default_rng(seed)
    return ndcg(generator, users), ndcg(generator, users)


def test_few_users_have_the_p_of_all_sign_flips():
    arm, reference = pair(3, users=18)
    differences = arm - reference
    assert 5 <= (differences != 0).sum() <= 13
    told = differences[differences != 0]
    exact = stats.permutation_test((told,), np.sum, permutation_type="samples", n_resamples=10**6)
    assert compare(arm, reference, 0).p == pytest.approx(exact.pvalue, abs=0.02)


def test_many_users_have_the_p_of_scipys_randomisation_test():
    arm, reference = pair(4, users=300)
    arm = arm + 0.08
    expected = stats.permutation_test(
        (arm - reference,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        rng=np.random.default_rng(1),
    )
    assert 0.001 < expected.pvalue < 0.1
    assert compare(arm, reference, 0).p == pytest.approx(expected.pvalue, abs=0.01)


def test_p_is_never_zero():
    found = compare(np.linspace(0.5, 1, 200), np.zeros(200), 0)
    assert found.p == 2 / (RESAMPLES + 1), "both tails, each with the +1"


def test_interval_and_effect_size_are_scipys():
    arm, reference = pair(5, users=60)
    found = compare(arm, reference, 7)
    expected = stats.bootstrap(
        (arm - reference,), np.mean, n_resamples=2_000, method="BCa", rng=np.random.default_rng(7)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-12)
    t = stats.ttest_rel(arm, reference).statistic
    assert found.d_z == pytest.approx(t / np.sqrt(60))
    assert found.sd == pytest.approx(DescrStatsW(arm - reference).std_mean * np.sqrt(60))


def test_hits_have_discordant_users_and_mcnemars_exact_test():
    arm = np.repeat([1.0, 1.0, 0.0, 0.0], [30, 15, 5, 50])
    reference = np.repeat([1.0, 0.0, 1.0, 0.0], [30, 15, 5, 50])
    found = compare(arm, reference, 0, hits=True)
    assert (found.wins, found.ties, found.losses) == (15, 80, 5)
    assert (found.discordant.gained, found.discordant.lost) == (15, 5)
    assert found.discordant.p == pytest.approx(stats.binomtest(5, 20).pvalue)
    assert found.p == pytest.approx(found.discordant.p, abs=0.01), (
        "the same test, with all flips and with some"
    )


def test_shares_of_hits_have_no_discordant_users():
    found = compare(np.array([0.5, 1.0, 0.0]), np.array([0.0, 1.0, 1.0]), 0, hits=True)
    assert found.discordant is None
    assert "average over rounds or replicates" in found.reasons["discordant"]


def test_holms_steps():
    generator = np.random.default_rng(8)
    reference = generator.random(50)
    arms = [reference + generator.normal(mean, 0.1, 50) for mean in (0.05, 0.03, 0.0)]
    family = corrected([compare(arm, reference, 0) for arm in arms])
    ps = [each.p for each in family]
    order = np.argsort(ps)
    expected = np.empty(3)
    expected[order] = np.minimum(1, np.maximum.accumulate(np.array(ps)[order] * [3, 2, 1]))
    assert [each.p_holm for each in family] == pytest.approx(expected)
    assert all("p_holm" not in each.reasons for each in family)


def test_a_comparison_without_a_p_stays_in_the_family():
    reference = np.random.default_rng(9).random(30)
    better = reference + np.linspace(-0.01, 0.05, 30)
    one, tied = corrected([compare(better, reference, 0), compare(reference, reference, 0)])
    assert one.p_holm == pytest.approx(2 * one.p), "two were declared"
    assert (tied.p_holm, tied.reasons["p_holm"]) == (None, "all 30 users tie")
    assert corrected([]) == []


@pytest.mark.parametrize(
    ("arm", "reference", "missing", "why"),
    [
        ([], [], ("difference", "sd", "p", *UNCERTAIN), "no user has the metric"),
        ([0.5], [0.2], ("sd", "p", *UNCERTAIN), "one user has no spread"),
        ([0.0, 0.3, 1.0], [0.0, 0.3, 1.0], ("p", *UNCERTAIN), "all 3 users tie"),
        ([0.1 + 0.2, 1.0], [0.3, 1.0], ("p", *UNCERTAIN), "all 2 users tie"),
        ([0.6, 0.7, 0.9], [0.5, 0.6, 0.8], UNCERTAIN, "all 3 users have the same difference"),
        ([0.0, 1.0], [1.0, 0.0], ("users_needed",), "the measured difference is 0"),
    ],
)
def test_what_cannot_be_known_is_none_with_its_reason(arm, reference, missing, why):
    found = compare(np.array(arm), np.array(reference), 0)
    assert all(getattr(found, name) is None and why in found.reasons[name] for name in missing)
    none = {name for name, value in vars(found).items() if value is None}
    assert none == set(found.reasons), "every None has a reason"
    assert none == {*missing, "p_holm", "discordant"}


VALUES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.0, 0.25, 0.5, 1.0]), st.sampled_from([0.0, 0.3, 0.5, 1.0])),
    min_size=2,
    max_size=20,
)


@given(VALUES, st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_exchanging_the_arms_exchanges_the_signs_and_nothing_else(values, seed):
    arm, reference = np.array(values).T
    one, other = compare(arm, reference, seed), compare(reference, arm, seed)
    for name in ("p", "sd", "smallest_detectable", "users_needed", "ties", "users"):
        assert getattr(one, name) == pytest.approx(getattr(other, name)), name
    assert (one.wins, one.losses) == (other.losses, other.wins)
    assert one.difference == pytest.approx(-other.difference)
    if one.d_z is not None:
        assert (one.d_z, one.low, one.high) == pytest.approx((-other.d_z, -other.high, -other.low), abs=1e-9)
    assert one.reasons.keys() == other.reasons.keys()


@given(VALUES)
@settings(max_examples=40, deadline=None)
def test_p_lies_above_zero_and_the_interval_around_the_difference(values):
    arm, reference = np.array(values).T
    found = compare(arm, reference, 0)
    assert found.wins + found.ties + found.losses == found.users == len(values)
    if found.p is not None:
        assert 1 / (RESAMPLES + 1) <= found.p <= 1
    if found.low is not None:
        assert found.low - 1e-9 <= found.difference <= found.high + 1e-9


def test_arms_that_are_alike_are_seldom_told_apart():
    alarms = 0
    for study in range(200):
        generator = np.random.default_rng(study)
        alarms += randomisation_p(ndcg(generator, 50) - ndcg(generator, 50), study) <= 0.05
    assert stats.binomtest(alarms, 200, 0.05).pvalue > 0.01


@pytest.mark.parametrize("d_z", [0.05, 0.3, 1.0, 3.0, 50.0])
def test_so_many_users_have_the_power_that_is_claimed_and_one_less_has_not(d_z):
    users = users_needed(d_z)
    assert power_of(d_z, users) >= 0.8
    assert users == 2 or power_of(d_z, users - 1) < 0.8


@pytest.mark.parametrize("users", [2, 3, 30, 6_040, 1_000_000])
def test_the_smallest_detectable_difference_has_the_power(users):
    assert power_of(smallest_detectable(users), users) == pytest.approx(0.8, abs=1e-6)


def test_the_papers_users_can_show_a_difference_in_hits_of_a_point_where_a_tenth_of_them_flips():
    arm = np.repeat([1.0, 0.0, 1.0], [302, 302, 6_040 - 604])
    reference = np.repeat([0.0, 1.0, 1.0], [302, 302, 6_040 - 604])
    found = compare(arm, reference, 0, hits=True, effect=0.006)
    assert found.smallest_detectable == pytest.approx(0.0116, abs=0.0001)
    assert found.users_needed > 3 * 6_040, "for the 0.6 points between its two prompts"


def declared(**fields):
    return Declared(
        **{
            "by_scenario": True,
            "list": "refined",
            "metric": "ndcg@5",
            "references": {"b": "a", "c": "a"},
            "family": ("b",),
            "planned_users": 25,
            "alpha": 0.05,
            "power": 0.8,
            "smallest_effect": None,
            "lists": ("refined",),
            "metrics": ("hr@5", "ndcg@5"),
            **fields,
        }
    )


def test_what_users_show_in_a_family_is_told_as_of_one_comparison():
    found = corrected([compare(*pair(1), 0)] * 2)[0]
    assert found.p_holm > 0.05
    reach = f"40 users show one of {found.smallest_detectable:.4f} or more with 80% power"
    assert f". {reach}; " in finding("b", found, declared())
    assert f". {reach}, were it tested alone; " in finding("b", found, declared(family=("b", "c")))


@pytest.mark.parametrize(
    ("users", "told"),
    [
        (24, "interim, 24 of 25 planned users: no final result"),
        (25, "25 users, as planned"),
        (26, "26 users, more than the 25 planned"),
    ],
)
def test_users_are_told_beside_those_that_were_planned(users, told):
    assert study_told(declared(), users)["text"].startswith(f"{told}; ")
    if users >= 25:
        assert study_told(declared(by_scenario=False), users)["text"].startswith(f"{users} users; ")


def test_an_arm_without_another_is_no_interim_look_at_a_comparison():
    told = study_told(declared(references={}, family=()), 0)
    assert told["text"].startswith("nothing is compared: ")
    assert told["interim"] is False


def test_a_table_in_another_order_gives_the_same():
    generator = np.random.default_rng(10)
    table = pd.DataFrame(
        [
            {"arm": arm, "list": "refined", "user_id": f"u{user}", "ndcg@5": value, "hr@5": float(value > 0)}
            for arm in ("a", "b", "c")
            for user, value in enumerate(ndcg(generator, 25))
        ]
    )
    plan = declared()
    found = against_reference(table, plan, 0)
    assert against_reference(table.sample(frac=1, random_state=1), plan, 0) == found
    assert found["b"]["refined"]["ndcg@5"].p_holm == found["b"]["refined"]["ndcg@5"].p
    assert found["c"]["refined"]["ndcg@5"].p_holm is None, "declared outside of the family"
