import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.models.layers.routing import ROUNDS, coupling, route, route_votes, squash

B, L, K, D = 4, 6, 3, 5


def parts(seed=0, length=L, interests=K):
    """Items, transforms, weights with padding in front, first logits; float64, so that equality means equality."""
    g = torch.Generator().manual_seed(seed)
    items = torch.randn(B, length, D, generator=g, dtype=torch.float64)
    transform = torch.randn(interests, D, D, generator=g, dtype=torch.float64)
    weight = torch.rand(B, length, generator=g, dtype=torch.float64)
    real = torch.arange(length) >= torch.randint(length, (B, 1), generator=g)
    start = torch.randn(length, interests, generator=g, dtype=torch.float64)
    return items, transform, weight * real, start


def written_out(items, transform, weight, start):
    """Eq. 5-8 as printed, with every vote W_k e_t in memory, and loops for sums."""
    batch, length, _ = items.shape
    interests = len(transform)
    votes = torch.einsum("kde,ble->blkd", transform, items)
    logits = start.expand(batch, length, interests)
    capsules = []
    for round_ in range(ROUNDS):
        coupling = torch.zeros(batch, length, interests, dtype=items.dtype)
        for b in range(batch):
            for t in range(length):
                exponentials = [torch.exp(logits[b, t, k]) for k in range(interests)]
                for k in range(interests):
                    coupling[b, t, k] = exponentials[k] / sum(exponentials)  # Eq. 6
        h = torch.stack(
            [
                torch.stack(
                    [
                        sum(coupling[b, t, k] * weight[b, t] * votes[b, t, k] for t in range(length))
                        for k in range(interests)
                    ]
                )
                for b in range(batch)
            ]
        )  # Eq. 5
        norm = h.norm(dim=-1, keepdim=True)
        capsules = norm**2 / (1 + norm**2) * h / norm.clamp(min=1e-300)  # Eq. 8
        if round_ < ROUNDS - 1:
            logits = torch.einsum("blkd,bkd->blk", votes, capsules).detach()  # Eq. 7, replaced
    return capsules


def test_the_shares_of_the_last_round_make_the_capsules():
    items, transform, weight, start = parts()
    shares = coupling(items, transform, weight, start)
    torch.testing.assert_close(shares.sum(-1), torch.ones(B, L, dtype=torch.float64))
    pooled = (shares * weight[..., None]).transpose(1, 2) @ items
    expected = squash(torch.einsum("kde,bke->bkd", transform, pooled))
    torch.testing.assert_close(route(items, transform, weight, start), expected)


def test_equals_the_equations_written_out():
    for seed in range(3):
        given_parts = parts(seed)
        torch.testing.assert_close(route(*given_parts), written_out(*given_parts), rtol=1e-6, atol=1e-8)


def test_so_does_its_gradient_which_leaves_out_the_early_rounds():
    items, transform, weight, start = parts()
    leaves = [items.requires_grad_(), transform.requires_grad_(), weight.clone().requires_grad_()]
    probe = torch.linspace(-1, 1, B * K * D, dtype=torch.float64).view(B, K, D)
    ours = torch.autograd.grad((route(*leaves, start) * probe).sum(), leaves)
    theirs = torch.autograd.grad((written_out(*leaves, start) * probe).sum(), leaves)
    for mine, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-5, atol=1e-7)


def test_no_gradient_reaches_the_first_logits():
    items, transform, weight, start = parts()
    capsules = route(items.requires_grad_(), transform, weight, start.requires_grad_())
    (gradient,) = torch.autograd.grad(capsules.sum(), [start], allow_unused=True)
    assert gradient is None


@settings(max_examples=50)
@given(st.integers(0, 1000), st.floats(0, 100))
def test_a_capsule_is_shorter_than_one(seed, scale):
    items, transform, weight, start = parts(seed)
    assert (route(items * scale, transform, weight, start).norm(dim=-1) < 1).all()


def test_squash_keeps_the_direction_and_maps_the_length():
    h = torch.tensor([[3.0, 4.0], [0.3, -0.4], [0.0, 0.0]])
    expected = torch.tensor([[0.6, 0.8], [0.6, -0.8], [0.0, 0.0]]) * torch.tensor(
        [[25 / 26], [0.25 / 1.25], [0.0]]
    )
    torch.testing.assert_close(squash(h), expected)
    assert (squash(1000 * h).norm(dim=-1) <= 1).all()


