"""The softmax over the catalogue as a training loss: whole, or estimated from negatives that are weighed by logQ.

The loss of an example with interests v_k and target t is -log exp(s_t) / Z with s_i = max_k v_k . e_i / tau and
Z = sum_i exp(s_i). Drawn with replacement from a distribution q, n negatives j estimate the sum over the other items
without bias, sum_{i != t} exp(s_i) = E[1/n sum_j exp(s_j) / q_j], a draw of t itself counting zero: so log(n q_j) is
subtracted from a negative's logit and nothing from the target's, which is always there (Khrylchenko et al. 2025,
arXiv:2507.09331; the older custom of correcting the target too does not approach the softmax as n grows).
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from recommender.data.histories import Histories
from recommender.models.base import ModelError, best_interest, scores, spread_to_best
from recommender.models.layers.distributed import gather_across
from recommender.models.layers.negatives import PopularityNegatives

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.autograd.function import BackwardCFunction, FunctionCtx

Negatives = Literal["full", "in_batch"] | int
"""Against what a target is weighed: the whole catalogue, the batch's other targets, or so many drawn items.

As an option of a model: `negatives: Negatives = field(default="full", metadata={"types": (str, int)})`.
"""

_LOGITS_CPU, _LOGITS = 2**20, 2**23
"""Logits held at a time: on a CPU as many as its last cache takes, elsewhere enough to keep the device busy."""


class CatalogueSoftmax(nn.Module):
    """Mean over examples of -log softmax of the target's best-interest score, Eq. 12, by one of three ways.

    "full": every item, in chunks, so that B x L places over a large catalogue fit. "in_batch": the targets of the
    batch's other users, those of all ranks in data parallel training, q their shares of train; items that the user has in train are masked, so the sum is over the
    items they do not have. A number: so many items drawn with q by popularity, for each example its own or one draw
    `shared` by the batch; the user's items are among them, as they are in the whole softmax.

    ModelError for options out of range.
    """

    def __init__(
        self,
        train: Histories,
        items: int,
        negatives: Negatives = "full",
        *,
        temperature: float = 1.0,
        popularity: float = 0.0,
        shared: bool = False,
        log_q: bool = True,
    ) -> None:
        """`popularity` is the exponent of `PopularityNegatives`, 0 for uniform draws.

        `shared` draws one set of negatives for the whole batch: one product instead of a gather, so thousands cost
        little, but a handful teaches little. `log_q=False` is the plain softmax over the target and its negatives.
        """
        super().__init__()
        if negatives not in ("full", "in_batch") and not (isinstance(negatives, int) and negatives >= 1):
            raise ModelError(
                f'recommender.params.negatives: {negatives!r} is not "full", "in_batch" or a number of at least 1'
            )
        if not temperature > 0:
            raise ModelError(f"recommender.params.temperature: {temperature!r} is not above 0")
        self.negatives, self.temperature = negatives, temperature
        self.shared, self.log_q = shared, log_q
        if negatives == "in_batch":
            # Kept out of the state dict: they are train data, not parameters.
            self.register_buffer("start", train.start, persistent=False)
            self.register_buffer("item", train.item, persistent=False)
            count = torch.bincount(train.item, minlength=items).clamp(min=1)
            self.register_buffer("log_share", (count / max(len(train.item), 1)).log(), persistent=False)
            self.start: Tensor
            self.item: Tensor
            self.log_share: Tensor
        elif negatives != "full":
            self.sampler = PopularityNegatives(train, items, popularity)

    def forward(self, vectors: Tensor, table: Tensor, target: Tensor, user: Tensor) -> Tensor:
        """Scalar. `vectors` (N, K, d), `table` (I, d) of the whole catalogue, `target` and `user` (N,) int64."""
        if self.negatives == "full":
            return softmax_loss(vectors, table, target, self.temperature)
        positive = _best(vectors, table[target][:, None])[:, 0]
        if self.negatives == "in_batch":
            # The table is whole on every rank, so numbers of items and users are all that ranks exchange.
            offered, by = gather_across(target), gather_across(user)
            negative = scores(vectors, table[offered])
            other = user[:, None] != by
            log_count = other.sum(1, keepdim=True).clamp(min=1).log() + self.log_share[offered]
            left_out = ~other | (target[:, None] == offered) | self._has(user, offered)
        else:
            drawn = self.sampler.draw((self._count,) if self.shared else (len(target), self._count))
            negative = scores(vectors, table[drawn]) if self.shared else _best(vectors, table[drawn])
            log_count = math.log(self._count) + self.sampler.log_q[drawn]
            left_out = drawn == target[:, None]
        if not self.log_q:
            log_count = torch.zeros_like(log_count)
        return sampled_softmax_loss(
            positive / self.temperature, negative / self.temperature, log_count, left_out
        )

    @property
    def _count(self) -> int:
        assert isinstance(self.negatives, int)
        return self.negatives

    def _has(self, user: Tensor, item: Tensor) -> Tensor:
        """(N, M) whether each of `user` (N,) has each of `item` (M,) in train; no mask over the catalogue is made."""
        known, place = torch.unique(item, return_inverse=True)
        row, taken = Histories(self.start, self.item).entries(user)
        column = torch.searchsorted(known, taken).clamp(max=len(known) - 1)
        same = known[column] == taken
        has = torch.zeros(len(user), len(known), dtype=torch.bool, device=user.device)
        has[row[same], column[same]] = True
        return has[:, place]


def softmax_loss(vectors: Tensor, table: Tensor, target: Tensor, temperature: float = 1.0) -> Tensor:
    """Scalar: mean of -log softmax over all items of max_k v_k . e_i / tau, without ever holding all logits.

    `vectors` (N, K, d), `table` (I, d), `target` (N,) int64. Softmax and sums are in float32 at least.
    """
    apply: Callable[..., Tensor] = _ChunkedSoftmax.apply  # which torch leaves untyped
    return apply(vectors, table, target, temperature)


def sampled_softmax_loss(positive: Tensor, negative: Tensor, log_count: Tensor, left_out: Tensor) -> Tensor:
    """Scalar: mean of -log exp(s_t) / (exp(s_t) + sum_j exp(s_j) / (n q_j)).

    `positive` (N,) are s_t and `negative` (N, n) s_j, `log_count` log(n q_j), how often j is expected among the draws,
    and `left_out` True where a draw counts as zero; these two broadcast to (N, n).
    """
    weighed = (negative.float() - log_count).masked_fill(left_out, -torch.inf)
    target = positive.float()
    return (torch.cat([target[:, None], weighed], dim=1).logsumexp(1) - target).mean()


def _best(vectors: Tensor, own: Tensor) -> Tensor:
    """(N, n) best-interest scores of `vectors` (N, K, d) for each one's own items (N, n, d)."""
    return best_interest(torch.bmm(vectors, own.transpose(1, 2)))


