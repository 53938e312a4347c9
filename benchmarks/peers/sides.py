"""Ours and theirs behind one interface, so that both are driven by the same rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import torch

from benchmarks.peers.answering import Clock
from benchmarks.peers.exchange import PeerError
from recommender.data.histories import Histories
from recommender.evaluation import Ranking, evaluate, rank_targets
from recommender.training.distributed import Ranks
from recommender.training.examples import Examples
from recommender.training.optimisation import Optimisation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from benchmarks.peers.exchange import PeerProcess
    from recommender.data.splitting import Split
    from recommender.models import Recommender
    from recommender.training import TrainingConfig


class Seconds(NamedTuple):
    """What something took."""

    wall: float
    cpu: float
    """Processor time: with one thread, and whoever else is on the machine."""


class Side(Protocol):
    """A model in training on one split."""

    def epoch(self) -> Seconds:
        """Train one pass over the train targets, without validation."""

    def evaluate(self) -> Seconds:
        """Evaluate test by full ranking with the library's own evaluator, at all cut-offs."""

    def ranking(self, phase: str) -> Ranking:
        """The best items of the users with targets in "validation" or "test", what was seen before left out."""

    def keep(self) -> None:
        """Remember the weights."""

    def restore(self) -> None:
        """Go back to the weights that were kept."""


class Ours:
    """A model of this project, trained as `recommender.training.train` does, an epoch at a time."""

    def __init__(
        self, model: Recommender, split: Split, config: TrainingConfig, cutoffs: Sequence[int]
    ) -> None:
        users = len(split.dataset.users)
        self._model, self._split, self._config, self._cutoffs = model, split, config, cutoffs
        self._history = {phase: Histories.of(split.history(phase), users) for phase in ("validation", "test")}
        # None of the compared models reads a profile.
        self._profile = torch.zeros(users, 0, dtype=torch.int64)
        torch.manual_seed(config.seed)
        self._shuffle = torch.Generator().manual_seed(config.seed)
        self._examples = Examples(model, self._history["validation"], self._profile)
        self._ranks = Ranks.current()
        self.steps = -(-len(self._examples) // config.batch_size)
        self._optimisation = Optimisation(model, config, self.steps * config.max_epochs, self._ranks)
        self._taken = 0
        self._best: dict[str, Tensor] = {}

    def epoch(self) -> Seconds:
        """As of a side."""
        clock = Clock()
        self._model.train()
        order = torch.randperm(len(self._examples), generator=self._shuffle)
        for batch in self._ranks.batches(order, self._config.batch_size):
            rows = batch.sort().values
            self._optimisation.step(self._examples.batch(rows), self._taken, 1.0)
            self._taken += 1
        return Seconds(**clock.read())

    def evaluate(self) -> Seconds:
        """As of a side."""
        clock = Clock()
        evaluate(self._model, self._history["test"], self._profile, self._split.test, self._cutoffs)
        return Seconds(**clock.read())

    def ranking(self, phase: str) -> Ranking:
        """As of a side."""
        targets = self._split.targets(phase)
        return rank_targets(self._model, self._history[phase], self._profile, targets, max(self._cutoffs))

    def keep(self) -> None:
        """As of a side."""
        self._best = {name: value.detach().clone() for name, value in self._model.state_dict().items()}

    def restore(self) -> None:
        """As of a side."""
        self._model.load_state_dict(self._best)


class Theirs:
    """A peer's model, in its own process."""

    def __init__(self, process: PeerProcess, folder: Path) -> None:
        self._process, self._lists = process, folder / "lists.npz"
        self.reported: dict[str, Any] = {}
        """What the peer's evaluator last said of test, in its own terms."""

    def epoch(self) -> Seconds:
        """As of a side."""
        return Seconds(**self._process.ask("epoch")["seconds"])

    def evaluate(self) -> Seconds:
        """As of a side."""
        answer = self._process.ask("evaluate")
        self.reported = answer["reported"]
        return Seconds(**answer["seconds"])

    def evaluate_as_shipped(self) -> Seconds:
        """With the peer's own default of users scored at a time."""
        return Seconds(**self._process.ask("evaluate", shipped=True)["seconds"])

    def ranking(self, phase: str) -> Ranking:
        """As of a side."""
        self._process.ask("rank", phase=phase, to=str(self._lists))
        with np.load(self._lists) as lists:
            order = np.argsort(lists["user"], kind="stable")
            user, item, score = (lists[name][order] for name in ("user", "item", "score"))
        if (np.diff(user) <= 0).any() or item.shape != score.shape or len(item) != len(user):
            raise PeerError("the peer's lists are not one for each user")
        return Ranking(user.astype(np.int64), item.astype(np.int64), score.astype(np.float32))

    def keep(self) -> None:
        """As of a side."""
        self._process.ask("keep")

    def restore(self) -> None:
        """As of a side."""
        self._process.ask("restore")
