import io
from dataclasses import replace

import numpy as np
import pytest
from recommender_doubles import dataset, interactions
from rich.console import Console

from recommender.data import load
from recommender.data.statistics import PUBLISHED, show_statistics, statistics


@pytest.fixture
def data():
    """Ten users and items who all met, the second half of the users unhappy about everything."""
    table = [(u, i, 5 if u < 5 else 1, i) for u in range(10) for i in range(10)]
    return dataset(interactions(table), 10, 10)


def sizes(row):
    return row.users, row.items, row.interactions


def shown(found):
    console = Console(file=io.StringIO(), width=80)
    show_statistics(console, found)
    return console.file.getvalue()


def test_every_step_and_part_is_counted(data):
    found = statistics(data, core=5)
    assert [(row.step, *sizes(row)) for row in found.rows] == [
        ("read", 10, 10, 100),
        ("rating >= 3", 5, 10, 50),
        ("5-core", 5, 10, 50),
        ("train", 5, 8, 40),
        ("validation", 5, 1, 5),
        ("test", 5, 1, 5),
        ("5-core of all ratings", 10, 10, 100),
    ]
    assert found.published is None
    assert found.matching is None


def test_the_parts_are_those_of_the_split_asked_for(data):
    held_out = statistics(data, split="leave-one-out").parts
    assert [row.interactions for row in held_out] == [40, 5, 5]
    mixed = dataset(interactions([(u, i, 5, (u + i) % 10) for u in range(10) for i in range(10)]), 10, 10)
    found = statistics(mixed, split="global-time")
    assert [row.interactions for row in found.parts] == [80, 10, 10]
    assert found.steps[-1].step == "known from train"


def test_where_no_rating_is_low_there_is_nothing_to_tell_apart(data):
    assert statistics(data, min_rating=1).rated_core is None
    unrated = replace(data.interactions, rating=np.full(100, np.nan, dtype=np.float32))
    assert statistics(data.with_interactions(unrated)).rated_core is None


@pytest.mark.parametrize(
    ("name", "word"),
    [("MovieLens-1M", "movielens-1m"), ("amazon-beauty", "beauty"), ("Taobao fashion", "taobao")],
)
def test_data_of_the_paper_stand_beside_its_figures_and_generated_ones_never(data, name, word):
    found = statistics(replace(data, name=name, synthetic=False))
    assert found.rows[-1] is PUBLISHED[word]
    assert found.matching is None
    assert "not those of any step" in shown(found)
    assert statistics(replace(data, name=name)).published is None
    assert statistics(replace(data, name="MovieLens-20M", synthetic=False)).published is None


def test_the_table_is_whole_at_80_columns_without_colour(data):
    text = shown(statistics(replace(data, name="[bold]Toy")))
    assert text.startswith("[bold]Toy (synthetic)")
    assert "…" not in text
    assert "\x1b" not in text
    (row,) = [line.split() for line in text.splitlines() if line.startswith("5-core of all ratings")]
    assert row[4:] == ["10", "10", "100", "10.0", "10.0", "100.000%"]


def test_the_paper_s_movielens_is_the_core_of_all_ratings_and_not_of_positives(ml1m_folder):
    found = statistics(load("ml-1m", ml1m_folder))
    assert [sizes(row) for row in found.steps] == [
        (6040, 3706, 1_000_209),
        (6039, 3628, 836_478),
        (6038, 3307, 835_789),
    ]
    assert found.matching == "5-core of all ratings"
    assert "5-core of all ratings" in shown(found)


def test_amazon_beauty_is_a_core_already_and_larger_than_the_paper_s(beauty_folder):
    found = statistics(load("atomic", beauty_folder))
    assert [sizes(row) for row in found.steps] == [(22_363, 12_101, 198_502)] * 3
    assert found.published is PUBLISHED["beauty"]
    assert found.matching is None
