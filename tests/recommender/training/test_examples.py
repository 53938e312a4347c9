import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from recommender_doubles import Lookup, interactions

from recommender.data.histories import PAD, Histories
from recommender.models import ModelError
from recommender.training.examples import Examples


def reader(length, sequences):
    """A model that says it reads so many items."""

    class Reader(Lookup):
        history_length = length
        learns_sequences = sequences

    return Reader([[0.0]])


def histories(sizes):
    """User u has the items 100 u, 100 u + 1 ... in this order."""
    rows = [(user, 100 * user + n, 5, n) for user, size in enumerate(sizes) for n in range(size)]
    return Histories.of(interactions(rows), len(sizes))


def examples(sizes, length, sequences):
    profile = torch.arange(len(sizes))[:, None]
    return Examples(reader(length, sequences), histories(sizes), profile)


SIZES = st.lists(st.integers(0, 12), min_size=1, max_size=6)


@given(SIZES, st.integers(1, 5), st.integers(0, 9))
def test_stretches_cover_every_target_once_with_what_came_strictly_before(sizes, length, seed):
    made = examples(sizes, length, sequences=True)
    order = torch.randperm(len(made), generator=torch.Generator().manual_seed(seed))
    covered = []
    for rows in order.split(4):
        batch = made.batch(rows)
        assert batch.history.shape == batch.following.shape == (len(rows), length)
        assert torch.equal(batch.target, batch.following[:, -1])
        assert torch.equal(batch.profile[:, 0], batch.user)
        real = batch.history != PAD
        assert torch.equal(real, batch.following != PAD)
        assert torch.equal(real, real.sort(dim=1).values), "padding stands in front"
        assert torch.equal(batch.following[real], batch.history[real] + 1), "the next item of the same user"
        assert torch.equal(batch.history[:, 1:][real[:, :-1]], batch.following[:, :-1][real[:, :-1]])
        covered += batch.following[real].tolist()
    assert sorted(covered) == [100 * user + n for user, size in enumerate(sizes) for n in range(1, size)]


@given(SIZES, st.integers(1, 5))
def test_a_user_s_newest_stretch_is_as_full_as_can_be(sizes, length):
    made = examples(sizes, length, sequences=True)
    batch = made.batch(torch.arange(len(made)))
    for user, size in enumerate(sizes):
        mine = (batch.following[batch.user == user] != PAD).sum(1).tolist()
        assert mine[:-1] == [length] * (len(mine) - 1)
        assert sum(mine) == max(size - 1, 0)
        if size > 1:
            assert batch.target[batch.user == user][0] == 100 * user + size - 1


@given(SIZES, st.integers(0, 5))
def test_single_targets_are_covered_once_with_what_came_strictly_before(sizes, length):
    made = examples(sizes, length, sequences=False)
    first = 1 if length else 0
    batch = made.batch(torch.arange(len(made)))
    expected = [100 * user + n for user, size in enumerate(sizes) for n in range(first, size)]
    assert batch.target.tolist() == expected
    assert batch.following is None
    for user, before, target in zip(
        batch.user.tolist(), batch.history.tolist(), batch.target.tolist(), strict=True
    ):
        taken = list(range(100 * user, target))[-length:] if length else []
        assert before == [PAD] * (length - len(taken)) + taken


def test_a_model_of_sequences_without_history_is_refused():
    with pytest.raises(ModelError, match="Reader learns sequences, so it needs a history"):
        examples([3], 0, sequences=True)
