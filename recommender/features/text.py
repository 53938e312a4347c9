"""Light text features: TF-IDF of title, genres and description, reduced by truncated SVD (LSA)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor


def text_features(items: pd.DataFrame, dim: int = 64, seed: int = 0) -> Tensor:
    """(I, d) rows of length one, d = min(dim, number of words - 1); an item without a known word has a zero row.

    A word is known if two items have it. Where fewer than two words are known all rows are zero and d is 1.
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
        return torch.zeros(len(items), 1)
    weights = TfidfVectorizer(sublinear_tf=True, vocabulary=known, stop_words="english").fit_transform(
        documents
    )
    reduced = TruncatedSVD(min(dim, len(known) - 1), random_state=seed).fit_transform(weights)
    return torch.from_numpy(normalize(reduced).astype(np.float32))
