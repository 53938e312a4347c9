"""Features of one kind for every item, with a mask: what an item lacks is said, never shown as a vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from recommender.data.dataset import DataError

if TYPE_CHECKING:
    from torch import Tensor

_TOLERANCE = 1e-4
"""How far a length of one may be from one."""
_ROWS = 4096
"""Rows normalised at a time, in float64."""


@dataclass(frozen=True)
class Modality:
    """One vector an item: its text, its picture, anything an encoder makes of it.

    Rows of `vectors` have length one where `present` and are zero elsewhere, so a linear map without bias adds nothing for
    an item without the modality; anything else has to look at the mask. DataError where the values break this.
    """

    name: str
    """What reports call it: "text", "visual"."""
    vectors: Tensor
    """(I, d) float32."""
    present: Tensor
    """(I,) bool; False for an item that has no such text or picture, or none that can be read."""

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or self.present.shape != self.vectors.shape[:1]:
            raise DataError(
                f"{self.name}: vectors (I, d) and their mask (I,) expected, not of shapes "
                f"{tuple(self.vectors.shape)} and {tuple(self.present.shape)}"
            )
        if self.vectors.dtype != torch.float32 or self.present.dtype != torch.bool:
            raise DataError(
                f"{self.name}: float32 vectors and a bool mask expected, not {self.vectors.dtype} "
                f"and {self.present.dtype}"
            )
        length = torch.linalg.vector_norm(self.vectors, dim=1)
        # Written so that NaN is wrong too.
        right = (length - 1).abs() <= _TOLERANCE
        if not (wrong := self.present & ~right).logical_not().all():
            row = _first(wrong)
            raise DataError(f"{self.name}: the vector of item {row} has length {length[row]:g}, not 1")
        if (wrong := ~self.present & (length != 0)).any():
            raise DataError(f"{self.name}: item {_first(wrong)} is marked as missing but has a vector")

    @classmethod
    def of(cls, name: str, vectors: Tensor, present: Tensor) -> Modality:
        """The vectors of present items scaled to length one, whatever stands elsewhere set to zero.

        DataError where a present vector is zero or not finite: it has no direction.
        """
        unit = torch.zeros(vectors.shape, dtype=torch.float32)
        rows = present.nonzero()[:, 0]
        for chunk in rows.split(_ROWS):
            part = vectors[chunk].double()
            largest = part.abs().amax(dim=1, keepdim=True) if part.shape[1] else part.new_zeros(len(part), 1)
            if not (bad := (largest > 0) & largest.isfinite()).all():
                row = int(chunk[_first(~bad[:, 0])])
                raise DataError(f"{name}: the vector of item {row} is zero or not finite")
            # By the largest entry first: squares of very small or very large ones leave float64.
            part /= largest
            unit[chunk] = (part / torch.linalg.vector_norm(part, dim=1, keepdim=True)).float()
        return cls(name, unit, present)

    @property
    def dim(self) -> int:
        """d, the width of a vector."""
        return self.vectors.shape[1]

    @property
    def missing_share(self) -> float:
        """Share of the items without the modality; 0 for an empty catalogue."""
        return float((~self.present).double().mean()) if len(self.present) else 0.0

    def to(self, device: torch.device | str) -> Modality:
        """The same features on another device."""
        return Modality(self.name, self.vectors.to(device), self.present.to(device))


def _first(mask: Tensor) -> int:
    return int(mask.nonzero()[0, 0])
