import numpy as np
import pandas as pd
import pytest
import torch

from recommender.data import load
from recommender.features.text import text_features


def items(*rows):
    titles, genres, descriptions = zip(*rows, strict=True)
    return pd.DataFrame({"title": titles, "genres": genres, "description": descriptions})


def test_every_item_with_text_has_a_vector_of_a_fixed_width():
    text = text_features(load("embedded").items, dim=32)
    assert text.name == "text"
    assert text.vectors.shape == (400, 32)
    assert text.missing_share == 0
    torch.testing.assert_close(text.vectors.norm(dim=1), torch.ones(400))


def test_the_same_seed_gives_the_same_bits():
    table = load("embedded").items
    first, second = (text_features(table, dim=16, seed=5) for _ in range(2))
    assert torch.equal(first.vectors, second.vectors)


def test_items_that_share_words_and_genres_are_closer():
    vectors = text_features(
        items(
            ("Robot War", ("Sci-Fi",), "a robot fights"),
            ("War of the Robot", ("Sci-Fi",), "the robot fights again"),
            ("Garden Love", ("Romance",), "a garden and a kiss"),
            ("Love in the Garden", ("Romance",), "a kiss in the garden"),
        ),
        dim=2,
    ).vectors
    alike = vectors @ vectors.T
    assert alike[0, 1] > 0.9
    assert alike[2, 3] > 0.9
    assert abs(alike[0, 2]) < 0.1


def test_an_item_without_a_known_word_is_missing():
    text = text_features(
        items(
            ("Xyzzy", (), ""),
            ("Robot War", ("War",), ""),
            ("Robot Peace", ("War",), ""),
            ("", (), ""),
        )
    )
    assert text.dim == 1  # the known words are "robot" and the genre
    assert text.present.tolist() == [False, True, True, False]
    assert text.missing_share == 0.5
    assert (text.vectors[[0, 3]] == 0).all()
    assert np.allclose(text.vectors[[1, 2]].norm(dim=1), 1)


def test_what_the_reduction_leaves_nothing_of_is_missing_and_not_rounding_blown_up_to_length_one():
    robots = [("Robot", ("War",), "iron")] * 5
    gardens = [("Garden", (), "")] * 2  # at right angles to the one direction that is kept
    text = text_features(items(*robots, *gardens), dim=1)
    assert text.present.tolist() == [True] * 5 + [False] * 2


@pytest.mark.parametrize(
    "rows", [[("One", (), ""), ("Two", (), "")], [("Film A", (), ""), ("Film B", (), "")]]
)
def test_a_catalogue_without_shared_words_has_no_text_and_is_no_error(rows):
    text = text_features(items(*rows))
    assert text.missing_share == 1
    assert text.vectors.tolist() == [[0.0], [0.0]]
