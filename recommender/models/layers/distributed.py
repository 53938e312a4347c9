"""What other ranks have of the global batch, for losses that use it whole (in-batch negatives, means over places)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import distributed

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def gather_across(tensor: Tensor) -> Tensor:
    """(n_1 + ... + n_R, ...) the rows (n_r, ...) of all R ranks in their order; the tensor itself where there is one rank.

    Every rank must call it, in the same order; n_r may differ, the rest of the shape and the type may not. Gradients flow
    to the rank a row came from, summed over the ranks that used it. The trainer scales each rank's loss by its share of the
    rows of the batch and sums the gradients, so a loss that is a mean over own rows against all gathered ones is the mean
    over the global batch.
    """
    if not _together():
        return tensor
    apply: Callable[[Tensor], Tensor] = _Gather.apply
    return apply(tensor)


def mean_across(mean: Tensor, places: Tensor, rows: int) -> Tensor:
    """A loss that is a `mean` over the `places` () of this rank's `rows`, made to count by places; itself where there is one rank.

    The trainer scales each rank's loss by its share of the rows of the batch. Where a row has one place or many, the sum over
    ranks would not be the mean over all places. Every rank must call it, in the same order.
    """
    if not _together():
        return mean
    own = torch.stack([places, torch.full_like(places, rows)]).double()
    total = own.clone()
    distributed.all_reduce(total)
    share = own / total
    return mean * (share[0] / share[1]).to(mean.dtype)


def rows_before(tensor: Tensor) -> int:
    """Where this rank's rows begin in what `gather_across` makes of `tensor`."""
    return sum(_row_counts(tensor)[: distributed.get_rank()]) if _together() else 0


def _together() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def _row_counts(tensor: Tensor) -> list[int]:
    own = torch.tensor([len(tensor)], device=tensor.device)
    counts = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
    distributed.all_gather(counts, own)
    return [int(count) for count in counts]


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        counts = _row_counts(tensor)
        rank, longest = distributed.get_rank(), max(counts)
        ctx.first, ctx.rows = sum(counts[:rank]), counts[rank]
        # Collectives want one shape: rows are filled up and the filling is cut away.
        padded = tensor.new_zeros(longest, *tensor.shape[1:])
        padded[: len(tensor)] = tensor
        parts = [torch.empty_like(padded) for _ in counts]
        distributed.all_gather(parts, padded)
        return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # A copy: the gradient that autograd hands over may be an expanded view, or be used elsewhere.
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total[ctx.first : ctx.first + ctx.rows]
