"""The recommenders, by name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from recommender.models.base import Batch, Inputs, ModelError, Recommender, configure, scores
from recommender.models.bprmf import BPRMF
from recommender.models.comirec import ComiRec
from recommender.models.ease import EASE, EASERecent
from recommender.models.itemknn import ItemKNN
from recommender.models.lightgcn import LightGCN
from recommender.models.mcln import MCLN
from recommender.models.mmgcl import MMGCL
from recommender.models.mmgcn import MMGCN
from recommender.models.popularity import Popularity
from recommender.models.sasrec import SASRec
from recommender.models.svdpp import SVDpp
from recommender.models.uim import FaithfulUiM, UiM
from recommender.models.umi import UMI
from recommender.models.vbpr import VBPR

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "REGISTRY",
    "Batch",
    "Inputs",
    "ModelError",
    "Recommender",
    "build",
    "configure",
    "model_class",
    "scores",
]

REGISTRY: dict[str, type[Recommender]] = {
    "popularity": Popularity,
    "itemknn": ItemKNN,
    "ease": EASE,
    "ease-recent": EASERecent,
    "bprmf": BPRMF,
    "svdpp": SVDpp,
    "vbpr": VBPR,
    "lightgcn": LightGCN,
    "mmgcn": MMGCN,
    "mmgcl": MMGCL,
    "mcln": MCLN,
    "sasrec": SASRec,
    "comirec": ComiRec,
    "umi": UMI,
    "uim": UiM,
    "uim-faithful": FaithfulUiM,
}


def model_class(name: str) -> type[Recommender]:
    """The class behind a registered name or a `module:Class` path; ModelError if there is none."""
    if name in REGISTRY:
        return REGISTRY[name]
    module, separator, attribute = name.partition(":")
    if not separator:
        raise ModelError(f"recommender.model: unknown model {name!r}; known are {', '.join(REGISTRY)}")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ModelError(f"recommender.model: {name!r} cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Recommender)):
        raise ModelError(f"recommender.model: {name!r} is not a subclass of recommender.models.Recommender")
    return found


def build(name: str, params: Mapping[str, Any], inputs: Inputs) -> Recommender:
    """The model `name` with the options `params`; ModelError names a wrong one."""
    cls = model_class(name)
    constructor: Any = cls
    model: Recommender = constructor(configure(cls.Config, params, name), inputs)
    return model
