import numpy as np
import pandas as pd
import torch

from recommender.data import load
from recommender.features.text import text_features


def items(*rows):
    titles, genres, descriptions = zip(*rows, strict=True)
    return pd.DataFrame({"title": titles, "genres": genres, "description": descriptions})


def test_rows_have_length_one_and_a_fixed_width():
    table = text_features(load("embedded").items, dim=32)
    assert table.shape == (400, 32)
    assert table.dtype == torch.float32
    torch.testing.assert_close(table.norm(dim=1), torch.ones(400))


def test_the_same_seed_gives_the_same_bits():
    table = load("embedded").items
    assert torch.equal(text_features(table, dim=16, seed=5), text_features(table, dim=16, seed=5))


def test_items_that_share_words_and_genres_are_closer():
    table = text_features(
        items(
            ("Robot War", ("Sci-Fi",), "a robot fights"),
            ("War of the Robot", ("Sci-Fi",), "the robot fights again"),
            ("Garden Love", ("Romance",), "a garden and a kiss"),
            ("Love in the Garden", ("Romance",), "a kiss in the garden"),
        ),
        dim=2,
    )
    alike = table @ table.T
    assert alike[0, 1] > 0.9
    assert alike[2, 3] > 0.9
    assert abs(alike[0, 2]) < 0.1


def test_an_item_without_a_known_word_has_a_zero_row():
    table = text_features(
        items(
            ("Xyzzy", (), ""),
            ("Robot War", ("War",), ""),
            ("Robot Peace", ("War",), ""),
            ("", (), ""),
        )
    )
    assert table.shape == (4, 1)  # the known words are "robot" and the genre
    assert (table[[0, 3]] == 0).all()
    assert np.allclose(table[[1, 2]].norm(dim=1), 1)


def test_a_catalogue_without_shared_words_has_zero_rows_and_is_no_error():
    for rows in ([("One", (), ""), ("Two", (), "")], [("Film A", (), ""), ("Film B", (), "")]):
        assert text_features(items(*rows)).tolist() == [[0.0], [0.0]]
