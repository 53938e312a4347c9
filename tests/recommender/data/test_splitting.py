from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender_doubles import dataset, datasets, interactions, rows

from recommender.data import DataError, Interactions
from recommender.data.filtering import filtered
from recommender.data.splitting import (
    concatenate,
    global_time_split,
    latest,
    leave_one_out,
    prepare,
    temporal_split,
)


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


def naive(data):
    """Each user's rows, oldest first, ties in the order of the source, from dicts and sorted() alone."""
    return {
        user: sorted(history, key=lambda row: row[2]) for user, history in by_user(data.interactions).items()
    }


def flat(histories):
    return [(user, *row) for user in sorted(histories) for row in histories[user]]


@given(
    datasets(max_users=4, max_items=12), st.tuples(st.integers(1, 9), st.integers(0, 3), st.integers(0, 3))
)
def test_ratio_equals_the_definition_row_by_row(data, ratio):
    split = temporal_split(data, ratio)
    expected = {}, {}, {}
    for user, history in naive(data).items():
        n, total = len(history), sum(ratio)
        first, second = -(-n * ratio[0] // total), -(-n * (ratio[0] + ratio[1]) // total)
        for part, its in zip(
            expected, (history[:first], history[first:second], history[second:]), strict=True
        ):
            part[user] = its
    assert [rows(p) for p in (split.train, split.validation, split.test)] == [flat(p) for p in expected]
    assert rows(split.dataset.interactions) == flat(naive(data))


@given(datasets(max_users=4, max_items=6))
def test_leave_one_out_equals_the_definition_row_by_row(data):
    split = leave_one_out(data)
    expected = {}, {}, {}
    for user, history in naive(data).items():
        n = len(history) if len(history) < 3 else len(history) - 2
        for part, its in zip(expected, (history[:n], history[n : n + 1], history[n + 1 :]), strict=True):
            part[user] = its
    assert [rows(p) for p in (split.train, split.validation, split.test)] == [flat(p) for p in expected]


@pytest.mark.parametrize(("n", "sizes"), [(1, (1, 0, 0)), (2, (2, 0, 0)), (3, (1, 1, 1)), (7, (5, 1, 1))])
def test_leave_one_out_by_hand(n, sizes):
    split = leave_one_out(dataset(interactions([(0, i, 5, i) for i in range(n)]), 1, n))
    assert (len(split.train), len(split.validation), len(split.test)) == sizes


def by_id(split, part):
    """Rows of a part with ids in place of row numbers, as numbers again."""
    users, items = split.dataset.users["user_id"], split.dataset.items["item_id"]
    return [(int(users[u][1:]), int(items[i][1:]), rating, time) for u, i, rating, time in rows(part)]


@given(datasets(max_users=5, max_items=12))
def test_a_global_split_equals_the_definition_row_by_row(data):
    everything = flat(naive(data))
    times = sorted(row[3] for row in everything)
    n = len(times)
    first, second = ([times[min(-(-n * k // 10), n - 1)] for k in (8, 9)]) if n else (0, 0)
    train = [row for row in everything if row[3] < first]
    users, items = {row[0] for row in train}, {row[1] for row in train}
    warm = [row for row in everything if row[0] in users and row[1] in items]
    expected = [
        train,
        [row for row in warm if first <= row[3] < second],
        [row for row in warm if row[3] >= max(first, second)],
    ]
    if not all(expected):
        with pytest.raises(DataError, match=rf"{len(expected[0])} train, {len(expected[1])} validation and"):
            global_time_split(data)
        return
    split = global_time_split(data)
    assert [by_id(split, part) for part in (split.train, split.validation, split.test)] == expected
    assert split.dataset.users["user_id"].tolist() == [f"u{user}" for user in sorted(users)]
    assert split.dataset.items["item_id"].tolist() == [f"i{item}" for item in sorted(items)]
    (step,) = split.steps
    assert (step.step, step.users, step.items, step.interactions) == (
        "known from train",
        len(users),
        len(items),
        sum(map(len, expected)),
    )


def test_a_global_split_by_hand_leaves_out_and_counts_what_train_does_not_know():
    # Four users without their own item of five: 16 rows of train. Then two rows each of validation and test.
    train = [(u, i, 5, 0) for u in range(4) for i in range(5) if i != u]
    later = [(0, 0, 5, 1), (4, 0, 5, 1), (1, 1, 5, 2), (2, 5, 5, 2)]
    split = prepare(dataset(interactions(later + train), 5, 6), core=1, split="global-time")
    assert by_id(split, split.train) == train
    assert by_id(split, split.validation) == [(0, 0, 5, 1)]
    assert by_id(split, split.test) == [(1, 1, 5, 2)]
    assert [(s.users, s.items, s.interactions) for s in split.steps[-2:]] == [(5, 6, 20), (4, 5, 18)]


def test_a_global_split_puts_no_row_of_train_behind_one_that_is_held_out():
    generator = np.random.default_rng(0)
    table = [(u, i, 5, generator.integers(0, 100)) for u in range(20) for i in range(20)]
    split = global_time_split(dataset(interactions(table), 20, 20))
    assert split.train.time.max() < split.validation.time.min()
    assert split.validation.time.max() < split.test.time.min()
    sizes = np.array([len(split.train), len(split.validation), len(split.test)])
    assert np.abs(sizes / sizes.sum() - (0.8, 0.1, 0.1)).max() < 0.02


def test_times_that_are_all_one_cannot_be_split_at_an_instant():
    table = [(u, i, 5, 7) for u in range(5) for i in range(5)]
    with pytest.raises(DataError, match=r"toy: the global-time split leaves 0 train.* too coarse"):
        prepare(dataset(interactions(table), 5, 5), split="global-time")


@pytest.mark.parametrize("split", ["ratio", "leave-one-out", "global-time"])
def test_prepare_filters_and_then_divides_as_asked(split):
    generator = np.random.default_rng(1)
    table = [
        (u, i, generator.integers(1, 6), generator.integers(0, 200)) for u in range(12) for i in range(15)
    ]
    data = dataset(interactions(table), 12, 15)
    divide = {"ratio": temporal_split, "leave-one-out": leave_one_out, "global-time": global_time_split}[
        split
    ]
    found = prepare(data, split=split)
    kept, steps = filtered(data, 3, 5)
    expected = divide(kept, steps=steps)
    assert found.steps == expected.steps
    for part in ("train", "validation", "test"):
        assert rows(getattr(found, part)) == rows(getattr(expected, part))
        assert len(getattr(found, part))


def test_a_split_that_is_not_known_is_refused():
    with pytest.raises(
        DataError, match="unknown split 'random'; known are ratio, leave-one-out, global-time"
    ):
        prepare(dataset(interactions([(0, 0, 5, 0)]), 1, 1), core=1, split="random")


@pytest.mark.parametrize("ratio", [(0, 1, 1), (8, -1, 1)])
def test_a_ratio_without_train_is_refused(ratio):
    with pytest.raises(DataError, match="needs a train part"):
        prepare(dataset(interactions([(0, 0, 5, 0)]), 1, 1), core=1, ratio=ratio)


def test_an_instant_cannot_leave_a_part_empty():
    with pytest.raises(DataError, match="global-time split of 9:1:0 leaves a part empty"):
        prepare(dataset(interactions([(0, 0, 5, 0)]), 1, 1), core=1, split="global-time", ratio=(9, 1, 0))
