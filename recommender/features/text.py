"""Light text features: TF-IDF of title, genres and description, reduced by truncated SVD (LSA)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from recommender.features.modality import Modality

if TYPE_CHECKING:
    import pandas as pd

_NOTHING_LEFT = 1e-6
"""A text (of length one before) this short after the reduction is rounding, not a direction."""


def text_features(items: pd.DataFrame, dim: int = 64, seed: int = 0) -> Modality:
    """The texts of items as vectors of width d = min(dim, number of known words - 1).

    A word is known if two items have it. An item without a known word, or with none that the d directions tell anything
    about, has no text. Where fewer than two words are known nobody has, and d is 1.
    """
    documents = [
        " ".join([title, *(f"genre_{genre.replace('-', '_')}" for genre in genres), description])
        for title, genres, description in zip(
            items["title"], items["genres"], items["description"], strict=True
        )
    ]
    words = TfidfVectorizer(stop_words="english").build_analyzer()
    documents_with = Counter(word for document in documents for word in set(words(document)))
    known = sorted(word for word, number in documents_with.items() if number >= 2)
    if len(known) < 2:
        nobody = torch.zeros(len(items), dtype=torch.bool)
        return Modality("text", torch.zeros(len(items), 1), nobody)
    weights = TfidfVectorizer(sublinear_tf=True, vocabulary=known, stop_words="english").fit_transform(
        documents
    )
    reduced = TruncatedSVD(min(dim, len(known) - 1), random_state=seed).fit_transform(weights)
    present = np.linalg.norm(reduced, axis=1) > _NOTHING_LEFT
    reduced[~present] = 0
    return Modality(
        "text", torch.from_numpy(normalize(reduced).astype(np.float32)), torch.from_numpy(present)
    )
