"""Data parallel training: what one of several ranks does for its share of every batch.

Each rank holds the whole model and the whole train history, takes its rows of every global batch, and the gradients are
summed. Together they take the steps that one process would take with the same global batch, up to rounding and random draws.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import distributed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor, nn


@dataclass(frozen=True)
class Ranks:
    """Which process, among how many that train together."""

    rank: int
    size: int

    @classmethod
    def current(cls) -> Ranks:
        """The process group where there is one, else this process alone."""
        if distributed.is_available() and distributed.is_initialized():
            return cls(distributed.get_rank(), distributed.get_world_size())
        return cls(0, 1)

    @property
    def first(self) -> bool:
        """Whether this rank writes files and speaks."""
        return self.rank == 0

    def seed(self, seed: int) -> int:
        """Of this rank's own draws: the first draws what a process alone would, the others do not repeat it."""
        if self.first:
            return seed
        # Mixed: of a seed torch's generator on a CPU reads the lower 32 bits only.
        return int(np.random.SeedSequence((seed, self.rank)).generate_state(1, np.uint64)[0])

    def batches(self, order: Tensor, size: int) -> list[Tensor]:
        """The examples `order` in global batches of `size`, which is not below the number of ranks.

        No rank may be left without a row: a last batch with fewer rows than there are ranks joins the one before it.
        """
        batches = list(order.split(size))
        if len(batches) > 1 and len(batches[-1]) < self.size:
            batches[-2:] = [torch.cat(batches[-2:])]
        return batches

    def share(self, rows: Tensor) -> Tensor:
        """The rows of a global batch that are for this rank: neighbours, so that rows gathered in rank order are the batch again."""
        return rows if self.size == 1 else rows.tensor_split(self.size)[self.rank]

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over ranks, in place."""
        if self.size > 1:
            distributed.all_reduce(tensor)
        return tensor

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Sum the gradients over ranks, in one message."""
        if self.size == 1:
            return
        # A parameter that one rank's rows do not touch has no gradient there, but may have one elsewhere.
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def align(self, model: nn.Module) -> None:
        """Give every rank the weights and buffers of the first."""
        if self.size > 1:
            for tensor in (*model.parameters(), *model.buffers()):
                distributed.broadcast(tensor.data, src=0)

    def agree(self, text: str) -> str:
        """What the first rank says."""
        words = [text]
        if self.size > 1:
            distributed.broadcast_object_list(words)
        return words[0]

    def collect(self, tensor: Tensor) -> list[Tensor]:
        """The tensor of every rank, in their order; one shape, on the CPU."""
        if self.size == 1:
            return [tensor]
        found: list[Tensor | None] = [None] * self.size
        distributed.all_gather_object(found, tensor)
        return [each for each in found if each is not None]


@contextmanager
def launched_by_torchrun(cuda: bool) -> Iterator[Ranks]:
    """Join the process group of a `torchrun`: NCCL with one GPU each where `cuda`, else gloo; alone without one."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield Ranks(0, 1)
        return
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Ranks.current()
    finally:
        distributed.destroy_process_group()
