import torch
from hypothesis import given
from hypothesis import strategies as st

from recommender.data.histories import PAD
from recommender.models.layers.bags import history_sum

ITEMS = 5


@given(st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=4), max_size=4), st.integers(0, 3))
def test_the_sum_is_over_the_items_and_padding_adds_nothing(histories, padding):
    width = padding + max((len(each) for each in histories), default=0)
    history = torch.tensor([[PAD] * (width - len(each)) + each for each in histories], dtype=torch.int64)
    table = torch.arange(ITEMS * 3, dtype=torch.float32).reshape(ITEMS, 3) + 1
    total = history_sum(history.reshape(len(histories), width), table)
    assert total.shape == (len(histories), 3)
    assert total.tolist() == [table[each].sum(0).tolist() for each in histories]
