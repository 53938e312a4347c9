import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.data.histories import Histories
from recommender.models import ModelError
from recommender.models.layers.graph import Bipartite

USERS, ITEMS, DIM = 6, 5, 3
EDGES = st.lists(st.tuples(st.integers(0, USERS - 1), st.integers(0, ITEMS - 1)), max_size=30)
EXPONENTS = st.sampled_from([0.0, 0.3, 0.5, 1.0])


def histories(edges, users=USERS):
    """Repeated pairs and users without items included."""
    of_user = [[item for user, item in edges if user == u] for u in range(users)]
    start = torch.tensor([0, *np.cumsum([len(each) for each in of_user])])
    return Histories(start, torch.tensor([i for each in of_user for i in each], dtype=torch.int64))


def adjacency(edges):
    matrix = np.zeros((USERS, ITEMS))
    for user, item in edges:
        matrix[user, item] = 1
    return matrix


def normalised(matrix, receiver, sender):
    """To users (U, I) and to items (I, U), by the definition."""
    to_users, to_items = np.zeros(matrix.shape), np.zeros(matrix.T.shape)
    for user, item in zip(*matrix.nonzero(), strict=True):
        of_user, of_item = matrix[user].sum(), matrix[:, item].sum()
        to_users[user, item] = of_user**-receiver * of_item**-sender
        to_items[item, user] = of_item**-receiver * of_user**-sender
    return to_users, to_items


def mean_of_layers(to_users, to_items, users, items, layers):
    all_users, all_items = [users], [items]
    for _ in range(layers):
        all_users.append(to_users @ all_items[-1])
        all_items.append(to_items @ all_users[-2])
    return sum(all_users) / (layers + 1), sum(all_items) / (layers + 1)


def tables(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(n, DIM, generator=generator) for n in (USERS, ITEMS))


@settings(deadline=None, max_examples=50)
@given(EDGES, EXPONENTS, EXPONENTS, st.integers(0, 3))
def test_propagation_is_that_of_the_dense_matrix_and_so_is_its_gradient(edges, receiver, sender, layers):
    graph = Bipartite(histories(edges), ITEMS, receiver, sender)
    dense = [torch.from_numpy(each) for each in normalised(adjacency(edges), receiver, sender)]
    users, items = (each.requires_grad_() for each in tables())
    found = graph.propagate(users, items, layers)
    expected = mean_of_layers(*dense, users.double(), items.double(), layers)
    weights = list(tables(1))
    for got, right in zip(found, expected, strict=True):
        torch.testing.assert_close(got.double(), right, rtol=1e-5, atol=1e-6)

    def gradient(pair):
        return torch.autograd.grad(
            sum((each * weight).sum() for each, weight in zip(pair, weights, strict=True)), (users, items)
        )

    for got, right in zip(gradient(found), gradient(expected), strict=True):
        torch.testing.assert_close(got, right, rtol=1e-5, atol=1e-6)


@settings(deadline=None, max_examples=50)
@given(EDGES, st.sampled_from([0.0, 0.4, 0.9]), EXPONENTS)
def test_a_thinned_view_is_the_graph_of_the_edges_left(edges, rate, receiver):
    graph = Bipartite(histories(edges), ITEMS, receiver)
    view = graph.thinned(rate)
    left = [pair for pair, kept in zip(sorted(set(edges)), view.by_user.tolist(), strict=True) if kept]
    users, items = (each.requires_grad_() for each in tables())
    found = graph.propagate(users, items, 2, view)
    expected = Bipartite(histories(left), ITEMS, receiver).propagate(users, items, 2)
    for got, right in zip(found, expected, strict=True):
        torch.testing.assert_close(got, right)
    got, right = (
        torch.autograd.grad(pair[0].sum() + pair[1].square().sum(), users) for pair in (found, expected)
    )
    torch.testing.assert_close(got, right)


def test_a_view_drops_the_share_that_it_is_asked_to_and_another_one_each_time():
    graph = Bipartite(histories([(u, i) for u in range(100) for i in range(50)], users=100), 50)
    first, second = graph.thinned(0.3), graph.thinned(0.3)
    assert abs(float(first.by_user.mean()) - 0.7) < 0.04
    assert not torch.equal(first.by_user, second.by_user)
    assert torch.equal(graph.thinned(0.0).by_user, torch.ones(5000))


def test_a_user_and_an_item_without_an_edge_receive_zeros():
    graph = Bipartite(histories([(0, 0), (1, 0)]), ITEMS)
    users, items = graph.receive(*tables())
    assert users[2:].count_nonzero() == items[1:].count_nonzero() == 0
    assert users[:2].all()


@pytest.mark.parametrize("autocast", [False, True])
def test_sums_are_taken_in_float32(autocast):
    """In bfloat16 a sum of ones stops at 256."""
    graph = Bipartite(histories([(0, i) for i in range(1001)], users=1), 1001, receiver=0, sender=0)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        items = torch.ones(1001, 2, dtype=torch.bfloat16, requires_grad=True)
        users, _ = graph.receive(torch.ones(1, 2, dtype=torch.bfloat16), items)
    assert users.dtype == torch.float32
    assert users.tolist() == [[1001.0, 1001.0]]
    users.sum().backward()
    assert items.grad.dtype == torch.bfloat16
    assert (items.grad == 1).all()


def test_it_has_no_state_and_moves_whole():
    graph = Bipartite(histories([(0, 0), (1, 2)]), ITEMS)
    assert graph.state_dict() == {}
    users, items = (each.to("meta") for each in tables())
    graph.to("meta")
    assert graph.propagate(users, items, 2, graph.thinned(0.5))[0].device.type == "meta"


@pytest.mark.parametrize("exponents", [(-0.1, 0.5), (0.5, -1), (float("nan"), 0)])
def test_exponents_out_of_range_are_refused(exponents):
    with pytest.raises(ModelError, match="exponents"):
        Bipartite(histories([]), ITEMS, *exponents)