class _ChunkedSoftmax(torch.autograd.Function):
    """Takes the gradient of a chunk of rows while their logits are there, so that they are made once and kept never."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, vectors: Tensor, table: Tensor, target: Tensor, temperature: float
    ) -> Tensor:
        count, interests, width = vectors.shape
        precise = torch.promote_types(vectors.dtype, torch.float32)
        total = vectors.new_zeros((), dtype=precise)
        of_vectors = torch.empty_like(vectors)
        of_table = torch.zeros_like(table)
        held = _LOGITS_CPU if vectors.device.type == "cpu" else _LOGITS
        rows = max(1, held // max(1, interests * len(table)))
        for begin in range(0, count, rows):
            chosen = vectors[begin : begin + rows]
            wanted = target[begin : begin + rows, None]
            # Interests first: each one's logits are then one block, to be compared and filled without strides.
            flat = chosen.transpose(0, 1).reshape(-1, width)
            product = (flat @ table.T).view(interests, len(chosen), len(table))
            best = functools.reduce(torch.maximum, product.unbind())
            logits = best.to(precise)
            if temperature != 1 or interests > 1:
                # Of several interests it has to be told below which was the best.
                logits = logits / temperature
            own = logits.gather(1, wanted)
            peak = logits.amax(1, keepdim=True)
            # One exponential is both the sum and, over it, the gradient.
            weight = logits.sub_(peak).exp_()
            z = weight.sum(1, keepdim=True)
            total += (z.log() + peak - own).sum()
            # d loss / d s = softmax - one hot of the target.
            slope = weight.div_(z * (temperature * count))
            slope.scatter_add_(1, wanted, slope.new_full(wanted.shape, -1 / (temperature * count)))
            if interests == 1:
                product = slope.to(product.dtype)[None]
            else:
                spread_to_best(product.unbind(), best, slope, product.unbind())
            slopes = product.view(-1, len(table))
            of_vectors[begin : begin + rows] = (slopes @ table).view(interests, -1, width).transpose(0, 1)
            of_table += slopes.T @ flat
        ctx.save_for_backward(of_vectors, of_table)
        return total / count

    @staticmethod
    @once_differentiable
    def backward(ctx: BackwardCFunction, outer: Tensor) -> tuple[Tensor, Tensor, None, None]:
        saved: tuple[Tensor, ...] = ctx.saved_tensors
        of_vectors, of_table = saved
        return of_vectors * outer.to(of_vectors.dtype), of_table * outer.to(of_table.dtype), None, None
