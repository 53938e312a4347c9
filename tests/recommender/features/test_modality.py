from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from recommender.data import DataError
from recommender.features.modality import Modality

HERE = torch.tensor([True, False])


@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(0, 8), st.integers(1, 5)),
        elements=st.floats(-1e300, 1e300, allow_nan=False),
    )
)
def test_any_finite_vectors_become_rows_of_length_one_in_their_direction(rows):
    present = rows.any(axis=1)
    modality = Modality.of("text", torch.from_numpy(rows), torch.from_numpy(present))
    assert modality.vectors.dtype == torch.float32
    assert (modality.vectors[~modality.present] == 0).all()
    largest = np.abs(rows[present]).max(axis=1, initial=0, keepdims=True)
    directions = rows[present] / largest
    expected = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    assert np.allclose(modality.vectors[modality.present], expected, atol=1e-6)


def test_what_stands_under_the_mask_is_set_to_zero():
    modality = Modality.of("visual", torch.tensor([[3.0, 4.0], [torch.nan, 1.0]]), HERE)
    torch.testing.assert_close(modality.vectors, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    assert modality.missing_share == 0.5
    assert modality.dim == 2


@pytest.mark.parametrize("row", [[0.0, 0.0], [torch.nan, 1.0], [torch.inf, 1.0]])
def test_a_present_vector_without_a_direction_is_refused(row):
    with pytest.raises(DataError, match="visual: the vector of item 1 is zero or not finite"):
        Modality.of("visual", torch.tensor([[1.0, 0.0], row]), torch.tensor([True, True]))


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([[0.0, 0.0], [0.0, 0.0]], "item 0 has length 0, not 1"),  # a zero vector taken for a picture
        ([[0.5, 0.0], [0.0, 0.0]], "item 0 has length 0.5, not 1"),
        ([[torch.nan, 0.0], [0.0, 0.0]], "item 0 has length nan, not 1"),
        ([[1.0, 0.0], [1.0, 0.0]], "item 1 is marked as missing but has a vector"),
        ([[1.0, 0.0], [torch.nan, 0.0]], "item 1 is marked as missing but has a vector"),
    ],
)
def test_vectors_and_mask_must_agree(vectors, message):
    with pytest.raises(DataError, match=message):
        Modality("visual", torch.tensor(vectors), HERE)


@pytest.mark.parametrize(
    ("vectors", "present"),
    [
        (torch.zeros(2), HERE),
        (torch.zeros(3, 2), HERE),
        (torch.zeros(2, 2, dtype=torch.float64), HERE),
        (torch.zeros(2, 2), torch.tensor([0, 1])),
    ],
)
def test_other_shapes_and_types_are_refused(vectors, present):
    with pytest.raises(DataError, match=r"text: .* expected, not"):
        Modality("text", vectors, present)


def test_an_empty_catalogue_misses_nothing():
    assert Modality("text", torch.zeros(0, 3), torch.zeros(0, dtype=torch.bool)).missing_share == 0


def test_it_moves_as_a_whole_and_does_not_change():
    modality = Modality("text", torch.tensor([[1.0], [0.0]]), HERE)
    moved = modality.to("cpu")
    assert torch.equal(moved.vectors, modality.vectors)
    assert torch.equal(moved.present, modality.present)
    with pytest.raises(FrozenInstanceError):
        modality.present = ~HERE
