"""What makes many small runs quick."""

from __future__ import annotations

from functools import cache

import pytest

from recommender import data
from recommender.features import catalogue


@pytest.fixture(scope="session", autouse=True)
def _made_once():
    """Generate embedded data and reduce their texts once for each seed: no test here is about either."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", _loader(data.load))
        patch.setattr(catalogue, "text_features", _reducer(catalogue.text_features))
        yield


def _loader(load):
    @cache
    def embedded(seed):
        return load("embedded", None, seed)

    return lambda source, path, seed, *more: (
        embedded(seed) if source == "embedded" else load(source, path, seed, *more)
    )


def _reducer(text_features):
    tables = {}

    @cache
    def features(key, seed):
        return text_features(tables[key], seed=seed)

    def remembered(items, seed):
        key = (tuple(items["title"]), tuple(items["description"]))
        tables.setdefault(key, items)
        return features(key, seed)

    return remembered
