import os
import re
from pathlib import Path

import numpy as np
import pytest

from recommender.data import DataError, load
from recommender.data.movielens_csv import read_movielens_csv

FILES = {
    "movies.csv": [
        "movieId,title,genres",
        "1,Toy Story (1995),Adventure|Children",
        '4,"Misérables, Les (1995)",Drama',
        '7,"Fear ""X"" (2003)",(no genres listed)',
    ],
    "ratings.csv": [
        "userId,movieId,rating,timestamp",
        "2,4,3.5,1112486027",
        "1,4,0.5,1112484676",
        "2,1,5.0,1112484819",
    ],
}


def write(folder, files=FILES, ending="\n"):
    for name, lines in files.items():
        (folder / name).write_bytes("".join(line + ending for line in lines).encode())
    return folder


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_reads_quoted_titles_half_stars_and_nothing_of_the_users(tmp_path, ending):
    data = read_movielens_csv(write(tmp_path, ending=ending), name="MovieLens-20M")
    assert (data.name, data.synthetic) == ("MovieLens-20M", False)
    assert data.users.to_dict("list") == {"user_id": ["2", "1"]}
    assert data.items.to_dict("list") == {
        "item_id": ["1", "4", "7"],
        "title": ["Toy Story (1995)", "Misérables, Les (1995)", 'Fear "X" (2003)'],
        "genres": [("Adventure", "Children"), ("Drama",), ()],
        "description": ["", "", ""],
    }
    inter = data.interactions
    assert [inter.user.tolist(), inter.item.tolist()] == [[0, 1, 0], [1, 1, 0]]
    assert inter.rating.tolist() == [3.5, 0.5, 5]
    assert inter.time.tolist() == [1112486027, 1112484676, 1112484819]


@pytest.mark.parametrize("source", ["ml-20m", "ml-25m", "ml-32m", "ml-latest", "ml-latest-small"])
def test_every_release_is_a_source(tmp_path, monkeypatch, source):
    (tmp_path / source).mkdir()
    write(tmp_path / source)
    monkeypatch.setenv("SCREENTEST_DATA", str(tmp_path))
    assert load(source).name == source.replace("ml-", "MovieLens-").replace("0m", "0M").replace(
        "5m", "5M"
    ).replace("2m", "2M")


HEAD = FILES["ratings.csv"][0]
BAD = {
    "no lines": ("ratings.csv", [], r"ratings\.csv: the file is empty"),
    "only a header": ("ratings.csv", [HEAD], r"ratings\.csv: holds no interactions"),
    "no header": ("ratings.csv", ["1,4,5.0,9"], r"ratings\.csv:1: no column 'userId'; the columns are 1, 4"),
    "another separator": ("ratings.csv", ["userId;movieId", "1;4"], r"ratings\.csv:1: no column 'userId'"),
    "a cell too few": ("ratings.csv", [HEAD, "1,4,5.0,9", "1,1,5.0"], r"ratings\.csv:3: 3 cells where 4"),
    "five and a half": (
        "ratings.csv",
        [HEAD, "1,4,5.0,9", "", "1,1,5.5,9"],
        r"ratings\.csv:4: rating '5\.5'",
    ),
    "no stars": ("ratings.csv", [HEAD, "1,4,0,9"], r"ratings\.csv:2: rating '0' is not one of 0\.5, 1"),
    "an empty rating": ("ratings.csv", [HEAD, "1,4,,9"], r"ratings\.csv:2: rating '' is not one of 0\.5, 1"),
    "a word": ("ratings.csv", [HEAD, "1,4,five,9"], r"ratings\.csv:2: rating 'five' is not one of 0\.5"),
    "a negative time": ("ratings.csv", [HEAD, "1,4,5,-9"], r"ratings\.csv:2: timestamp '-9' is not a time"),
    "an unknown movie": (
        "ratings.csv",
        [HEAD, "1,4,5,9", "1,5,5,9"],
        r"ratings\.csv:3: movieId '5' is not in .*movies\.csv",
    ),
    "a movie twice": (
        "movies.csv",
        [*FILES["movies.csv"], "4,B,Drama"],
        r"movies\.csv:5: movieId '4' stands",
    ),
    "a title without quotes": (
        "movies.csv",
        [*FILES["movies.csv"], "8,Game, The (1997),Drama"],
        r"movies\.csv:5: 4 cells where 3 were expected",
    ),
    "an open quote": (
        "movies.csv",
        ["movieId,title,genres", '1,"Toy Story (1995),Adventure', '4,"Heat (1995)",Crime', "7,A,B"],
        r"movies\.csv:2: a quotation mark is not closed",
    ),
    "an open quote to the end": (
        "movies.csv",
        [*FILES["movies.csv"][:2], '4,Heat (1995),"Crime', "7,A,B"],
        r"movies\.csv:3: a quotation mark is not closed",
    ),
}


