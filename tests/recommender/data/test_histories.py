import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from recommender_doubles import datasets, interactions

from recommender.data.histories import PAD, Histories
from recommender.data.splitting import temporal_split

USERS, ITEMS = 7, 8


def made(data):
    """Histories and the same as lists; user 6 never has any."""
    inter = temporal_split(data, (1, 0, 0)).train
    lists = [inter.item[inter.user == user].tolist() for user in range(USERS)]
    return Histories.of(inter, USERS), lists


def padded(items, length):
    """The last `length` of a list, PAD in front."""
    kept = items[max(len(items) - length, 0) :] if length else []
    return [PAD] * (length - len(kept)) + kept


@given(datasets(), st.integers(0, 10))
def test_latest_is_the_padded_end_of_each_list(data, length):
    histories, lists = made(data)
    users = torch.tensor([6, 0, *range(USERS)])
    expected = [padded(lists[user], length) for user in users.tolist()]
    got = histories.latest(users, length)
    assert got.shape == (len(users), length)
    assert got.tolist() == expected


@given(datasets(), st.lists(st.integers(0, USERS - 1), max_size=4))
def test_latest_without_a_length_is_as_long_as_the_longest(data, users):
    histories, lists = made(data)
    longest = max((len(lists[user]) for user in users), default=0)
    got = histories.latest(torch.tensor(users, dtype=torch.int64), None)
    assert got.shape == (len(users), longest)
    assert got.tolist() == [padded(lists[user], longest) for user in users]


@given(datasets(), st.integers(1, 10))
def test_before_is_the_padded_end_of_what_came_before_each_place(data, length):
    histories, lists = made(data)
    places = [(user, place) for user, items in enumerate(lists) for place in range(len(items) + 1)]
    user, place = torch.tensor(places).T
    assert histories.before(user, place, length).tolist() == [padded(lists[u][:p], length) for u, p in places]


@given(datasets(), st.lists(st.integers(0, USERS - 1), max_size=9))
def test_mask_marks_the_items_of_each_user(data, users):
    histories, lists = made(data)
    mask = histories.mask(torch.tensor(users, dtype=torch.int64), ITEMS)
    assert mask.shape == (len(users), ITEMS)
    assert [row.nonzero()[:, 0].tolist() for row in mask] == [sorted(lists[user]) for user in users]


@given(datasets())
def test_sizes_and_users_describe_the_lists(data):
    histories, lists = made(data)
    assert histories.sizes().tolist() == [len(items) for items in lists]
    assert histories.users().tolist() == [user for user, items in enumerate(lists) for _ in items]


def test_nobody_has_anything():
    histories = Histories.of(interactions([]), 3)
    users = torch.tensor([0, 2])
    assert histories.latest(users, 2).tolist() == [[PAD, PAD]] * 2
    assert histories.before(users, torch.tensor([0, 0]), 1).tolist() == [[PAD]] * 2
    assert not histories.mask(users, 4).any()


def test_refuses_rows_out_of_order_and_users_out_of_range():
    with pytest.raises(ValueError, match="sorted by user"):
        Histories.of(interactions([(1, 0, 5, 0), (0, 0, 5, 0)]), 2)
    with pytest.raises(ValueError, match="name user 2, but there are 2 users"):
        Histories.of(interactions([(2, 0, 5, 0)]), 2)
