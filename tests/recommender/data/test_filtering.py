from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender_doubles import dataset, datasets, interactions, rows

from recommender.data import DataError, Interactions
from recommender.data.filtering import Counts, core_mask, filtered, k_core
from recommender.data.splitting import prepare


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


def test_what_has_no_rating_is_a_positive_whatever_is_asked_of_ratings():
    table = [(u, i, np.nan if u else 2, u + i) for u in range(3) for i in range(2)]
    split = prepare(dataset(interactions(table), 3, 2), min_rating=3, core=2)
    assert [(s.step, s.users, s.items, s.interactions) for s in split.steps[1:]] == [
        ("rating >= 3 or none", 2, 2, 4),
        ("2-core", 2, 2, 4),
    ]
    assert np.isnan(split.train.rating).all()


@given(datasets(), st.integers(0, 4), st.data())
def test_a_core_within_some_rows_is_the_core_of_those_rows_alone(data, k, draw):
    inter = data.interactions
    within = np.array(
        draw.draw(st.lists(st.booleans(), min_size=len(inter), max_size=len(inter))), dtype=bool
    )
    before = within.copy()
    alone = inter.take(within)
    assert rows(inter.take(core_mask(inter, k, within))) == rows(alone.take(core_mask(alone, k)))
    assert np.array_equal(within, before)


@given(datasets(), st.integers(1, 5), st.integers(0, 3))
def test_filtering_is_positives_then_core_however_it_is_computed(data, min_rating, core):
    positive = [row for row in rows(data.interactions) if row[2] >= min_rating]
    expected = k_core(data.with_interactions(interactions(positive)), core)
    if not positive or not len(expected.interactions):
        with pytest.raises(DataError, match="no interaction is left"):
            filtered(data, min_rating, core)
        return
    found, steps = filtered(data, min_rating, core)
    assert rows(found.interactions) == rows(expected.interactions)
    assert found.users.equals(expected.users)
    assert found.items.equals(expected.items)
    for step, left in zip(steps, (rows(data.interactions), positive, rows(found.interactions)), strict=True):
        sizes = len({row[0] for row in left}), len({row[1] for row in left}), len(left)
        assert (step.users, step.items, step.interactions) == sizes


def test_read_only_columns_on_disk_are_filtered_and_split_as_those_in_memory(tmp_path):
    generator = np.random.default_rng(0)
    pairs = generator.permutation(30 * 40)[:700]
    table = [(p % 30, p // 30, generator.integers(1, 6), generator.integers(0, 50)) for p in pairs]
    inter = interactions(table)
    columns = []
    for name in ("user", "item", "rating", "time"):
        np.save(tmp_path / f"{name}.npy", getattr(inter, name))
        columns.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    in_memory = prepare(dataset(inter, 30, 40))
    on_disk = prepare(dataset(Interactions(*columns), 30, 40))
    assert in_memory.steps == on_disk.steps
    for part in ("train", "validation", "test"):
        assert rows(getattr(on_disk, part)) == rows(getattr(in_memory, part))
    assert rows(Interactions(*columns)) == rows(inter)


def test_means_and_density():
    size = Counts("read", 4, 10, 20)
    assert (size.per_user, size.per_item, size.density) == (5, 2, 0.5)
    nothing = Counts("read", 0, 0, 0)
    assert np.isnan([nothing.per_user, nothing.per_item, nothing.density]).all()
