from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender_doubles import dataset, datasets, interactions, rows

from recommender.data import DataError, Interactions
from recommender.data.filtering import k_core
from recommender.data.splitting import concatenate, latest, prepare, temporal_split


def by_user(inter):
    histories = defaultdict(list)
    for user, item, rating, time in rows(inter):
        histories[user].append((item, rating, time))
    return histories


def sorted_interactions(data):
    return temporal_split(data, (1, 0, 0)).train


@given(datasets())
def test_the_parts_divide_the_data(data):
    split = temporal_split(data)
    parts = rows(split.train) + rows(split.validation) + rows(split.test)
    assert sorted(parts) == sorted(rows(data.interactions))


@given(datasets())
def test_every_user_is_divided_in_time_and_ties_keep_the_order_of_the_source(data):
    split = temporal_split(data)
    parts = [by_user(part) for part in (split.train, split.validation, split.test)]
    for user, history in by_user(data.interactions).items():
        in_order = sorted(history, key=lambda row: row[2])  # stable
        assert [row for part in parts for row in part[user]] == in_order


@given(datasets(max_users=3, max_items=40))
def test_parts_have_the_sizes_of_the_ceiling_rule(data):
    split = temporal_split(data)
    parts = [by_user(part) for part in (split.train, split.validation, split.test)]
    for user, history in by_user(data.interactions).items():
        n = len(history)
        in_train, before_test = -(-8 * n // 10), -(-9 * n // 10)
        assert [len(part[user]) for part in parts] == [in_train, before_test - in_train, n - before_test]


@pytest.mark.parametrize(
    ("n", "sizes"), [(1, (1, 0, 0)), (5, (4, 1, 0)), (9, (8, 1, 0)), (10, (8, 1, 1)), (23, (19, 2, 2))]
)
def test_sizes_by_hand(n, sizes):
    split = temporal_split(dataset(interactions([(0, i, 5, i) for i in range(n)]), 1, n))
    assert (len(split.train), len(split.validation), len(split.test)) == sizes


@given(datasets(), st.randoms(use_true_random=False))
def test_the_order_of_rows_matters_for_ties_only(data, random):
    # Times made distinct within the data: then any order of rows gives one split.
    inter = data.interactions
    distinct = Interactions(inter.user, inter.item, inter.rating, inter.time * 1000 + np.arange(len(inter)))
    order = list(range(len(inter)))
    random.shuffle(order)
    shuffled = data.with_interactions(distinct.take(np.array(order, dtype=np.int64)))
    first, second = temporal_split(data.with_interactions(distinct)), temporal_split(shuffled)
    for part in ("train", "validation", "test"):
        assert rows(getattr(first, part)) == rows(getattr(second, part))


@given(datasets())
def test_history_is_what_came_before_the_targets(data):
    split = temporal_split(data)
    assert split.history("validation") is split.train
    assert split.targets("validation") is split.validation
    assert split.targets("test") is split.test
    known = by_user(split.history("test"))
    for user, history in by_user(split.train).items():
        assert known[user] == history + by_user(split.validation)[user]
    for user, targets in by_user(split.test).items():
        assert max(row[2] for row in known[user]) <= min(row[2] for row in targets)


@given(datasets(), st.integers(0, 4))
def test_a_k_core_is_the_largest_part_in_which_all_have_k(data, k):
    core = k_core(data, k)
    inter = core.interactions
    per_user, per_item = Counter(inter.user.tolist()), Counter(inter.item.tolist())
    assert all(count >= k for count in [*per_user.values(), *per_item.values()])
    assert rows(k_core(core, k).interactions) == rows(inter)

    # The largest one: peel one at a time, in another order.
    left = set(zip(data.interactions.user.tolist(), data.interactions.item.tolist(), strict=True))
    while True:
        users, items = Counter(u for u, _ in left), Counter(i for _, i in left)
        weak = next(((u, i) for u, i in sorted(left) if items[i] < k or users[u] < k), None)
        if weak is None:
            break
        left.remove(weak)
    named = zip(
        core.users["user_id"].to_numpy()[inter.user],
        core.items["item_id"].to_numpy()[inter.item],
        strict=True,
    )
    assert sorted(named) == sorted((f"u{u}", f"i{i}") for u, i in left)


@given(datasets())
def test_a_core_has_no_rows_of_the_dropped(data):
    core = k_core(data, 2)
    assert np.array_equal(np.unique(core.interactions.user), np.arange(len(core.users)))
    assert np.array_equal(np.unique(core.interactions.item), np.arange(len(core.items)))


@given(datasets(), st.integers(0, 5))
def test_latest_keeps_the_end_of_each_history(data, length):
    inter = sorted_interactions(data)
    histories = by_user(inter)
    expected = {u: h[len(h) - min(length, len(h)) :] for u, h in histories.items()}
    assert by_user(latest(inter, length)) == {u: h for u, h in expected.items() if h}


def test_latest_refuses_what_is_not_sorted():
    with pytest.raises(ValueError, match="sorted by user"):
        latest(interactions([(1, 0, 5, 0), (0, 0, 5, 0)]), 1)


@given(datasets(), datasets())
def test_concatenation_puts_the_second_behind_the_first(first, second):
    first, second = sorted_interactions(first), sorted_interactions(second)
    both, left, right = by_user(concatenate(first, second)), by_user(first), by_user(second)
    assert both.keys() == left.keys() | right.keys()
    assert all(both[user] == left[user] + right[user] for user in both)


def test_prepare_counts_each_step_and_compacts():
    good = [(u, i, 4, u + i) for u in range(1, 6) for i in range(1, 6)]
    bad = [(0, 1, 2, 0), (0, 6, 5, 1), (1, 6, 1, 2)]
    split = prepare(dataset(interactions(good + bad), 6, 7), min_rating=3, core=5)
    assert [(s.step, s.users, s.items, s.interactions) for s in split.steps] == [
        ("read", 6, 6, 28),
        ("rating >= 3", 6, 6, 26),
        ("5-core", 5, 5, 25),
    ]
    assert split.dataset.users["user_id"].tolist() == ["u1", "u2", "u3", "u4", "u5"]
    assert split.dataset.items["item_id"].tolist() == ["i1", "i2", "i3", "i4", "i5"]
    assert (len(split.train), len(split.validation), len(split.test)) == (20, 5, 0)


@pytest.mark.parametrize(
    "table", [[], [(0, 0, 2, 0)], [(0, 0, 5, 0), (1, 1, 5, 0)]], ids=["no rows", "no positives", "no core"]
)
def test_nothing_left_is_an_error_that_says_what_to_lower(table):
    with pytest.raises(DataError, match=r"no interaction is left .*data\.min_rating or data\.core"):
        prepare(dataset(interactions(table), 2, 2))


def test_a_pair_that_repeats_is_an_error_since_it_could_be_train_and_target():
    with pytest.raises(DataError, match="toy: 2 interactions repeat a pair"):
        prepare(dataset(interactions([(0, 0, 5, 0), (0, 0, 4, 1), (0, 0, 4, 2)]), 1, 1), core=1)


def test_interactions_must_name_rows_that_are_there():
    with pytest.raises(DataError, match="toy: interactions name item rows 0 to 3, but there are 3 items"):
        dataset(interactions([(0, 0, 5, 0), (0, 3, 5, 0)]), 1, 3)
    with pytest.raises(DataError, match="user rows -1 to 0"):
        dataset(interactions([(0, 0, 5, 0), (-1, 1, 5, 0)]), 1, 3)


def test_columns_must_have_one_length():
    with pytest.raises(DataError, match=r"differ in length: \[1, 2\]"):
        Interactions(
            np.zeros(1, np.int32), np.zeros(2, np.int32), np.zeros(2, np.float32), np.zeros(2, np.int64)
        )


def test_what_has_no_rating_is_a_positive_whatever_is_asked_of_ratings():
    table = [(u, i, np.nan if u else 2, u + i) for u in range(3) for i in range(2)]
    split = prepare(dataset(interactions(table), 3, 2), min_rating=3, core=2)
    assert [(s.step, s.users, s.items, s.interactions) for s in split.steps[1:]] == [
        ("rating >= 3 or none", 2, 2, 4),
        ("2-core", 2, 2, 4),
    ]
    assert np.isnan(split.train.rating).all()
