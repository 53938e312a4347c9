"""Which model of ours stands beside which of a peer, and with what options: as equal as both can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

LIBRARIES = ("recbole", "cornac")
DIM = 64
_BATCH = 8192
_HISTORY = 20


@dataclass(frozen=True)
class Pairing:
    """One model of ours beside one of a peer."""

    package: str
    theirs: str
    options: Mapping[str, Any]
    """Of theirs, in the peer's words."""
    ours: str
    params: Mapping[str, Any]
    """Of ours."""
    data: str
    """The data set that is taken where none is asked for."""
    batch: int
    """Train targets a step."""
    learning_rate: float
    negatives: int = 5
    """Drawn for each target, as the paper has it (section IV-A); cornac draws one. 0 for the softmax over the catalogue."""
    history: int = 0
    """Items that a sequential model reads; 0 for others."""
    features: bool = False
    """Whether it reads features of items."""


PAIRINGS = {
    "recbole-bpr": Pairing(
        "recbole",
        "BPR",
        {"embedding_size": DIM},
        "bprmf",
        {"dim": DIM},
        "ml-1m",
        _BATCH,
        5e-3,
    ),
    "recbole-lightgcn": Pairing(
        "recbole",
        "LightGCN",
        {"embedding_size": DIM, "n_layers": 2},
        "lightgcn",
        {"dim": DIM, "layers": 2},
        "ml-1m",
        _BATCH,
        5e-3,
    ),
    "recbole-sasrec": Pairing(
        "recbole",
        "SASRec",
        {
            "hidden_size": DIM,
            "inner_size": DIM,
            "MAX_ITEM_LIST_LENGTH": _HISTORY,
            "n_layers": 2,
            "n_heads": 2,
            "hidden_dropout_prob": 0.4,
            "attn_dropout_prob": 0.4,
            "hidden_act": "relu",
            "loss_type": "CE",
        },
        "sasrec",
        {"dim": DIM, "history": _HISTORY, "blocks": 2, "heads": 2, "dropout": 0.4},
        "amazon-beauty",
        2048,
        1e-3,
        negatives=0,
        history=_HISTORY,
    ),
    "cornac-vbpr": Pairing(
        "cornac",
        "VBPR",
        {"k": DIM, "k2": DIM},
        "vbpr",
        {"dim": DIM, "visual_dim": DIM},
        "ml-1m",
        _BATCH,
        5e-3,
        negatives=1,
        features=True,
    ),
}
"""By the name of the peer in the result."""
