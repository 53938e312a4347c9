from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from recommender_doubles import dataset, datasets, interactions

from recommender.data import Interactions, load
from recommender.data.splitting import concatenate, latest, prepare, temporal_split
from recommender.features.profile import BEHAVIOURS, ECONOMIC_STATUS, LEVELS, UNKNOWN, ProfileLabels


@pytest.fixture(scope="module")
def split():
    return prepare(load("embedded"))


@pytest.fixture(scope="module")
def labels(split):
    return ProfileLabels(split.dataset, split.train)


def column(labels, name, history):
    return labels.labels(history)[:, [field.name for field in labels.fields].index(name)].tolist()


def words(labels, name, history):
    field = next(field for field in labels.fields if field.name == name)
    return [field.labels[value] for value in column(labels, name, history)]


def with_users(inter, items, **columns):
    data = dataset(inter, len(next(iter(columns.values()))), items)
    for name, values in columns.items():
        data.users[name] = pd.Series(values, dtype=object)
    return data


@settings(max_examples=50)
@given(datasets())
def test_labels_are_in_range_and_unknown_means_no_history(data):
    split = temporal_split(data)
    labels = ProfileLabels(data, split.train)
    for history in (split.train, split.history("test"), latest(split.train, 1), split.test):
        table = labels.labels(history)
        assert table.shape == (len(data.users), len(labels.sizes))
        assert (table >= 0).all()
        assert (table < torch.tensor(labels.sizes)).all()
        without = np.bincount(history.user, minlength=len(data.users)) == 0
        assert (table[without] == UNKNOWN).all()
        for name in ("activity", "leniency", "genre_breadth", "popularity_taste"):
            if len(split.train):
                assert [value == UNKNOWN for value in column(labels, name, history)] == without.tolist()


def test_each_behaviour_divides_the_users_of_train_in_three(split, labels):
    for name in BEHAVIOURS:
        shares = np.bincount(column(labels, name, split.train), minlength=4) / len(split.dataset.users)
        assert shares[UNKNOWN] == 0
        assert (abs(shares[1:] - 1 / 3) < 0.06).all(), (name, shares)


def test_behaviours_say_what_their_names_say():
    # Items 0-2 are taken by all, item 3 + u by user u alone; genres repeat every three items.
    table = [(u, i, 3, 10 * i) for u in range(3) for i in range(3)]
    table += [(0, 3, 1, 100), (1, 4, 3, 101), (2, 5, 5, 102)]
    table += [(3, 0, 5, 0), (4, 0, 5, 1000)]
    train = dataset(interactions(sorted(table)), 6, 9)
    labels = ProfileLabels(train, train.interactions)
    assert words(labels, "activity", train.interactions) == ["high"] * 3 + ["low"] * 2 + ["unknown"]
    taste = column(labels, "popularity_taste", train.interactions)
    assert taste[3] > taste[0] == taste[1]
    assert words(labels, "leniency", train.interactions)[0] == "low"
    assert words(labels, "leniency", train.interactions)[3] == "high"
    assert words(labels, "genre_breadth", train.interactions)[1:4] == ["high", "high", "low"]
    novelty = column(labels, "novelty_acceptance", train.interactions)
    assert novelty[3] > novelty[4] > UNKNOWN


def test_a_truncated_history_changes_behaviours_only(split, labels):
    whole, short = labels.labels(split.train), labels.labels(latest(split.train, 5))
    fixed = len(labels.fields) - len(BEHAVIOURS)
    assert [field.name for field in labels.fields[fixed:]] == list(BEHAVIOURS)
    assert fixed >= 3
    assert (whole[:, :fixed] == short[:, :fixed]).all()
    assert (whole[:, fixed:] != short[:, fixed:]).any()
    assert set(column(labels, "activity", latest(split.train, 5))) == {1}


