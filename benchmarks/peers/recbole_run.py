"""One model of RecBole on the exported split, epoch by epoch on command. Runs in RecBole's own Python."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from answering import Clock, Conversation, run
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PARTS = ("train", "valid", "test")


class _RecBole:
    """What RecBole's `run_recbole` sets up and its trainer's `fit` does, one step at a time."""

    def __init__(self, settings: dict[str, Any]) -> None:
        folder, sequences = Path(settings["folder"]), settings["sequences"]
        negatives = settings["negatives"]
        drawn = {
            "distribution": "uniform",
            "sample_num": negatives,
            "alpha": 1.0,
            "dynamic": False,
            "candidate_num": 0,
        }
        self.config = Config(
            model=settings["model"],
            dataset="sequences" if sequences else "split",
            config_dict={
                "data_path": str(folder),
                "checkpoint_dir": str(folder / "saved"),
                "benchmark_filename": list(_PARTS),
                "load_col": {"inter": ["user_id", "item_id", *(["item_id_list"] if sequences else [])]},
                "alias_of_item_id": ["item_id_list"] if sequences else None,
                "eval_args": {"order": "TO", "mode": "full", "group_by": "user"},
                "metrics": ["Hit", "NDCG"],
                "topk": settings["cutoffs"],
                "valid_metric": f"NDCG@{settings['cutoffs'][0]}",
                "epochs": 1,
                "seed": settings["seed"],
                "use_gpu": False,
                "state": "ERROR",
                "show_progress": False,
                "learning_rate": settings["learning_rate"],
                # Which counts a target once for each of its negatives.
                "train_batch_size": settings["batch"] * max(negatives, 1),
                "train_neg_sample_args": drawn if negatives else None,
                **settings["options"],
            },
        )
        init_seed(self.config["seed"], self.config["reproducibility"])
        dataset = create_dataset(self.config)
        self.rows = dict(zip(_PARTS, map(int, dataset.file_size_list), strict=True))
        self.users, self.items = dataset.user_num - 1, dataset.item_num - 1
        self.item = _numbers(dataset.field2id_token["item_id"])
        self.user = _numbers(dataset.field2id_token["user_id"])
        shipped_batch = self.config["eval_batch_size"]
        # A loader of users counts a batch in scores, one of sequences in users.
        self.config["eval_batch_size"] = settings["eval_users"] * (1 if sequences else dataset.item_num)
        self.train, self.valid, self.test = data_preparation(self.config, dataset)
        self.config["eval_batch_size"] = shipped_batch
        # Made anew: torch's loader keeps the batch that it was made with, whatever `update_config` says.
        self.shipped = type(self.test)(self.config, self.test.dataset, self.test._sampler)  # noqa: SLF001
        self.seen = _seen(folder / "split") if sequences else None
        init_seed(self.config["seed"], self.config["reproducibility"])
        self.model = get_model(self.config["model"])(self.config, self.train.dataset)
        self.trainer = get_trainer(self.config["MODEL_TYPE"], self.config["model"])(self.config, self.model)
        self.trainer.eval_collector.data_collect(self.train)
        self.trainer.tot_item_num = dataset.item_num
        self.number = 0
        self.best: dict[str, torch.Tensor] = {}
        self.width = max(settings["cutoffs"])

    def epoch(self) -> Mapping[str, Any]:
        """One epoch of training, without validation."""
        clock = Clock()
        self.trainer._train_epoch(self.train, self.number)  # noqa: SLF001 - what `fit` calls
        seconds = clock.read()
        self.number += 1
        return {"seconds": seconds}

    def evaluate(self, *, shipped: bool = False) -> Mapping[str, Any]:
        """Evaluate test as RecBole itself does; `shipped` with its default batch."""
        loader = self.shipped if shipped else self.test
        clock = Clock()
        result = self.trainer.evaluate(loader, load_best_model=False)
        return {"seconds": clock.read(), "reported": {k: float(v) for k, v in result.items()}}

    @torch.no_grad()
    def rank(self, phase: str, to: str) -> Mapping[str, Any]:
        """Write the best items of every user of `phase`, without those that are masked."""
        loader = self.valid if phase == "validation" else self.test
        self.model.eval()
        users, items, scores = [], [], []
        for batch in loader:
            interaction, scored, _, _ = self.trainer._full_sort_batch_eval(batch)  # noqa: SLF001 - what `evaluate` calls
            user = self.user[interaction["user_id"].numpy()]
            named = np.full((len(user), self.items), -np.inf, dtype=np.float32)
            # Column 0 is padding.
            named[:, self.item[1:]] = scored.numpy()[:, 1:]
            if self.seen is not None:
                for row, each in enumerate(user):
                    named[row, self.seen[phase][each]] = -np.inf
            value, item = torch.from_numpy(named).topk(min(self.width, self.items))
            users.append(user)
            items.append(item.numpy())
            scores.append(value.numpy())
        np.savez(to, user=np.concatenate(users), item=np.concatenate(items), score=np.concatenate(scores))
        return {}

    def keep(self) -> Mapping[str, Any]:
        """Remember the weights."""
        self.best = {name: value.clone() for name, value in self.model.state_dict().items()}
        return {}

    def restore(self) -> Mapping[str, Any]:
        """Go back to the weights that were kept."""
        self.model.load_state_dict(self.best)
        if hasattr(self.model, "restore_user_e"):
            # LightGCN keeps what it propagated until the next loss.
            self.model.restore_user_e = self.model.restore_item_e = None
        return {}


def _numbers(tokens: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Our row numbers, by RecBole's; of its padding -1."""
    return np.array([-1, *(int(token) for token in tokens[1:])], dtype=np.int64)


def _seen(folder: Path) -> dict[str, dict[int, np.ndarray[Any, np.dtype[np.int64]]]]:
    """By phase, the items of each user that are masked: RecBole masks nothing for a sequential model."""
    parts = [pd.read_csv(folder / f"split.{part}.inter", sep="\t") for part in ("train", "valid")]

    def by_user(table: pd.DataFrame) -> Iterator[tuple[int, np.ndarray[Any, np.dtype[np.int64]]]]:
        for user, rows in table.groupby("user_id:token")["item_id:token"]:
            yield int(user), rows.to_numpy()

    return {"validation": dict(by_user(parts[0])), "test": dict(by_user(pd.concat(parts)))}


def _main(conversation: Conversation, settings: dict[str, Any]) -> None:
    torch.set_num_threads(settings["threads"])
    peer = _RecBole(settings)
    packages = ("recbole", "torch", "numpy", "scipy", "pandas")
    conversation.say(
        {
            "versions": {name: version(name) for name in packages},
            "threads": torch.get_num_threads(),
            "users": peer.users,
            "items": peer.items,
            "rows": peer.rows,
        }
    )
    conversation.serve(
        {
            "epoch": peer.epoch,
            "evaluate": peer.evaluate,
            "rank": peer.rank,
            "keep": peer.keep,
            "restore": peer.restore,
        }
    )


if __name__ == "__main__":
    run(_main)
