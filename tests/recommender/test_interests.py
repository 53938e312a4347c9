import math

import pytest
import torch

from recommender.interests import interest_collapse
from recommender.models import ModelError


def test_interests_that_are_one_have_collapsed():
    torch.manual_seed(0)
    one = torch.randn(5, 1, 4)
    use = interest_collapse(one.expand(-1, 3, -1), torch.randn(20, 4))
    assert use.cosine == pytest.approx(1)
    assert (use.entropy, use.effective) == (0, 1)


def test_interests_that_share_the_work_have_not():
    # Each user's three interests point at three directions, each with two items.
    items = torch.eye(3).repeat_interleave(2, 0)
    use = interest_collapse(torch.eye(3).expand(4, -1, -1), items, best=6)
    assert use.cosine == 0
    assert use.entropy == pytest.approx(math.log(3))
    assert use.effective == pytest.approx(3)


def test_one_interest_a_user_but_another_for_each_user_is_told_apart_from_idle_interests():
    items = torch.eye(2)
    strong, weak = torch.tensor([5.0, 4.0]), torch.tensor([1.0, 0.5])
    users = torch.stack([torch.stack([strong, weak]), torch.stack([weak, strong])])
    use = interest_collapse(users, items, best=2)
    assert use.entropy == pytest.approx(math.log(2))
    assert use.effective == pytest.approx(1)
    idle = interest_collapse(users[:1].expand(2, -1, -1), items, best=2)
    assert (idle.entropy, idle.effective) == (0, 1)


def test_only_the_best_items_count():
    items = torch.tensor([[3.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    users = torch.eye(2)[None]
    assert interest_collapse(users, items, best=2).effective == 1
    assert interest_collapse(users, items, best=3).effective > 1


def test_one_interest_has_nothing_to_compare():
    use = interest_collapse(torch.randn(3, 1, 4), torch.randn(9, 4))
    assert math.isnan(use.cosine)
    assert use.effective == 1


def test_nobody_is_an_error():
    with pytest.raises(ModelError, match="no users"):
        interest_collapse(torch.zeros(0, 3, 4), torch.zeros(9, 4))
