import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from recommender_doubles import datasets, interactions
from scipy.stats import chisquare

from recommender.data.histories import Histories
from recommender.data.splitting import temporal_split
from recommender.models import ModelError
from recommender.models.layers.negatives import PopularityNegatives, UniformNegatives


def histories(taken):
    """From the items of each user."""
    table = [(user, item, 5, place) for user, items in enumerate(taken) for place, item in enumerate(items)]
    return Histories.of(interactions(table), len(taken))


@given(datasets(), st.integers(0, 2**31))
def test_never_an_item_of_the_user_s_train_and_always_one_of_the_catalogue(data, seed):
    train = temporal_split(data).train
    users, items = len(data.users), len(data.items)
    torch.manual_seed(seed)
    drawn = UniformNegatives(Histories.of(train, users), items).draw(torch.arange(users), 30)
    assert drawn.shape == (users, 30)
    for user in range(users):
        taken = set(train.item[train.user == user].tolist())
        allowed = set(range(items)) - taken or set(range(items))
        assert set(drawn[user].tolist()) <= allowed


@pytest.mark.parametrize("taken", [[], [0], [9], [5, 2, 7], [0, 1, 2, 3, 4, 5, 6, 8], list(range(10))])
def test_uniform_over_the_rest(taken):
    torch.manual_seed(0)
    sampler = UniformNegatives(histories([[3], taken, [0, 9]]), 10)
    drawn = sampler.draw(torch.full((200,), 1), 100).flatten()
    counts = torch.bincount(drawn, minlength=10)
    rest = sorted(set(range(10)) - set(taken)) or list(range(10))
    assert counts[rest].sum() == 20_000
    if len(rest) > 1:
        assert chisquare(counts[rest].numpy()).pvalue > 0.001


def test_the_only_item_left_is_found_at_once():
    sampler = UniformNegatives(histories([[item for item in range(5000) if item != 4321]]), 5000)
    assert (sampler.draw(torch.zeros(50, dtype=torch.int64), 4) == 4321).all()


def test_a_pair_that_stands_twice_counts_once():
    torch.manual_seed(0)
    sampler = UniformNegatives(histories([[1, 1, 1]]), 3)
    assert set(sampler.draw(torch.zeros(50, dtype=torch.int64), 1).flatten().tolist()) == {0, 2}


@pytest.mark.parametrize("items", [2**30 - 1, 2**30 + 5])
def test_pairs_that_pass_32_bits_are_drawn_from_as_well(items):
    torch.manual_seed(0)
    sampler = UniformNegatives(histories([[1], [0, items - 1]]), items)
    drawn = sampler.draw(torch.ones(1000, dtype=torch.int64), 1).flatten()
    assert 0 < drawn.min() < items // 50
    assert items - items // 50 < drawn.max() < items - 1


def test_the_same_seed_draws_the_same_and_users_differ():
    sampler = UniformNegatives(histories([[1], [2]]), 50)
    draws = []
    for _ in range(2):
        torch.manual_seed(7)
        draws.append(sampler.draw(torch.tensor([0, 0, 1]), 20))
    assert torch.equal(*draws)
    assert not torch.equal(draws[0][0], draws[0][1])


def test_train_is_no_part_of_the_weights():
    assert not UniformNegatives(histories([[1]]), 3).state_dict()


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 3.0])
def test_by_popularity_every_item_of_the_catalogue_as_often_as_log_q_says(exponent):
    torch.manual_seed(0)
    sampler = PopularityNegatives(histories([[0, 1, 2], [0, 1], [0], [0, 4]]), 6, exponent)
    weight = torch.tensor([5.0, 3.0, 2.0, 1.0, 2.0, 1.0], dtype=torch.float64) ** exponent
    expected = weight / weight.sum()
    torch.testing.assert_close(sampler.log_q.exp(), expected.float())
    drawn = sampler.draw((40, 500))
    assert drawn.shape == (40, 500)
    assert chisquare(torch.bincount(drawn.flatten(), minlength=6), 20_000 * expected).pvalue > 1e-4


def test_a_draw_at_the_very_end_is_still_an_item(monkeypatch):
    sampler = PopularityNegatives(histories([[0, 1, 2]]), 7, 0.3)
    monkeypatch.setattr(torch, "rand", lambda *shape, **kwargs: torch.ones(3, dtype=torch.float64))
    assert sampler.draw((3,)).tolist() == [6, 6, 6]


@pytest.mark.parametrize("exponent", [-0.1, float("nan"), float("inf")])
def test_an_exponent_out_of_range_is_refused(exponent):
    with pytest.raises(ModelError, match=r"recommender\.params\.popularity"):
        PopularityNegatives(histories([[0]]), 2, exponent)