def test_what_stands_at_padding_does_not_matter():
    items, transform, weight, start = parts()
    noisy = torch.where(weight[..., None] == 0, 100 * torch.ones_like(items), items)
    assert (weight == 0).any()
    assert torch.equal(route(noisy, transform, weight, start), route(items, transform, weight, start))


def test_more_padding_in_front_does_not_matter():
    items, transform, weight, start = parts(length=4)
    more = torch.full((B, 3, D), 7.0, dtype=torch.float64)
    none = torch.zeros(B, 3, dtype=torch.float64)
    longer = route(
        torch.cat([more, items], 1),
        transform,
        torch.cat([none, weight], 1),
        torch.cat([torch.ones(3, K, dtype=torch.float64), start]),
    )
    torch.testing.assert_close(longer, route(items, transform, weight, start))


def test_no_history_gives_zero_capsules_with_finite_gradients():
    items, transform, weight, start = parts()
    transform.requires_grad_()
    capsules = route(items, transform, torch.zeros_like(weight), start)
    assert (capsules == 0).all()
    capsules.sum().backward()
    assert transform.grad.isfinite().all()


def test_one_capsule_takes_everything():
    items, transform, weight, start = parts(interests=1)
    pooled = torch.einsum("bl,ble->be", weight, items)
    torch.testing.assert_close(route(items, transform, weight, start)[:, 0], squash(pooled @ transform[0].T))


def votes_of(seed=0):
    """Votes with a map for each place, and which places are real."""
    items, _, weight, _ = parts(seed)
    transform = torch.randn(L, K, D, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.einsum("lkde,ble->blkd", transform, items), weight > 0


def votes_written_out(votes, real):
    """ComiRec's algorithm 1 in loops: softmax over interests, logits that add up."""
    capsules = []
    for b in range(B):
        logits, row = torch.zeros(L, K, dtype=votes.dtype), []
        for _ in range(ROUNDS):
            row = []
            for k in range(K):
                h = torch.zeros(D, dtype=votes.dtype)
                for t in range(L):
                    if real[b, t]:
                        h = h + torch.exp(logits[t, k]) / torch.exp(logits[t]).sum() * votes[b, t, k]
                row.append(squash(h))
            logits = logits + torch.einsum("lkd,kd->lk", votes[b].detach(), torch.stack(row).detach())
        capsules.append(torch.stack(row))
    return torch.stack(capsules)


def test_adding_up_equals_the_algorithm_written_out():
    for seed in range(3):
        votes, real = votes_of(seed)
        assert not real.all()
        torch.testing.assert_close(route_votes(votes, real), votes_written_out(votes, real))


def test_adding_up_has_the_gradient_of_the_last_round_alone():
    votes, real = votes_of()
    probe = torch.linspace(-1, 1, B * K * D, dtype=torch.float64).view(B, K, D)
    votes.requires_grad_()
    (ours,) = torch.autograd.grad((route_votes(votes, real) * probe).sum(), [votes])
    (theirs,) = torch.autograd.grad((votes_written_out(votes, real) * probe).sum(), [votes])
    torch.testing.assert_close(ours, theirs)


def test_adding_up_ignores_padding_and_gives_zero_for_no_history():
    votes, real = votes_of()
    noisy = torch.where(real[..., None, None], votes, 100.0)
    assert torch.equal(route_votes(noisy, real), route_votes(votes, real))
    assert not route_votes(votes, torch.zeros_like(real)).any()


def test_under_autocast_routing_stays_precise():
    items, transform, weight, start = (part.float() for part in parts())
    votes = torch.einsum("kde,ble->blkd", transform, items)
    expected = route(items, transform, weight, start), route_votes(votes, weight > 0)
    with torch.autocast("cpu", torch.bfloat16):
        assert (items @ items.transpose(1, 2)).dtype == torch.bfloat16
        found = route(items, transform, weight, start), route_votes(votes, weight > 0)
        # What a layer under autocast hands over is routed in float32.
        rounded = route(items.bfloat16(), transform, weight, start)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(found, expected, strict=True))
    assert torch.equal(rounded, route(items.bfloat16().float(), transform, weight, start))
