from dataclasses import replace

import pytest
import torch

from recommender.features.modality import Modality
from recommender.models import ModelError
from recommender.models.layers.mcln_items import ItemConfig, MclnItems
from recommender.testing import toy_inputs


def make(inputs=None, users=False, **params):
    torch.manual_seed(0)
    tower = MclnItems(ItemConfig(**({"dim": 8} | params)), inputs or toy_inputs(), users)
    for parameter in tower.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return tower.eval()


def table_of(tower):
    return tower.table(tower.graph_vectors()[1])


def attended(tower, x, other):
    """One layer of counterfactual attention over the tokens x (T, d) that an item has, token by token."""
    layer, d = tower.attention[0], x.shape[1]
    rows = []
    for a in range(len(x)):
        logits = []
        for b in range(len(x)):
            own = layer.query(x[a]) @ layer.key(x[b])
            logits.append((own - layer.query(other[a]) @ layer.key(other[b])) / d**0.5)
        weight = torch.stack(logits).softmax(0)
        rows.append(layer.out(sum(w * layer.value(x[b]) for b, w in enumerate(weight))))
    mixed = layer.norm_attended(x + torch.stack(rows))
    return layer.norm_fed(mixed + layer.feed(mixed))


@torch.no_grad()
def test_the_vector_is_the_sum_of_graph_modalities_and_what_attention_makes_of_them():
    inputs = toy_inputs()
    tower = make(visual_weight=0.3)
    g = tower.graph_vectors()[1]
    v, t = (x.map(m.vectors) for x, m in ((tower.visual, inputs.visual), (tower.text, inputs.text)))
    has = torch.stack([torch.ones(36, dtype=torch.bool), inputs.visual.present, inputs.text.present], 1)
    tokens = torch.stack([g, v, t], 1)
    mean = torch.stack([tokens[has[:, n], n].mean(0) for n in range(3)])
    table = table_of(tower)
    for item in (0, 1, 2, 20):  # without text, without picture, without both, with both
        own = has[item]
        seen = torch.zeros(3, 8)
        seen[own] = attended(tower, tokens[item, own], mean[own])
        m = torch.relu(tower.fuse(seen.flatten()))
        torch.testing.assert_close(table[item], g[item] + 0.3 * v[item] + t[item] + m)


@torch.no_grad()
def test_in_training_the_uninteracted_item_is_drawn_and_at_export_nothing_is():
    tower = make()
    assert torch.equal(table_of(tower), table_of(tower))
    tower.train()
    assert not torch.equal(table_of(tower), table_of(tower))


@torch.no_grad()
def test_an_uninteracted_item_without_a_modality_takes_nothing_away():
    tower = make()
    x, other = torch.randn(2, 3, 8), torch.tensor([1, 1])
    has = torch.tensor([[True, True, True], [True, False, False]])
    without = x.clone()
    without[1, 1:] = torch.randn(2, 8)
    layer = tower.attention[0]
    torch.testing.assert_close(layer(x, has, x, other)[0], layer(without, has, without, other)[0])


@torch.no_grad()
def test_every_layer_subtracts_the_map_of_the_uninteracted_item():
    tower = make(attention_layers=2)
    x, has = torch.randn(3, 3, 8), torch.ones(3, 3, dtype=torch.bool)
    first, second = tower.heads(x, has, torch.tensor([1, 1, 1])), tower.heads(x, has, torch.tensor([2, 2, 2]))
    assert ((first[0] - second[0])[:, 3].abs().amax(1) > 1e-6).any()
    own = tower.attention[0](x, has, x, torch.tensor([0, 1, 2]))
    # An item is taken away from itself: then attention is even.
    even = x + tower.attention[0].out(tower.attention[0].value(x).mean(1, keepdim=True))
    mixed = tower.attention[0].norm_attended(even)
    torch.testing.assert_close(own, tower.attention[0].norm_fed(mixed + tower.attention[0].feed(mixed)))


@torch.no_grad()
def test_an_item_s_vector_is_its_own_without_the_graph():
    inputs = toy_inputs()
    tower = make(graph=False)
    before = table_of(tower)
    changed = inputs.text.vectors.clone()
    changed[[20, 21]] = changed[[21, 20]]  # the catalogue's mean stays
    other = make(replace(inputs, text=Modality("text", changed, inputs.text.present)), graph=False)
    moved = (table_of(other) - before).abs().amax(1) > 1e-5
    assert moved[[20, 21]].all()
    moved[[20, 21]] = False
    assert not moved.any()


@torch.no_grad()
def test_without_graph_and_attention_it_is_the_sum_of_id_and_modalities():
    inputs = toy_inputs()
    tower = make(graph=False, attention=False)
    expected = (
        tower.item.weight + tower.text.map(inputs.text.vectors) + tower.visual.map(inputs.visual.vectors)
    )
    torch.testing.assert_close(table_of(tower), expected)
    assert tower.user is None
    assert tower.graph_vectors()[0].shape == (0, 8)


@torch.no_grad()
def test_the_graph_reaches_users_and_items_and_its_exponents_matter():
    tower = make(text=False, visual=False)
    expected = tower.graph.propagate(tower.user.weight, tower.item.weight, 2)
    assert all(torch.equal(*pair) for pair in zip(tower.graph_vectors(), expected, strict=True))
    assert not torch.equal(expected[1], tower.item.weight)
    other = make(text=False, visual=False, receiver_exponent=1.0, sender_exponent=0.0)
    assert not torch.allclose(table_of(other), table_of(tower))


@torch.no_grad()
def test_a_single_token_has_nothing_to_attend_to():
    tower = make(text=False, visual=False)
    assert not tower.attention
    torch.testing.assert_close(table_of(tower), tower.graph_vectors()[1])


@torch.no_grad()
def test_a_modality_that_no_item_has_is_as_if_there_were_none():
    nothing = Modality("text", torch.zeros(36, 4), torch.zeros(36, dtype=torch.bool))
    with_nothing = make(replace(toy_inputs(), text=nothing))
    assert torch.equal(table_of(with_nothing), table_of(make(text=False)))


@pytest.mark.parametrize(
    "params", [{"dim": 0}, {"graph_layers": 0}, {"attention_layers": 0}, {"visual_weight": -1.0}]
)
def test_options_out_of_range_are_refused(params):
    with pytest.raises(ModelError, match=r"recommender\.params: X needs dim"):
        ItemConfig(**params).require("X")
