"""Models whose vectors come from whole tables that one pass over the graph makes."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from recommender.models.base import Batch, Recommender

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self


class PropagatedRecommender(Recommender):
    """One vector a user and one an item, all made at once by `tables`.

    Where gradients are wanted, and while training, the tables are made anew at each call. In evaluation without gradients
    they are made once and kept until a parameter changes (an optimiser's step, loading), the model moves, or `train()`
    or `eval()` is called, as every evaluation does first. A change that torch does not count, through `parameter.data` or by
    a fused optimiser, is seen after such a call.
    """

    _kept: tuple[tuple[tuple[int, int], ...], tuple[Tensor, Tensor]] | None = None

    @abstractmethod
    def tables(self) -> tuple[Tensor, Tensor]:
        """(U, d) of all users and (I, d) of the whole catalogue; nothing random in evaluation mode."""

    def users(self, batch: Batch) -> Tensor:
        """(B, 1, d)."""
        return self._served()[0][batch.user][:, None]

    def items(self) -> Tensor:
        """(I, d)."""
        return self._served()[1]

    def train(self, mode: bool = True) -> Self:
        """As of any module; tables that were kept are forgotten."""
        self._kept = None
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._kept = None
        moved: Self = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return moved

    def _served(self) -> tuple[Tensor, Tensor]:
        if self.training or torch.is_grad_enabled():
            return self.tables()
        # Torch offers no public count of a tensor's changes.
        now = tuple((p.data_ptr(), p._version) for p in self.parameters())  # noqa: SLF001
        if self._kept is None or self._kept[0] != now:
            # Not as inference tensors: what is kept may later meet a caller who wants gradients of something else.
            with torch.inference_mode(mode=False), torch.no_grad():
                self._kept = now, self.tables()
        return self._kept[1]
