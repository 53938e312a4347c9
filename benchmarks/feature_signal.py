"""Do item features carry signal? Genres that nearest neighbours share, against random pairs; ours beside given features.

On MovieLens-1M with plots and posters (`content/` in its folder) our encoders are compared with the features given there,
for posters also item by item. `--quick` takes the embedded audience and its drawn posters.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Threads that spin while they wait starve each other wherever the cores are shared; read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

from benchmarks.recording import record
from recommender import data
from recommender.data.content import with_images, with_texts
from recommender.data.dataset import DataError
from recommender.data.embedded import generate, write_posters
from recommender.features.image_encoders import image_encoder
from recommender.features.images import encode_images
from recommender.features.precomputed import read_features
from recommender.features.signal import neighbour_overlap
from recommender.features.text import text_features

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from recommender.features.images import ImageFeatures
    from recommender.features.modality import Modality

_K = 10
_ENCODER = "efficientnet-lite0"


def main() -> None:
    """Measure and record."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--path", type=Path, help="folder of MovieLens-1M (default: $SCREENTEST_DATA/ml-1m)")
    options.add_argument("--quick", action="store_true", help="embedded data and posters")
    chosen = options.parse_args()
    fields = _embedded() if chosen.quick else _movielens(chosen.path)
    record(
        f"feature-signal{'-quick' if chosen.quick else ''}",
        {"k": _K, **fields},
        f"python -m benchmarks.feature_signal {' '.join(sys.argv[1:])}".strip(),
    )


def _movielens(path: Path | None) -> dict[str, Any]:
    folder = (path or Path(os.environ["SCREENTEST_DATA"]) / "ml-1m") / "content"
    dataset = with_texts(data.load("ml-1m", path), folder / "movies_text.csv")
    items = with_images(dataset, folder / "posters").items
    genres, ids = items["genres"].tolist(), items["item_id"].tolist()
    pictures = encode_images(items["image"].tolist(), image_encoder(_ENCODER), progress=_told)
    given = read_features(folder / "posters_efficientnet_lite0.npz", ids, "visual")
    return {
        "data": "ml-1m",
        "items": len(items),
        "text": {
            **_own_texts(items),
            "given MiniLM": _signal(read_features(folder / "plots_minilm.npz", ids, "text"), genres),
        },
        "visual": {
            _ENCODER: _pictures(pictures, genres),
            "given EfficientNet-Lite0": _signal(given, genres),
            "ours and given": _agreement(pictures.modality, given),
        },
    }


def _embedded() -> dict[str, Any]:
    audience = generate()
    items = audience.dataset.items
    fields = {"data": audience.dataset.label, "items": len(items), "text": _own_texts(items)}
    try:
        encoder = image_encoder(_ENCODER)
    except DataError as error:
        return fields | {"visual": None, "visual_missing_because": str(error)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_posters(audience, folder)
        pictures = encode_images([folder / f"{item}.png" for item in items["item_id"]], encoder)
    # Posters are drawn by a style that is independent of genres: only the style can show.
    styles = [(str(style),) for style in audience.truth.catalogue.style]
    return fields | {
        "visual": {
            _ENCODER: _pictures(pictures, items["genres"].tolist()),
            f"{_ENCODER}, styles for genres": _signal(pictures.modality, styles),
        }
    }


def _own_texts(items: pd.DataFrame) -> dict[str, Any]:
    """With the genres left out of the text, and as models get it: then its neighbours share genres by construction."""
    genres = items["genres"].tolist()
    unnamed = items.assign(genres=items["genres"].map(lambda _: ()))
    return {
        "TF-IDF + SVD, genres left out": _signal(text_features(unnamed), genres),
        "TF-IDF + SVD": _signal(text_features(items), genres),
    }


def _signal(modality: Modality, labels: Sequence[Sequence[str]]) -> dict[str, Any]:
    found = neighbour_overlap(modality, labels, _K)
    return {
        "dim": modality.dim,
        "missing_share": round(modality.missing_share, 4),
        "items": found.items,
        "overlap_neighbours": round(found.neighbours, 4),
        "overlap_random": round(found.random, 4),
        "ratio": round(found.ratio, 2),
    }


def _pictures(pictures: ImageFeatures, labels: Sequence[Sequence[str]]) -> dict[str, Any]:
    return {**_signal(pictures.modality, labels), "unreadable": dict(pictures.reasons)}


def _agreement(ours: Modality, given: Modality) -> dict[str, Any]:
    """Cosine of the two vectors of an item, beside that of different items, and how often the own one is the nearest."""
    both = (ours.present & given.present).nonzero()[:, 0]
    cosines = ours.vectors[both] @ given.vectors[both].T
    own = cosines.diagonal()
    others = (cosines.sum() - own.sum()) / (cosines.numel() - len(both))
    nearest = cosines.argmax(dim=1) == torch.arange(len(both))
    return {
        "items": len(both),
        "mask_differs": int((ours.present != given.present).sum()),
        "cosine_mean": round(float(own.mean()), 4),
        "cosine_5_percent_below": round(float(own.quantile(0.05)), 4),
        "cosine_of_different_items": round(float(others), 4),
        "given_vector_of_the_item_is_the_nearest": round(float(nearest.double().mean()), 4),
    }


def _told(done: int, of: int) -> None:
    if done % 500 == 0 or done == of:
        print(f"{done} of {of} posters", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
