"""What makes many small runs quick."""

from __future__ import annotations

from functools import cache

import pytest

from recommender import data
from recommender.features.text import text_features
from simulator import preparation


@pytest.fixture(scope="session", autouse=True)
def _made_once():
    """Generate embedded data and reduce their texts once for each seed: no test here is about either."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", _loader(data.load))
        patch.setattr(preparation, "text_features", _reducer())
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_shared_cache(tmp_path_factory):
    """Answers of one test's server are none of another's, nor of this machine's user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCREENTEST_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def _loader(load):
    @cache
    def embedded(seed):
        return load("embedded", None, seed)

    return lambda source, path, seed: embedded(seed) if source == "embedded" else load(source, path, seed)


def _reducer():
    tables = {}

    @cache
    def features(key, seed):
        return text_features(tables[key], seed=seed)

    def remembered(items, seed):
        key = (tuple(items["title"]), tuple(items["description"]))
        tables.setdefault(key, items)
        return features(key, seed)

    return remembered