def test_edges_come_from_train_and_not_from_the_history_asked_about(split, labels):
    whole = labels.labels(split.train)
    half = split.train.take(split.train.user < len(split.dataset.users) // 2)
    again = labels.labels(half)
    assert (again[: len(split.dataset.users) // 2] == whole[: len(split.dataset.users) // 2]).all()


def test_where_all_users_are_alike_all_are_in_the_middle():
    same = interactions([(u, i, 4, 10) for u in range(4) for i in range(3)])
    labels = ProfileLabels(dataset(same, 4, 3), same)
    for name in BEHAVIOURS:
        assert set(words(labels, name, same)) == {"medium"}, name


def test_a_statistic_that_nobody_in_train_has_is_unknown():
    unrated = interactions([(0, 0, np.nan, 1), (1, 1, np.nan, 2)])
    labels = ProfileLabels(dataset(unrated, 2, 3), unrated)
    assert words(labels, "leniency", unrated) == ["unknown"] * 2
    assert words(labels, "leniency", interactions([(0, 0, 5, 1)])) == ["unknown"] * 2


def test_what_was_accepted_in_simulation_has_no_rating_and_counts_for_no_leniency():
    train = interactions([(0, 0, 1, 1), (0, 1, 1, 2), (1, 0, 3, 1), (2, 1, 5, 1)])
    labels = ProfileLabels(dataset(train, 3, 3), train)
    grown = interactions([(0, 0, 1, 1), (0, 1, 1, 2), (0, 2, np.nan, 3), (1, 0, 3, 1), (2, 1, 5, 1)])
    assert words(labels, "leniency", grown) == words(labels, "leniency", train) == ["low", "medium", "high"]


def test_items_never_seen_in_train_are_neither_new_nor_old():
    train = interactions([(0, 0, 3, 100), (1, 0, 3, 200), (2, 1, 3, 300)])
    labels = ProfileLabels(dataset(train, 3, 3), train)
    history = interactions([(0, 2, 3, 500)])
    assert column(labels, "novelty_acceptance", history) == [UNKNOWN] * 3


def test_without_a_clock_nobody_is_said_to_like_new_items(split):
    with_clock = ProfileLabels(split.dataset, split.train)
    without = ProfileLabels(replace(split.dataset, clock=False), split.train)
    assert set(words(without, "novelty_acceptance", split.train)) == {"unknown"}
    for name in BEHAVIOURS[:-1]:
        assert column(without, name, split.train) == column(with_clock, name, split.train)


def test_ages_given_as_numbers_fall_into_movielens_bands():
    bands = {
        "7": "Under 18",
        "17": "Under 18",
        "18": "18-24",
        "24": "18-24",
        "25": "25-34",
        "35": "35-44",
        "49": "45-49",
        "50": "50-55",
        "55": "50-55",
        "56": "56+",
        "73": "56+",
        "45-49": "45-49",
        None: "unknown",
    }
    inter = interactions([(0, 0, 4, 0)])
    labels = ProfileLabels(with_users(inter, 1, age=list(bands)), inter)
    assert words(labels, "age", inter) == list(bands.values())


def test_missing_demographics_are_unknown_and_absent_ones_are_no_fields():
    inter = interactions([(0, 0, 4, 0)])
    data = with_users(
        inter,
        1,
        gender=["F", None, float("nan")],
        occupation=[None, "writer", "artist"],
        zip=["94110", "V6B 1A1", "70072-1234"],
    )
    labels = ProfileLabels(data, inter)
    assert words(labels, "gender", inter) == ["F", "unknown", "unknown"]
    assert words(labels, "occupation", inter) == ["unknown", "writer", "artist"]
    assert words(labels, "region", inter) == ["Pacific", "unknown", "West South Central"]
    names = [field.name for field in labels.fields]
    assert names == ["gender", "occupation", "region", ECONOMIC_STATUS, *BEHAVIOURS]
    bare = ProfileLabels(dataset(inter, 1, 1), inter)
    assert [field.name for field in bare.fields] == list(BEHAVIOURS)


def test_a_field_that_says_nothing_of_anybody_is_none():
    inter = interactions([(0, 0, 4, 0)])
    foreign = with_users(inter, 1, gender=["F", "M"], zip=["V6B 1A1", None], occupation=["student", None])
    labels = ProfileLabels(foreign, inter)
    assert [field.name for field in labels.fields] == ["gender", "occupation", *BEHAVIOURS]
    assert "student" in words(labels, "occupation", inter)


def test_economic_status_divides_those_of_whom_something_is_known_in_three():
    inter = interactions([(0, 0, 4, 0)])
    work = ["lawyer", "clerical/admin", "scientist", "student", None, "dragon"]
    labels = ProfileLabels(with_users(inter, 1, occupation=work), inter)
    assert words(labels, ECONOMIC_STATUS, inter) == ["high", "low", "medium", *["unknown"] * 3]
    zips = ["39201", "21201", "10001", "V6B 1A1"]
    labels = ProfileLabels(with_users(inter, 1, zip=zips), inter)
    assert words(labels, ECONOMIC_STATUS, inter) == ["low", "high", "medium", "unknown"]
    alike = ProfileLabels(with_users(inter, 1, zip=["39201", "39202", None]), inter)
    assert words(alike, ECONOMIC_STATUS, inter) == ["medium", "medium", "unknown"]


def test_economic_status_of_the_embedded_people(split, labels):
    field = next(field for field in labels.fields if field.name == ECONOMIC_STATUS)
    assert field.labels == LEVELS
    shares = np.bincount(column(labels, ECONOMIC_STATUS, split.train), minlength=4) / len(split.dataset.users)
    assert shares[UNKNOWN] == 0
    assert (abs(shares[1:] - 1 / 3) < 0.03).all(), shares
    users = split.dataset.users
    told = pd.Series(words(labels, ECONOMIC_STATUS, split.train))
    assert set(told[users["occupation"] == "lawyer"]) == {"high"}
    assert "high" not in set(told[users["occupation"] == "clerical/admin"])


def test_corrupting_every_held_out_row_changes_no_label(split, labels):
    generator = np.random.default_rng(0)
    items = len(split.dataset.items)

    def corrupted(part):
        return Interactions(
            part.user,
            ((part.item + generator.integers(1, items, len(part))) % items).astype(np.int32),
            (part.rating + 1 + generator.random(len(part))).astype(np.float32),
            part.time - generator.integers(1, 10**9, len(part)),
        )

    held_out = [corrupted(split.validation), corrupted(split.test)]
    data = split.dataset.with_interactions(concatenate(split.train, concatenate(*held_out)))
    other = ProfileLabels(data, split.train)
    assert other.fields == labels.fields
    assert ECONOMIC_STATUS in {field.name for field in other.fields}
    assert torch.equal(other.labels(split.train), labels.labels(split.train))
    # The labels do hang on what they are fitted on, so the equality above says something.
    leaked = ProfileLabels(data, concatenate(split.train, held_out[1]))
    assert not torch.equal(leaked.labels(split.train), labels.labels(split.train))


def test_economic_status_reads_no_interaction(split, labels):
    nothing = split.train.take(np.zeros(len(split.train), dtype=bool))
    bare = ProfileLabels(split.dataset.with_interactions(nothing), nothing)
    for name in ("gender", "region", ECONOMIC_STATUS):
        assert column(bare, name, nothing) == column(labels, name, split.train)
