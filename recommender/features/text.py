"""Light text features: TF-IDF of title, genres and description, reduced by truncated SVD (LSA)."""

from __future__ import annotations

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
    """(I, d) rows of length one, d = min(dim, number of words - 1); an item without a known word has a zero row."""
    documents = [
        " ".join([title, *(f"genre_{genre.replace('-', '_')}" for genre in genres), description])
        for title, genres, description in zip(
            items["title"], items["genres"], items["description"], strict=True
        )
    ]
    counts = TfidfVectorizer(sublinear_tf=True, min_df=2, stop_words="english").fit_transform(documents)
    reduced = TruncatedSVD(min(dim, counts.shape[1] - 1), random_state=seed).fit_transform(counts)
    return torch.from_numpy(normalize(reduced).astype(np.float32))
