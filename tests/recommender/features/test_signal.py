import numpy as np
import pytest
import torch

from recommender.data import DataError
from recommender.features.modality import Modality
from recommender.features.signal import neighbour_overlap


def modality(vectors, present=None):
    vectors = torch.as_tensor(vectors, dtype=torch.float32)
    mask = torch.ones(len(vectors), dtype=torch.bool) if present is None else torch.tensor(present)
    return Modality.of("visual", vectors, mask)


def test_neighbours_by_hand():
    angle = np.radians([0, 10, 15, 90])
    found = neighbour_overlap(
        modality(np.stack([np.cos(angle), np.sin(angle)], 1)), [("A",), ("A", "B"), ("B",), ("C",)], k=1
    )
    # nearest: 0 -> 1, 1 -> 2, 2 -> 1, 3 -> 2
    assert found.neighbours == pytest.approx((1 / 2 + 1 / 2 + 1 / 2 + 0) / 4)
    assert (found.items, found.k) == (4, 1)


def test_it_agrees_with_counting_sets_and_crosses_blocks(monkeypatch):
    monkeypatch.setattr("recommender.features.signal._ROWS", 7)
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(40, 5))
    genres = [tuple(np.flatnonzero(generator.random(6) < 0.4).astype(str)) for _ in range(40)]
    present = generator.random(40) < 0.8
    usable = [i for i in range(40) if present[i] and genres[i]]
    assert len(usable) < present.sum()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    total = 0.0
    for i in usable:
        nearest = sorted((j for j in usable if j != i), key=lambda j: -unit[i] @ unit[j])[:3]
        total += sum(
            len(set(genres[i]) & set(genres[j])) / len(set(genres[i]) | set(genres[j])) for j in nearest
        )
    found = neighbour_overlap(modality(vectors, present), genres, k=3)
    assert found.items == len(usable)
    assert found.neighbours == pytest.approx(total / (3 * len(usable)))


def test_random_pairs_have_the_mean_of_all_pairs_and_never_pair_an_item_with_itself():
    genres = [(str(i),) for i in range(30)]  # nobody shares anything with anyone else
    vectors = np.random.default_rng(0).normal(size=(30, 4))
    assert neighbour_overlap(modality(vectors), genres, k=20).random == 0
    halves = [("A" if i % 2 else "B",) for i in range(400)]
    vectors = np.random.default_rng(1).normal(size=(400, 4))
    found = neighbour_overlap(modality(vectors), halves, k=50)
    assert found.random == pytest.approx(199 / 399, abs=0.02)
    assert found.ratio == pytest.approx(1, abs=0.1)  # noise carries no signal


def test_the_same_seed_draws_the_same_pairs():
    vectors = np.random.default_rng(0).normal(size=(50, 4))
    genres = [tuple("ABC"[: i % 3 + 1]) for i in range(50)]
    first, second, other = (neighbour_overlap(modality(vectors), genres, seed=seed) for seed in (1, 1, 2))
    assert first == second
    assert first.random != other.random


def test_features_that_are_the_genres_are_far_above_chance():
    genre = np.arange(120) % 6
    vectors = np.eye(6)[genre] + 0.1 * np.random.default_rng(0).normal(size=(120, 6))
    found = neighbour_overlap(modality(vectors), [(str(each),) for each in genre])
    assert found.neighbours > 0.99
    assert found.ratio > 4


@pytest.mark.parametrize(("k", "items"), [(0, 5), (5, 5), (10, 1)])
def test_too_few_items_are_an_error(k, items):
    with pytest.raises(DataError, match="items with features and genres"):
        neighbour_overlap(modality(torch.ones(items, 2)), [("A",)] * items, k=k)


def test_genres_of_another_catalogue_are_an_error():
    with pytest.raises(DataError, match="features of 2 items, genres of 3"):
        neighbour_overlap(modality(torch.ones(2, 2)), [("A",)] * 3, k=1)
