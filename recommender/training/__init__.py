"""Training: examples from histories, one optimiser, checkpoints, any number of ranks."""

from recommender.training.checkpoint import load, save
from recommender.training.config import Epoch, TrainingConfig, TrainingLog
from recommender.training.loop import pick_device, train

__all__ = ["Epoch", "TrainingConfig", "TrainingLog", "load", "pick_device", "save", "train"]
