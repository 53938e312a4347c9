"""A small training as `torchrun` starts it, each rank writing what became of its models to a folder."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from recommender_doubles import interactions
from torch import nn
from torch.nn import functional

from recommender.models import Recommender, build
from recommender.models.layers.distributed import gather_across, rows_before
from recommender.testing import toy_inputs, toy_profile
from recommender.training import TrainingConfig, train
from recommender.training.distributed import launched_by_torchrun

HELD_OUT = interactions([(user, 12 * (user % 3) + user % 12, 5, 9) for user in range(47)])
MODELS = ("uim", "uim in batch", "bprmf", "sasrec", "two_ranks:InBatch")
# 75 does not divide the examples: the last batch of an epoch is shorter, and odd.
CONFIG = TrainingConfig(max_epochs=3, batch_size=75, learning_rate=0.02, clip_norm=0.5, seed=5)


PARAMS = {
    "uim": {"dim": 8, "history": 6},
    "uim in batch": {"dim": 8, "history": 6, "negatives": "in_batch"},
    "bprmf": {"dim": 8},
    # Rows have one target to four, so ranks with as many rows have not as many targets.
    "sasrec": {"dim": 8, "history": 4, "dropout": 0.0},
}


@dataclass(frozen=True)
class InBatchConfig:
    """No options."""


class InBatch(Recommender):
    """A softmax over the targets of the global batch, all ranks together."""

    Config = InBatchConfig

    def __init__(self, config, inputs):
        super().__init__()
        self.user = nn.Embedding(inputs.users, 8)
        self.item = nn.Embedding(inputs.items, 8)
        self.unused = nn.Parameter(torch.ones(2))

    def loss(self, batch):
        own = self.item(batch.target)
        place = rows_before(own) + torch.arange(len(own))
        return functional.cross_entropy(self.user(batch.user) @ gather_across(own).T, place)

    def users(self, batch):
        return self.user(batch.user)[:, None]

    def items(self):
        return self.item.weight


def together(name, config=CONFIG, checkpoint=None, progress=lambda *said: None):
    """Weights and log of a training in the present process group."""
    torch.manual_seed(0)
    inputs = toy_inputs()
    model = build(name.split()[0], PARAMS.get(name, {}), inputs)
    if name == "bprmf":
        # Random draws differ between one process and two; here only the user decides.
        model.pairwise.sampler.draw = lambda user, count: (user[:, None] + torch.arange(count)) % inputs.items
    log = train(model, inputs.train, toy_profile(inputs), HELD_OUT, config, progress, checkpoint)
    return model.state_dict(), ([epoch.loss for epoch in log.epochs], [epoch.ndcg for epoch in log.epochs])


def _stop(step, steps, note):
    if "epoch 2," in note:
        raise KeyboardInterrupt


if __name__ == "__main__":
    torch.set_num_threads(1)
    out = Path(sys.argv[1])
    with launched_by_torchrun(cuda=False) as ranks:
        results = {name: together(name) for name in MODELS}
        # The sampler of this one draws at random, other draws on each rank.
        torch.manual_seed(0)
        inputs = toy_inputs()
        for key, progress in (("whole", None), ("stopped", _stop), ("resumed", None)):
            torch.manual_seed(ranks.rank if key == "resumed" else 0)
            model = build("bprmf", {"dim": 8}, inputs)
            path = None if key == "whole" else out / "checkpoint.pt"
            try:
                train(
                    model,
                    inputs.train,
                    toy_profile(inputs),
                    HELD_OUT,
                    CONFIG,
                    progress or (lambda *said: None),
                    path,
                )
            except KeyboardInterrupt:
                torch.distributed.barrier()
            results[key] = model.state_dict()
        torch.save(results, out / f"{ranks.rank}.pt")
