"""Dynamic routing of history items into interest capsules (Eq. 5-8)."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

ROUNDS = 3


def squash(h: Tensor) -> Tensor:
    """Eq. 8: keep the direction, shrink the length to below one."""
    square = h.square().sum(-1, keepdim=True)
    return square / (1 + square) * h / torch.sqrt(square + 1e-9)


def route(items: Tensor, transform: Tensor, weight: Tensor, start: Tensor) -> Tensor:
    """(B, K, d) capsules s_k.

    `items` (B, L, d) are e_t, `transform` (K, d, d) the W_k, `weight` (B, L) is a_t of Eq. 4 and zero at padding,
    `start` (L, K) the first logits. Eq. 6 is a softmax over capsules; the logits of the next round replace the
    last ones (Eq. 7 says r = ..., not r += ...). No gradient flows through the rounds before the last. A user
    without history gets zero capsules.

    Both sums are taken before W_k is applied, sum_t c_tk a_t W_k e_t = W_k sum_t c_tk a_t e_t and
    (W_k e_t).s_k = e_t.(W_k^T s_k), so that nothing of size B x L x K x d is ever made. In float32 at least, also under
    autocast: an error in the logits of one round is fed into the next.
    """
    with _without_autocast(items.device.type):
        items, weight = _precise(items), _precise(weight)
        return _capsules(items, transform, weight, _last_logits(items, transform, weight, start))


def coupling(items: Tensor, transform: Tensor, weight: Tensor, start: Tensor) -> Tensor:
    """(B, L, K) c_tk of Eq. 6 in the last round of `route`, whose arguments these are: how much of place t goes to interest k.

    The K shares of a place sum to one, also at padding, where they mean nothing.
    """
    with _without_autocast(items.device.type):
        items, weight = _precise(items), _precise(weight)
        return torch.softmax(_last_logits(items, transform, weight, start), dim=1).transpose(1, 2)


def _last_logits(items: Tensor, transform: Tensor, weight: Tensor, start: Tensor) -> Tensor:
    # (B, K, L): capsules before places, since a softmax along a last dimension of a few takes ten times as long on a CPU.
    logits = start.T.expand(len(items), -1, -1)
    with torch.no_grad():
        for _ in range(ROUNDS - 1):
            capsules = _capsules(items, transform, weight, logits)
            back = torch.bmm(capsules.transpose(0, 1), transform).transpose(0, 1)
            logits = torch.bmm(back, items.transpose(1, 2))
    return logits


def _without_autocast(device: str) -> AbstractContextManager[object]:
    # The meta device, on which shapes are worked out, has no autocast to switch off.
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()


def _precise(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _capsules(items: Tensor, transform: Tensor, weight: Tensor, logits: Tensor) -> Tensor:
    coupling = torch.softmax(logits, dim=1) * weight[:, None]
    pooled = torch.bmm(coupling, items)
    return squash(torch.bmm(pooled.transpose(0, 1), transform.transpose(1, 2)).transpose(0, 1))


def route_votes(votes: Tensor, real: Tensor) -> Tensor:
    """(B, K, d) capsules of ComiRec-DR: as `route`, but from finished votes, with logits that start at zero and add up.

    `votes` (B, L, K, d) are W_tk e_t, which differ by place t, so no sum can be taken before them; `real` (B, L) is False
    at padding. Starting from zero tells capsules apart only if their votes differ. In float32 at least, as `route`.
    """
    with _without_autocast(votes.device.type):
        votes = _precise(votes)
        present = real[:, None].to(votes.dtype)
        by_capsule = votes.transpose(1, 2)
        logits = votes.new_zeros(by_capsule.shape[:3])
        with torch.no_grad():
            for _ in range(ROUNDS - 1):
                capsules = _pool(by_capsule, torch.softmax(logits, dim=1) * present)
                logits = logits + (by_capsule @ capsules[..., None])[..., 0]
        return _pool(by_capsule, torch.softmax(logits, dim=1) * present)


def _pool(votes: Tensor, coupling: Tensor) -> Tensor:
    """(B, K, d) from votes (B, K, L, d) and coupling (B, K, L)."""
    return squash((coupling[:, :, None] @ votes)[:, :, 0])
