"""VBPR of cornac on the exported split, epoch by epoch on command. Runs in cornac's own Python.

Its `fit` trains all epochs in one call and has the weights in local variables. It asks its data for the batches of each
epoch, though: there the commands are answered, and the weights are those that the optimiser was last seen to step.
"""

from __future__ import annotations

from collections import OrderedDict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from answering import Clock, Conversation, run
from cornac.data import Dataset, ImageModality
from cornac.eval_methods.base_method import ranking_eval
from cornac.metrics import NDCG, HitRatio
from cornac.models import VBPR
from torch.optim.optimizer import register_optimizer_step_post_hook

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PARTS = ("train", "valid", "test")
_ENDLESS = 10**9


class _Cornac:
    """A model in training, seen between two epochs."""

    def __init__(self, conversation: Conversation, settings: dict[str, Any]) -> None:
        self.conversation, self.settings = conversation, settings
        folder = Path(settings["folder"])
        rows = {
            part: np.loadtxt(
                folder / "split" / f"split.{part}.inter",
                dtype=np.int64,
                delimiter="\t",
                skiprows=1,
                usecols=(0, 1),
            )
            for part in _PARTS
        }
        self.features = np.load(folder / "features.npy")
        pairs = np.concatenate([rows[part] for part in _PARTS])
        # Known beforehand, so that cornac numbers users and items as we do.
        users = OrderedDict((number, number) for number in range(int(pairs[:, 0].max()) + 1))
        items = OrderedDict((number, number) for number in range(len(self.features)))
        self.data = {
            part: Dataset.build(
                [(user, item, 1.0) for user, item in rows[part].tolist()],
                global_uid_map=users,
                global_iid_map=items,
                seed=settings["seed"],
            )
            for part in _PARTS
        }
        pictures = ImageModality(features=self.features, ids=list(items), normalized=False)
        self.train = self.data["train"]
        self.train.add_modalities(item_image=pictures.build(id_map=items))
        self.model = VBPR(
            n_epochs=_ENDLESS,
            batch_size=settings["batch"],
            learning_rate=settings["learning_rate"],
            seed=settings["seed"],
            verbose=False,
            **settings["options"],
        )
        self.width = max(settings["cutoffs"])
        self.weights: list[torch.Tensor] = []
        self.best: list[torch.Tensor] = []

    def fit(self) -> None:
        """Train until there are no more commands."""
        batches = self.train.uij_iter
        commands = {"evaluate": self.evaluate, "rank": self.rank, "keep": self.keep, "restore": self.restore}

        def gated(batch_size: int, *, shuffle: bool = False) -> Iterator[Any]:
            self.conversation.serve(commands, until="epoch")
            clock = Clock()
            # Asked for more than the last batch, cornac has taken the last step.
            yield from batches(batch_size, shuffle=shuffle)
            self.conversation.say({"seconds": clock.read()})

        self.train.uij_iter = gated
        register_optimizer_step_post_hook(self._saw)
        self.model.fit(self.train)

    def evaluate(self) -> Mapping[str, Any]:
        """Evaluate test as cornac itself does."""
        self._publish()
        metrics = [kind(k=k) for kind in (HitRatio, NDCG) for k in self.settings["cutoffs"]]
        clock = Clock()
        values, _ = ranking_eval(
            self.model, metrics, self.train, self.data["test"], self.data["valid"], exclude_unknowns=False
        )
        seconds = clock.read()
        names = [metric.name.lower() for metric in metrics]
        return {"seconds": seconds, "reported": dict(zip(names, map(float, values), strict=True))}

    def rank(self, phase: str, to: str) -> Mapping[str, Any]:
        """Write the best items of every user of `phase`, without those that are masked."""
        self._publish()
        part, known = ("valid", ["train"]) if phase == "validation" else ("test", ["train", "valid"])
        users = np.unique(self.data[part].uir_tuple[0])
        seen = [self.data[each].csr_matrix for each in known]
        width = min(self.width, len(self.features))
        item = np.zeros((len(users), width), dtype=np.int64)
        value = np.zeros((len(users), width), dtype=np.float32)
        for row, user in enumerate(users):
            scores = self.model.score(user).astype(np.float32)
            for matrix in seen:
                scores[matrix.indices[matrix.indptr[user] : matrix.indptr[user + 1]]] = -np.inf
            item[row] = np.argsort(-scores, kind="stable")[:width]
            value[row] = scores[item[row]]
        np.savez(to, user=users, item=item, score=value)
        return {}

    def keep(self) -> Mapping[str, Any]:
        """Remember the weights."""
        self.best = [weight.detach().clone() for weight in self.weights]
        return {}

    def restore(self) -> Mapping[str, Any]:
        """Go back to the weights that were kept."""
        for weight, best in zip(self.weights, self.best, strict=True):
            weight.data.copy_(best)
        return {}

    def _saw(self, optimiser: torch.optim.Optimizer, *_: object) -> None:
        self.weights = optimiser.param_groups[0]["params"]

    def _publish(self) -> None:
        """Give the model the weights as the end of its `fit` does."""
        model = self.model
        bias, user, item, visual_user, matrix, shared = (weight.detach().numpy() for weight in self.weights)
        model.beta_item, model.gamma_user, model.gamma_item, model.theta_user = bias, user, item, visual_user
        model.emb_matrix, model.beta_prime = matrix, shared
        model.theta_item = self.features @ matrix
        model.visual_bias = (self.features @ shared).ravel()


def _main(conversation: Conversation, settings: dict[str, Any]) -> None:
    torch.set_num_threads(settings["threads"])
    peer = _Cornac(conversation, settings)
    conversation.say(
        {
            "versions": {name: version(name) for name in ("cornac", "torch", "numpy", "scipy")},
            "threads": torch.get_num_threads(),
            "users": peer.train.num_users,
            "items": peer.train.num_items,
            "rows": {part: len(peer.data[part].uir_tuple[0]) for part in _PARTS},
        }
    )
    peer.fit()


if __name__ == "__main__":
    run(_main)
