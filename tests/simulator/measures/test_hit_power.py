"""The power of hits: scipy's own tests of every possible outcome, weighed by how likely it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simulator.measures.comparison import RESAMPLES, compare
from simulator.measures.hit_power import (
    changing_share,
    power_of_hits,
    smallest_detectable_hits,
    users_needed_hits,
)
from simulator.measures.power import power_of, smallest_detectable, users_needed


def by_outcomes(effect, sd, users, found):
    """The chance that `found(gained, lost)`, over all outcomes of scipy's multinomial."""
    changing = changing_share(effect, sd)
    chances = [(changing + effect) / 2, (changing - effect) / 2, 1 - changing]
    return sum(
        float(stats.multinomial.pmf([gained, lost, users - gained - lost], users, chances)) * rejected
        for gained in range(users + 1)
        for lost in range(users + 1 - gained)
        if (rejected := found(gained, lost))
    )


def mcnemar(alpha):
    return lambda gained, lost: (
        gained + lost > 0 and stats.binomtest(gained, gained + lost).pvalue <= alpha * (1 + 1e-9)
    )


@pytest.mark.parametrize(
    ("effect", "sd", "users", "alpha"),
    [
        (0.2, 0.5, 25, 0.05),
        (-0.2, 0.5, 25, 0.05),
        (0.1, 0.3, 40, 0.05 / 3),
        (0.4, 0.2, 20, 0.05),
        (0.3, 0.95, 22, 0.1),
        (0.0, 0.6, 30, 0.05),
        (1.0, 0.1, 6, 0.05),
    ],
)
def test_power_is_that_of_scipys_test_over_all_outcomes(effect, sd, users, alpha):
    expected = by_outcomes(effect, sd, users, mcnemar(alpha))
    assert power_of_hits(effect, sd, users, alpha=alpha) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("effect", "sd", "users"), [(0.25, 0.5, 30), (0.15, 0.3**0.5, 60)])
def test_the_randomisation_test_that_is_used_has_nearly_that_power(effect, sd, users):
    def found(gained, lost):
        n = gained + lost
        most = max(gained, lost)
        # Of 9,999 drawn flips so many may be as extreme, on the larger side, that 2 (1 + so many) / 10,000 is .05.
        return stats.binom.cdf(249, RESAMPLES, stats.binom.sf(most - 1, n, 0.5)) if n else 0.0

    expected = by_outcomes(effect, sd, users, found)
    assert power_of_hits(effect, sd, users) == pytest.approx(expected, abs=0.01)


def test_studies_find_what_they_are_computed_to_find():
    users, sd = 40, 0.3**0.5
    effect = smallest_detectable_hits(users, sd)
    changing = changing_share(effect, sd)
    generator = np.random.default_rng(0)
    found = 0
    for study in range(300):
        drawn = generator.random(users)
        gained = drawn < (changing + effect) / 2
        lost = ~gained & (drawn < changing)
        p = compare(gained.astype(float), lost.astype(float), study, hits=True).p
        found += p is not None and p <= 0.05
    assert stats.binomtest(found, 300, 0.8).pvalue > 0.01


@given(st.integers(6, 3_000), st.floats(0.05, 1), st.sampled_from([0.05, 0.05 / 3]))
@settings(max_examples=40)
def test_the_smallest_detectable_difference_has_the_power(users, sd, alpha):
    effect = smallest_detectable_hits(users, sd, alpha=alpha)
    if effect is None:
        assert stats.binomtest(users, users).pvalue > alpha
    else:
        assert power_of_hits(effect, sd, users, alpha=alpha) == pytest.approx(0.8, abs=1e-6)


@given(st.floats(0.02, 1), st.floats(0.05, 1))
@settings(max_examples=40)
def test_so_many_users_have_the_power_and_one_less_has_not(effect, sd):
    users = users_needed_hits(effect, sd)
    assert all(power_of_hits(effect, sd, users + more) >= 0.8 for more in range(30))
    assert power_of_hits(effect, sd, users - 1) < 0.8


def test_few_users_need_more_than_the_t_test_says_and_many_do_not():
    sd = 0.3**0.5
    assert users_needed_hits(0.25, sd) / users_needed(0.25 / sd) > 1.15
    assert users_needed_hits(0.002, sd) / users_needed(0.002 / sd) == pytest.approx(1, abs=0.005)
    assert smallest_detectable_hits(30, sd) > 1.1 * smallest_detectable(30) * sd
    assert power_of_hits(0.0015, 0.5, 10**7) == pytest.approx(power_of(0.003, 10**7), abs=0.001)
    assert power_of_hits(1e-6, 0.5, 10**13) == pytest.approx(power_of(2e-6, 10**13))


def test_five_users_can_show_nothing():
    assert smallest_detectable_hits(5, 0.5) is None
    assert power_of_hits(1, 0.5, 5) == 0
    found = compare(np.array([1.0, 1, 1, 1, 0]), np.array([0.0, 0, 0, 1, 1]), 0, hits=True)
    assert found.smallest_detectable is None
    assert "5 users show no difference of hits" in found.reasons["smallest_detectable"]
    assert found.users_needed == users_needed_hits(found.difference, found.sd)


def test_nobody_changes_where_nothing_varies():
    assert power_of_hits(0.0, 0.0, 100) == 0
    assert (changing_share(0.2, 0.1), changing_share(0.5, 2.0)) == (0.2, 1.0)
    assert users_needed_hits(3.0, 0.1) == users_needed_hits(1.0, 0.1) == 6
