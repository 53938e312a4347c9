from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender_doubles import dataset, datasets, interactions, rows

from recommender.data import DataError
from recommender.data.candidates import sample_candidates
from recommender.data.splitting import leave_one_out, temporal_split


def a_split(users=6, items=30, each=5):
    table = [(u, (7 * u + 3 * i) % items, 5, i) for u in range(users) for i in range(each)]
    return leave_one_out(dataset(interactions(table), users, items))


@given(datasets(max_users=4, max_items=14), st.sampled_from(["validation", "test"]), st.integers(1, 6))
def test_negatives_are_distinct_items_that_the_user_never_took(data, phase, negatives):
    split = leave_one_out(data)
    targets = {row[0]: row[1] for row in rows(split.targets(phase))}
    taken = {user: {row[1] for row in rows(data.interactions) if row[0] == user} for user in targets}
    room = min((len(data.items) - len(items) for items in taken.values()), default=0)
    if room < negatives:
        with pytest.raises(DataError, match=r"cannot be drawn; ask for fewer|no user has a"):
            sample_candidates(split, phase, negatives)
        return
    candidates = sample_candidates(split, phase, negatives)
    assert candidates.user.tolist() == sorted(targets)
    for user, (target, *drawn) in zip(candidates.user.tolist(), candidates.item.tolist(), strict=True):
        assert target == targets[user]
        assert len(set(drawn)) == negatives
        assert set(drawn) <= set(range(len(data.items))) - taken[user]


def test_every_free_item_is_drawn_equally_often():
    # The user has taken items 3, 10 and 4 of 12; 3 of the other 9 are drawn.
    split = leave_one_out(dataset(interactions([(0, 3, 5, 0), (0, 10, 5, 1), (0, 4, 5, 2)]), 1, 12))
    drawn = Counter()
    studies = 3000
    for seed in range(studies):
        drawn.update(sample_candidates(split, "test", 3, seed).item[0, 1:].tolist())
    assert sorted(drawn) == [0, 1, 2, 5, 6, 7, 8, 9, 11]
    deviation = np.sqrt(studies * (3 / 9) * (6 / 9))
    assert max(abs(count - studies / 3) for count in drawn.values()) < 5 * deviation


def test_the_draws_of_a_user_do_not_depend_on_the_other_users():
    split = a_split()
    everyone = sample_candidates(split, "test", 9)
    alone = split.dataset.interactions.take(split.dataset.interactions.user == 4)
    only = sample_candidates(leave_one_out(split.dataset.with_interactions(alone)), "test", 9)
    assert only.user.tolist() == [4]
    assert only.item[0].tolist() == everyone.item[4].tolist()


def test_seed_phase_and_user_make_the_draw():
    split = a_split()
    first = sample_candidates(split, "test", 9, seed=1)
    again = sample_candidates(split, "test", 9, seed=1)
    assert np.array_equal(first.item, again.item)
    assert not np.array_equal(first.item[:, 1:], sample_candidates(split, "test", 9, seed=2).item[:, 1:])
    assert not np.array_equal(
        first.item[:, 1:], sample_candidates(split, "validation", 9, seed=1).item[:, 1:]
    )
    assert len(np.unique(first.item[:, 1:], axis=0)) == len(first.user)


def test_a_catalogue_that_is_too_small_is_an_error_that_names_the_user():
    with pytest.raises(DataError, match="toy: user u0 has taken all but 25 of 30 items, so 26 negatives"):
        sample_candidates(a_split(), "test", 26)
    assert sample_candidates(a_split(), "test", 25).item.shape == (6, 26)


def test_several_targets_of_a_user_are_an_error_that_names_the_split():
    split = temporal_split(a_split(each=20).dataset)
    with pytest.raises(DataError, match="one test interaction a user; use the leave-one-out split"):
        sample_candidates(split, "test", 3)


def test_no_targets_and_no_negatives_are_errors():
    split = a_split()
    nobody = replace(split, test=split.test.take(np.zeros(len(split.test), dtype=bool)))
    with pytest.raises(DataError, match="no user has a test interaction"):
        sample_candidates(nobody, "test", 3)
    with pytest.raises(DataError, match="at least 1"):
        sample_candidates(split, "test", 0)
