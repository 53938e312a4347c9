from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from recommender_doubles import dataset, interactions

from recommender.data import DataError
from recommender.data.candidate_file import load_candidates, save_candidates
from recommender.data.candidates import sample_candidates
from recommender.data.splitting import leave_one_out, temporal_split

USERS, ITEMS = 6, 30
TABLE = [(u, (7 * u + 3 * i) % ITEMS, 5, i) for u in range(USERS) for i in range(5)]


@pytest.fixture
def split():
    return leave_one_out(dataset(interactions(TABLE), USERS, ITEMS))


@pytest.fixture
def path(split, tmp_path):
    save_candidates(sample_candidates(split, "test", 9, seed=5), split, tmp_path / "candidates.parquet")
    return tmp_path / "candidates.parquet"


def rewritten(path, change):
    """The file with its rows changed as a table of pandas and its metadata as they were."""
    table = pq.read_table(path)
    rows = change(table.to_pandas().astype({"user_id": object, "item_id": object}))
    pq.write_table(
        table.from_pandas(rows, preserve_index=False).replace_schema_metadata(table.schema.metadata), path
    )


def test_what_is_stored_is_what_is_read(split, path):
    drawn, read = sample_candidates(split, "test", 9, seed=5), load_candidates(path, split)
    assert (read.phase, read.seed) == (drawn.phase, drawn.seed)
    assert read.user.tolist() == drawn.user.tolist()
    assert read.item.tolist() == drawn.item.tolist()


def test_any_program_can_read_it_by_id(split, path):
    table = pd.read_parquet(path)
    assert table.columns.tolist() == ["user_id", "item_id", "target"]
    assert table.groupby("user_id").size().to_dict() == {f"u{n}": 10 for n in range(USERS)}
    targets = table[table["target"]]
    expected = [f"i{item}" for item in split.test.item]
    assert targets["item_id"].tolist() == expected
    assert pq.read_schema(path).metadata[b"screentest.data"] == b"toy (synthetic)"


def test_the_order_of_users_in_the_file_does_not_matter(split, path):
    before = load_candidates(path, split)
    rewritten(path, lambda rows: pd.concat([rows[30:], rows[:30]]))
    after = load_candidates(path, split)
    assert after.user.tolist() == before.user.tolist()
    assert after.item.tolist() == before.item.tolist()


@pytest.mark.parametrize(
    "other",
    [
        leave_one_out(dataset(interactions(TABLE[:-1]), USERS, ITEMS)),
        leave_one_out(dataset(interactions(TABLE), USERS, ITEMS + 1)),
        temporal_split(dataset(interactions(TABLE), USERS, ITEMS)),
        leave_one_out(dataset(interactions([(u, i, r, -t) for u, i, r, t in TABLE]), USERS, ITEMS)),
    ],
    ids=["a row less", "an item more", "another split", "another order"],
)
def test_another_split_is_refused(path, other):
    with pytest.raises(
        DataError, match=r"candidates\.parquet: these candidates were drawn from toy \(synthetic\)"
    ):
        load_candidates(path, other)


def _first(column, value):
    def change(rows):
        rows.loc[1, column] = value
        return rows

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_first("item_id", "i99"), "item_id 'i99' is not in the data"),
        (_first("user_id", "u5"), "user by user, the target and then negatives"),
        (_first("target", True), "user by user, the target and then negatives"),
        (lambda rows: rows[:-1], "59 rows are not the same number for each of 6 users"),
        (lambda rows: pd.concat([rows[:-1], rows[-2:-1]]), "each item once"),
        (
            lambda rows: rows.assign(item_id=rows["item_id"].shift(-10, fill_value="i0")),
            "each item once|other test",
        ),
        (_first("item_id", "i0"), "a negative of user u0 is an item that the user has taken"),
        (lambda rows: rows[["user_id", "item_id"]], "it has the columns user_id, item_id"),
    ],
)
def test_rows_that_were_changed_are_found(split, path, change, message):
    rewritten(path, change)
    with pytest.raises(DataError, match=message):
        load_candidates(path, split)


def test_a_target_that_was_changed_is_found(split, path):
    def swap(rows):
        rows.loc[[0, 1], "item_id"] = rows.loc[[1, 0], "item_id"].to_numpy()
        return rows

    rewritten(path, swap)
    with pytest.raises(DataError, match="for other test targets"):
        load_candidates(path, split)


def test_what_is_no_such_file_is_refused(split, tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        load_candidates(tmp_path / "nothing.parquet", split)
    (tmp_path / "words").write_text("words")
    with pytest.raises(DataError, match="not a file of candidates"):
        load_candidates(tmp_path / "words", split)
    pd.DataFrame({"user_id": ["u0"], "item_id": ["i0"], "target": [True]}).to_parquet(tmp_path / "plain")
    with pytest.raises(DataError, match="not a file of candidates"):
        load_candidates(tmp_path / "plain", split)


def test_the_file_is_cut_short(split, path):
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"candidates\.parquet: not a file of candidates"):
        load_candidates(path, split)


def test_candidates_are_never_taken_for_those_of_the_other_phase(split, path):
    validation = split.targets("validation")
    assert not np.array_equal(load_candidates(path, split).item[:, 0], validation.item)
    with pytest.raises(DataError, match="other test targets"):
        load_candidates(path, split).require(validation)
    with pytest.raises(DataError, match="other test targets"):
        load_candidates(path, split).require(replace(split, test=validation).test)
