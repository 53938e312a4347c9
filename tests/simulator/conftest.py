"""What makes many small runs quick."""

from __future__ import annotations

from functools import cache

import pytest

from recommender.features.text import text_features
from simulator import preparation


@pytest.fixture(scope="session", autouse=True)
def _text_features_once():
    """Reduce the texts of a catalogue once: it takes most of a small run and no test here is about it."""
    tables = {}

    @cache
    def features(key, seed):
        return text_features(tables[key], seed=seed)

    def remembered(items, seed):
        key = (tuple(items["title"]), tuple(items["description"]))
        tables.setdefault(key, items)
        return features(key, seed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "text_features", remembered)
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_shared_cache(tmp_path_factory):
    """Answers of one test's server are none of another's, nor of this machine's user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCREENTEST_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
