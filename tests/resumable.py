"""A small training that draws random numbers in every step; as a script it kills itself in the third epoch."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch
from recommender_doubles import interactions

from recommender.models import build
from recommender.testing import toy_inputs, toy_profile
from recommender.training import TrainingConfig, train

CONFIG = TrainingConfig(
    max_epochs=5, batch_size=64, learning_rate=0.02, warmup_steps=7, schedule="cosine", clip_norm=0.5, seed=3
)
HELD_OUT = interactions([(user, 12 * (user % 3) + user % 12, 5, 9) for user in range(48)])


def build_toy(dim=8, temperature=None, moved=False):
    """A model and its inputs, the same in every process."""
    torch.manual_seed(0)
    inputs = toy_inputs()
    if moved:
        inputs.train.item[:] = inputs.train.item.flip(0)
    name, params = ("bprmf", {}) if temperature is None else ("uim", {"temperature": temperature})
    return build(name, {"dim": dim, **params}, inputs), inputs


def weights(model):
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def killed_in_the_third(step, steps, note):
    if "epoch 3," in note:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    torch.set_num_threads(1)
    model, inputs = build_toy()
    train(
        model,
        inputs.train,
        toy_profile(inputs),
        HELD_OUT,
        CONFIG,
        killed_in_the_third,
        Path(sys.argv[1]),
    )
