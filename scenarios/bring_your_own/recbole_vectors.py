"""RECBOLE_PYTHON recbole_vectors.py CHECKPOINT.pth VECTORS.npz: the vectors of a trained RecBole model, with its tokens.

Runs in RecBole's own Python and imports nothing of ours. The file is what `vectors_file.py` serves from. A checkpoint is a
pickle, which can run code: read your own, and none that was sent to you.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from recbole.data import create_dataset, data_preparation
from recbole.data.interaction import Interaction
from recbole.utils import get_model, init_seed

if TYPE_CHECKING:
    from collections.abc import Callable

_CHECKED = 100
"""Users whose scores must be the products of their vectors."""


def _embeddings(model: Any) -> tuple[Any, Any]:
    return model.user_embedding.weight, model.item_embedding.weight


def _propagated(model: Any) -> tuple[Any, Any]:
    users, items = model.forward()
    return users, items


_MODELS: dict[str, Callable[[Any], tuple[Any, Any]]] = {"BPR": _embeddings, "LightGCN": _propagated}
"""How a model's vectors are had: (users, d) and (items, d), by RecBole's numbers."""


@torch.no_grad()
def write_vectors(checkpoint: Path, target: Path) -> str:
    """Write `users` (U, d) and `items` (I, d), float32, with `user_id` (U,) and `item_id` (I,), and say what was written.

    Exits with a message for a model whose score is no product of one vector of the user and one of the item.
    """
    saved = torch.load(checkpoint, map_location="cpu", weights_only=False)
    config = saved["config"]
    config["device"] = torch.device("cpu")
    name = config["model"]
    if name not in _MODELS:
        sys.exit(
            f"{checkpoint}: a model {name}; known are {', '.join(_MODELS)}. If its score is the product of a vector of the "
            "user and one of the item, say in _MODELS where they are; else serve it over HTTP"
        )
    init_seed(config["seed"], config["reproducibility"])
    dataset = create_dataset(config)
    train, _, _ = data_preparation(config, dataset)
    model = get_model(name)(config, train.dataset)
    model.load_state_dict(saved["state_dict"])
    model.load_other_parameter(saved.get("other_parameter"))
    model.eval()
    users, items = _MODELS[name](model)
    _check(model, users, items, config["USER_ID_FIELD"])
    # Number 0 is RecBole's padding.
    tokens = {name: dataset.field2id_token[config[f"{name}_ID_FIELD"]][1:] for name in ("USER", "ITEM")}
    np.savez(
        target,
        users=users[1:].float().numpy(),
        items=items[1:].float().numpy(),
        user_id=np.array(tokens["USER"], dtype=np.str_),
        item_id=np.array(tokens["ITEM"], dtype=np.str_),
    )
    return (
        f"{target}: {name}, {len(users) - 1} users and {len(items) - 1} items, {users.shape[1]} numbers each"
    )


def _check(model: Any, users: Any, items: Any, field: str) -> None:
    """Exits unless the model's own scores are the products."""
    some = torch.arange(1, min(len(users), _CHECKED + 1))
    scored = model.full_sort_predict(Interaction({field: some})).view(len(some), -1)
    if not torch.allclose(scored, users[some] @ items.T, rtol=1e-4, atol=1e-5):
        sys.exit(f"{type(model).__name__}: its scores are not the products of the vectors that were found")


if __name__ == "__main__":
    if len(sys.argv) != 3 or not sys.argv[2].endswith(".npz"):
        sys.exit("usage: RECBOLE_PYTHON recbole_vectors.py CHECKPOINT.pth VECTORS.npz")
    print(write_vectors(Path(sys.argv[1]), Path(sys.argv[2])))
