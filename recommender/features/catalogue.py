"""The text and the pictures of a catalogue as features, by the name of what encodes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from recommender.data.dataset import DataError
from recommender.features.image_encoders import image_encoder
from recommender.features.images import encode_images
from recommender.features.precomputed import read_features
from recommender.features.sentences import encode_sentences, item_texts, sentence_encoder
from recommender.features.text import text_features

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd
    import torch

    from recommender.features.modality import Modality

NONE = "none"
TFIDF = "tfidf"
SENTENCES = "sentences:"


@dataclass(frozen=True)
class CatalogueFeatures:
    """One modality of a catalogue and where it comes from."""

    source: str
    modality: Modality
    unreadable: Mapping[str, int] = field(default_factory=dict)
    """How many pictures cannot be used, by reason; they count as missing."""


def catalogue_text(
    items: pd.DataFrame,
    source: str,
    device: torch.device | str = "cpu",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> CatalogueFeatures | None:
    """Text features of the table `items`: "tfidf", "sentences:MODEL", a .npz or .npy file; None for "none".

    `progress` is told (items done, of items) where it takes long. DataError says what is missing.
    """
    if source == NONE:
        return None
    if source == TFIDF:
        return CatalogueFeatures(source, text_features(items, seed=seed))
    if source.startswith(SENTENCES):
        encoder = sentence_encoder(source.removeprefix(SENTENCES), device)
        return CatalogueFeatures(source, encode_sentences(item_texts(items), encoder, progress=progress))
    return CatalogueFeatures(source, read_features(Path(source), items["item_id"].tolist(), "text"))


def catalogue_visual(
    items: pd.DataFrame,
    source: str,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> CatalogueFeatures | None:
    """Features of the pictures that the column `image` of `items` names: an encoder of `image_encoder`, or a .npz or .npy file.

    None for "none". DataError where no item has a picture, or one has an address and no file.
    """
    if source == NONE:
        return None
    if Path(source).suffix in {".npz", ".npy"}:
        return CatalogueFeatures(source, read_features(Path(source), items["item_id"].tolist(), "visual"))
    column = items["image"].tolist() if "image" in items else []
    pictures = [picture if isinstance(picture, str) else None for picture in column]
    if not any(pictures):
        raise DataError(
            f"features.visual is {source}, but no item has a picture; give a folder of them as data.images"
        )
    found = encode_images(pictures, image_encoder(source, device), progress=progress)
    return CatalogueFeatures(source, found.modality, dict(found.reasons))