@pytest.mark.parametrize(("name", "lines", "message"), BAD.values(), ids=BAD.keys())
def test_says_which_line_is_wrong(tmp_path, name, lines, message):
    with pytest.raises(DataError, match=message):
        read_movielens_csv(write(tmp_path, FILES | {name: lines}), name="MovieLens-20M")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tmp_path, name):
    (write(tmp_path) / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: no such file; .*data\.path=FOLDER"):
        read_movielens_csv(tmp_path, name="MovieLens-20M")


def test_a_line_deep_in_a_large_file_is_found(tmp_path):
    rows = [f"{user},{movie},4.5,{1000 + user}" for user in range(30_000) for movie in (1, 4, 7)]
    rows[77_777] = rows[77_777].replace("4.5", "4,5")
    write(tmp_path, FILES | {"ratings.csv": [HEAD, *rows]})
    with pytest.raises(
        DataError, match=r"ratings\.csv:77779: 5 cells.*\n.*1 of 90,000 rows .* share of 0; mend"
    ):
        read_movielens_csv(tmp_path, 0, name="MovieLens-20M")
    tolerated = read_movielens_csv(tmp_path, name="MovieLens-20M")
    assert len(tolerated.interactions) == 89_999
    [skipped] = tolerated.skipped
    assert (skipped.kind, skipped.count, skipped.rows) == ("malformed", 1, 90_000)
    assert re.search(r"ratings\.csv:77779: 5 cells where 4 were expected", skipped.first[0])


def test_of_two_ratings_of_a_movie_the_earliest_is_kept_and_the_other_counted(tmp_path):
    lines = [HEAD, "1,4,5,9", "", "2,4,5,9", "1,4,3,8", "1,9,x,9", "1,4,1,8"]
    data = read_movielens_csv(write(tmp_path, FILES | {"ratings.csv": lines}), 0.5, name="MovieLens-20M")
    inter = data.interactions
    assert [inter.user.tolist(), inter.rating.tolist(), inter.time.tolist()] == [[1, 0], [5, 3], [9, 8]]
    assert [(each.kind, each.count, each.rows) for each in data.skipped] == [
        ("malformed", 1, 5),
        ("repeated", 2, 5),
    ]
    assert [message.split(": ")[0].rpartition(":")[2] for message in data.skipped[1].first] == ["2", "7"]


def test_a_real_release_has_no_user_below_twenty_ratings():
    """The README of each release: every user has rated at least 20 movies."""
    root = os.environ.get("SCREENTEST_DATA")
    if not root:
        pytest.skip("SCREENTEST_DATA is not set: no real data")
    found = [name for name in ("ml-latest-small", "ml-20m") if (Path(root) / name).is_dir()]
    if not found:
        pytest.skip("SCREENTEST_DATA holds neither ml-latest-small nor ml-20m")
    assert np.bincount(load(found[0]).interactions.user).min() >= 20
