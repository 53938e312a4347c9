import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tensor_sizes import LargestTensor
from torch.nn import functional

from recommender.data.histories import Histories
from recommender.models import ModelError, scores
from recommender.models.layers import softmax
from recommender.models.layers.softmax import CatalogueSoftmax, softmax_loss

N, ITEMS, D = 6, 30, 4


def examples(seed=0, interests=1, count=N, items=ITEMS):
    """Vectors, table, targets, users; float64, so that equality means equality."""
    g = torch.Generator().manual_seed(seed)
    vectors = torch.randn(count, interests, D, generator=g, dtype=torch.float64)
    table = torch.randn(items, D, generator=g, dtype=torch.float64)
    target = torch.randint(items, (count,), generator=g)
    return vectors.requires_grad_(), table.requires_grad_(), target, torch.arange(count) % 4


def popular_first(users=8, items=ITEMS):
    """Every user has item 0, every second one item 1, every third one item 2 and so on; the last items nobody has."""
    taken = [[i for i in range(items // 2) if user % (i + 1) == 0] for user in range(users)]
    size = torch.tensor([len(each) for each in taken])
    start = torch.cat([torch.zeros(1, dtype=torch.int64), size.cumsum(0)])
    return Histories(start, torch.tensor([i for each in taken for i in each]))


def gradients(loss, *leaves):
    return torch.autograd.grad(loss, leaves)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    interests=st.integers(1, 3),
    count=st.integers(1, 9),
    items=st.integers(1, 12),
    temperature=st.sampled_from([0.1, 1.0, 3.0]),
    logits=st.integers(1, 200),
)
def test_in_chunks_of_any_size_it_is_the_cross_entropy_and_so_is_its_gradient(
    seed, interests, count, items, temperature, logits
):
    vectors, table, target, _ = examples(seed, interests, count, items)
    expected = functional.cross_entropy(scores(vectors, table) / temperature, target)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(softmax, "_LOGITS_CPU", logits)
        loss = softmax_loss(vectors, table, target, temperature)
    torch.testing.assert_close(loss, expected)
    # Times a constant, as where a loss is one term of several.
    for ours, theirs in zip(
        gradients(3 * loss, vectors, table), gradients(3 * expected, vectors, table), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_large_logits_are_no_overflow():
    vectors, table, target, _ = examples()
    loss = softmax_loss(vectors * 1e4, table, target)
    assert loss.isfinite()
    assert gradients(loss, vectors)[0].isfinite().all()


def test_the_whole_softmax_never_holds_all_logits(monkeypatch):
    monkeypatch.setattr(softmax, "_LOGITS_CPU", 3 * 400)
    vectors, table, target, _ = examples(count=50, items=400)
    with LargestTensor() as largest:
        softmax_loss(vectors, table, target).backward()
    assert largest.numel == max(3 * 400, table.numel())
    with LargestTensor() as largest:
        functional.cross_entropy(scores(vectors, table), target).backward()
    assert largest.numel == 50 * 400


def distance_from_whole(count, popularity, *, shared, log_q=True, repeats=40):
    """Relative error of the mean gradient over `repeats` draws of `count` negatives."""
    torch.manual_seed(0)
    vectors, table, target, user = examples(interests=2)
    whole = gradients(softmax_loss(vectors, table, target), vectors, table)
    layer = CatalogueSoftmax(popular_first(), ITEMS, count, popularity=popularity, shared=shared, log_q=log_q)
    losses = [layer(vectors, table, target, user) for _ in range(repeats)]
    estimate = gradients(torch.stack(losses).mean(), vectors, table)
    return max(float((a - b).norm() / b.norm()) for a, b in zip(estimate, whole, strict=True))


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("popularity", [0.0, 0.5, 1.0])
def test_the_gradient_approaches_the_whole_softmax_s_as_negatives_grow(popularity, shared):
    few, some, many = (distance_from_whole(count, popularity, shared=shared) for count in (2, 40, 4000))
    assert few > 2 * some > 4 * many
    assert many < 0.02


@pytest.mark.parametrize("shared", [True, False])
def test_without_log_q_popular_negatives_never_approach_it(shared):
    assert distance_from_whole(4000, 1.0, shared=shared, log_q=False) > 0.2


def test_without_log_q_it_is_the_plain_softmax_over_target_and_negatives(monkeypatch):
    vectors, table, target, user = examples(interests=3)
    layer = CatalogueSoftmax(popular_first(), ITEMS, 2, temperature=0.5, log_q=False)
    drawn = torch.stack([(target + 1) % ITEMS, (target + 7) % ITEMS], 1)
    monkeypatch.setattr(layer.sampler, "draw", lambda shape: drawn)
    total = 0.0
    for row in range(N):
        logits = [max(vectors[row] @ table[i]) / 0.5 for i in (target[row], *drawn[row])]
        total -= torch.log_softmax(torch.stack(logits), 0)[0] / N
    torch.testing.assert_close(layer(vectors, table, target, user).double(), total, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shared", [True, False])
def test_a_draw_of_the_target_itself_counts_nothing(monkeypatch, shared):
    vectors, table, _, user = examples()
    target = torch.full((N,), 5)
    layer = CatalogueSoftmax(popular_first(), ITEMS, 3, shared=shared)
    monkeypatch.setattr(layer.sampler, "draw", lambda shape: torch.full(shape, 5))
    assert layer(vectors, table, target, user) == 0


def test_in_batch_written_out():
    train = popular_first()
    vectors, table, _, _ = examples(interests=2)
    user = torch.tensor([1, 1, 2, 3, 3, 5])
    target = torch.tensor([0, 20, 1, 0, 3, 25])
    has = train.mask(user, ITEMS)
    count = torch.bincount(train.item, minlength=ITEMS).clamp(min=1)
    total = 0.0
    for row in range(N):
        positive = torch.exp(max(vectors[row] @ table[target[row]]) / 0.7)
        others = [other for other in range(N) if user[other] != user[row]]
        z = positive
        for other in others:
            item = target[other]
            if item != target[row] and not has[row, item]:
                q = count[item] / len(train.item)
                z = z + torch.exp(max(vectors[row] @ table[item]) / 0.7) / (len(others) * q)
        total -= torch.log(positive / z) / N
    layer = CatalogueSoftmax(train, ITEMS, "in_batch", temperature=0.7)
    torch.testing.assert_close(layer(vectors, table, target, user).double(), total, rtol=1e-5, atol=1e-6)


def test_in_batch_never_pushes_what_the_user_has():
    train = popular_first()
    vectors, table, _, _ = examples()
    user, target = torch.tensor([0, 1, 2, 3, 4, 5]), torch.tensor([9, 0, 1, 0, 4, 5])
    layer = CatalogueSoftmax(train, ITEMS, "in_batch")
    alone = torch.zeros(N, dtype=torch.float64)
    alone[2] = 1
    (gradient,) = gradients(layer(vectors * alone[:, None, None], table, target, user), table)
    pushed = (gradient @ vectors[2, 0] > 0).nonzero()[:, 0].tolist()
    assert train.mask(user, ITEMS)[2].nonzero()[:, 0].tolist() == [0, 1]
    assert pushed == [4, 5, 9]


def test_in_batch_approaches_the_softmax_over_what_the_user_has_not():
    torch.manual_seed(0)
    train = popular_first(users=12)
    vectors, table, _, _ = examples(count=4)
    vectors, table = vectors.detach(), table.detach()
    row = torch.randint(len(train.item), (1500,))
    user, target = train.users()[row], train.item[row]
    layer = CatalogueSoftmax(train, ITEMS, "in_batch")
    mine = torch.zeros(len(user), 1, D, dtype=torch.float64)
    picked = [int((user == u).nonzero()[0]) for u in (3, 5, 7, 11)]
    mine[picked] = vectors
    # Rows of zeros have the same loss each time; only the four differ between two calls.
    base = layer(torch.zeros_like(mine), table, target, user)
    ours = (layer(mine, table, target, user) - base) * len(user)

    def expected(v):
        total = 0.0
        for one, place in zip(v, picked, strict=True):
            allowed = ~train.mask(user[place, None], ITEMS)[0]
            # What nobody has is never the target of anybody, so never in a batch.
            allowed &= torch.bincount(train.item, minlength=ITEMS) > 0
            allowed[target[place]] = True
            logits = (table @ one[0]).masked_fill(~allowed, -torch.inf)
            total -= torch.log_softmax(logits, 0)[target[place]]
        return total

    wanted = expected(vectors) - expected(torch.zeros_like(vectors))
    assert float(ours) == pytest.approx(float(wanted), rel=0.1)


def test_alone_in_the_batch_there_is_nothing_to_learn_but_no_error():
    vectors, table, target, _ = examples(count=3)
    layer = CatalogueSoftmax(popular_first(), ITEMS, "in_batch")
    loss = layer(vectors, table, target, torch.zeros(3, dtype=torch.int64))
    assert loss == 0
    assert gradients(loss, vectors)[0].isfinite().all()


@pytest.mark.parametrize("negatives", ["full", "in_batch", 5])
def test_it_adds_nothing_to_the_saved_weights(negatives):
    layer = CatalogueSoftmax(popular_first(), ITEMS, negatives)
    assert layer.state_dict() == {}


@pytest.mark.parametrize("negatives", ["ful", 0, -1, 2.5])
def test_negatives_of_another_kind_are_refused(negatives):
    with pytest.raises(ModelError, match=r"recommender\.params\.negatives"):
        CatalogueSoftmax(popular_first(), ITEMS, negatives)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_a_temperature_out_of_range_is_refused(temperature):
    with pytest.raises(ModelError, match=r"recommender\.params\.temperature"):
        CatalogueSoftmax(popular_first(), ITEMS, temperature=temperature)


@pytest.mark.parametrize("interests", [1, 3])
def test_under_autocast_vectors_of_full_precision_are_taken(interests):
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(6, interests, 4, generator=generator, requires_grad=True)
    table = torch.randn(9, 4, generator=generator, requires_grad=True)
    target = torch.randint(9, (6,), generator=generator)
    exact = torch.autograd.grad(softmax_loss(vectors, table, target), (vectors, table))
    with torch.autocast("cpu", torch.bfloat16):
        loss = softmax_loss(vectors, table, target)
    assert loss.dtype == torch.float32
    for ours, theirs in zip(torch.autograd.grad(loss, (vectors, table)), exact, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0.05, atol=0.02)
