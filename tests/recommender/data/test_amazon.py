"""Amazon's reviews and product pages, both releases: what is read, what is left out, what is never read."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.data import DataError
from recommender.data.amazon import read_amazon_2014, read_amazon_2023

T = 1_300_000_000
REVIEWS_2014 = [
    {"reviewerID": "AX", "asin": "B1", "reviewerName": "Jane Roe", "overall": 5.0, "unixReviewTime": T},
    {"reviewerID": "AY", "asin": "B2", "reviewerName": "J. Doe", "overall": 3.0, "unixReviewTime": T + 9},
    {"reviewerID": "AX", "asin": "B2", "overall": 1.0, "unixReviewTime": T - 5, "reviewText": "Jane Roe"},
]
META_2014 = [
    {"asin": "B9", "title": "Nobody's"},
    {
        "asin": "B1",
        "title": "Salt &amp; Silk\u00a0 Crème\n",
        "imUrl": "http://pictures.example/b1.jpg",
        "brand": "O'Hara",
        "price": 3.99,
        "categories": [["Beauty", "Hair Care", "Wigs &amp; Toupees"], ["Beauty", "Hair Care"], ["Gifts"]],
        "description": "It's &quot;soft&quot;.\n\n  Very.",
        "related": {"also_bought": ["B2", "B9"]},
    },
]
REVIEWS_2023 = [
    {
        "user_id": "U1",
        "parent_asin": "P1",
        "asin": "P1a",
        "rating": 4.0,
        "timestamp": 1000 * T + 999,
        "title": "x",
    },
    {
        "user_id": "U1",
        "parent_asin": "P1",
        "asin": "P1b",
        "rating": 2.0,
        "timestamp": 1000 * T - 1,
        "title": "x",
    },
    {"user_id": "U2", "parent_asin": "P1", "asin": "P1b", "rating": 1.0, "timestamp": 1000 * T, "title": "x"},
]
META_2023 = [
    {
        "title": "Set of 3",
        "parent_asin": "P1",
        "main_category": "All Beauty",
        "categories": ["All Beauty", "Nails", "Nails"],
        "description": ["First.", "", "Second &lt;3."],
        "features": ["Vegan"],
        "store": "Lotus",
        "price": None,
        "images": [
            {"thumb": "https://p/t1", "large": "https://p/l1", "variant": "PT01", "hi_res": None},
            {"thumb": "https://p/t2", "large": "https://p/l2", "variant": "MAIN", "hi_res": "https://p/h2"},
        ],
    }
]


def write(path, lines):
    """Lines of text, or records written as JSON; gzip if the name says so."""
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    raw = text.encode()
    path.write_bytes(gzip.compress(raw, mtime=0) if path.suffix == ".gz" else raw)
    return path


def rows(data):
    """The interactions with ids in place of row numbers."""
    inter = data.interactions
    return list(
        zip(
            data.users["user_id"].to_numpy()[inter.user],
            data.items["item_id"].to_numpy()[inter.item],
            inter.rating.tolist(),
            inter.time.tolist(),
            strict=True,
        )
    )


@pytest.mark.parametrize("gz", ["", ".gz"])
@pytest.mark.parametrize("spell", [repr, json.dumps], ids=["python literals", "strict JSON"])
def test_reads_the_release_of_2014(tmp_path, gz, spell):
    write(tmp_path / f"reviews_Beauty_5.json{gz}", REVIEWS_2014)
    write(tmp_path / f"meta_Beauty.json{gz}", map(spell, META_2014))
    data = read_amazon_2014(tmp_path)
    assert rows(data) == [("AX", "B1", 5, T), ("AY", "B2", 3, T + 9), ("AX", "B2", 1, T - 5)]
    assert data.users.to_dict("list") == {"user_id": ["AX", "AY"]}
    assert data.items.to_dict("list") == {
        "item_id": ["B1", "B2"],
        "title": ["Salt & Silk Crème", "B2"],
        "genres": [("Hair Care", "Wigs & Toupees", "Gifts"), ()],
        "description": ['It\'s "soft". Very.', ""],
        "image": ["http://pictures.example/b1.jpg", None],
        "brand": ["O'Hara", None],
    }
    assert (data.name, data.synthetic, data.skipped) == ("Amazon Beauty 2014", False, ())
    assert data.interactions.rating.dtype == np.float32
    assert data.interactions.time.dtype == np.int64


@pytest.mark.parametrize("gz", ["", ".gz"])
def test_reads_the_release_of_2023(tmp_path, gz):
    reviews = write(tmp_path / f"All_Beauty.jsonl{gz}", REVIEWS_2023)
    write(tmp_path / f"meta_All_Beauty.jsonl{gz}", META_2023)
    data = read_amazon_2023(tmp_path)
    assert rows(data) == [("U1", "P1", 2, T - 1), ("U2", "P1", 1, T)]
    assert data.items.to_dict("list") == {
        "item_id": ["P1"],
        "title": ["Set of 3"],
        "genres": [("Nails",)],
        "description": ["First. Second <3. Vegan"],
        "image": ["https://p/l2"],
        "brand": ["Lotus"],
    }
    assert data.name == "Amazon All_Beauty 2023"
    (skipped,) = data.skipped
    assert (skipped.kind, skipped.count, skipped.rows) == ("repeated", 1, 3)
    assert skipped.first[0].startswith(f"{reviews}:1: user U1 and item P1 stand together")
    assert skipped.first[0].endswith(f"{reviews}:2")


def test_an_item_has_no_picture_column_without_metadata(tmp_path):
    data = read_amazon_2014(write(tmp_path / "reviews_Beauty.json", REVIEWS_2014))
    assert data.items.to_dict("list") == {
        "item_id": ["B1", "B2"],
        "title": ["B1", "B2"],
        "genres": [(), ()],
        "description": ["", ""],
    }


def test_the_names_of_reviewers_are_nowhere(tmp_path):
    write(tmp_path / "reviews_Beauty_5.json", [*REVIEWS_2014, {**REVIEWS_2014[0], "overall": 9}])
    data = read_amazon_2014(tmp_path, tolerance=0.5)
    assert len(data.skipped) == 1
    for whole in (data.users.to_csv(), data.items.to_csv(), repr(data.skipped)):
        assert "Roe" not in whole


@pytest.mark.parametrize(
    ("category", "path", "genres"),
    [
        ("Toys_and_Games", ["Toys & Games", "Puzzles"], ("Puzzles",)),
        ("Office_Products", ["Office Products", "Office"], ("Office",)),
        ("Office_Products", ["Electronics", "Phones"], ("Electronics", "Phones")),
    ],
)
def test_the_category_that_the_file_is_about_is_no_genre(tmp_path, category, path, genres):
    write(tmp_path / f"reviews_{category}_5.json", REVIEWS_2014)
    write(tmp_path / f"meta_{category}.json", [{"asin": "B1", "categories": [path]}])
    assert read_amazon_2014(tmp_path).items["genres"][0] == genres


def test_of_several_files_one_can_be_named(tmp_path):
    one = write(tmp_path / "reviews_Beauty_5.json.gz", REVIEWS_2014)
    write(tmp_path / "reviews_Books_5.json.gz", REVIEWS_2014[:1])
    write(tmp_path / "meta_Books.json.gz", [])
    with pytest.raises(DataError, match=r"found reviews_Beauty_5\.json\.gz, reviews_Books_5\.json\.gz"):
        read_amazon_2014(tmp_path)
    assert len(read_amazon_2014(one).interactions) == 3


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "found none"),
        (["meta_Beauty.json.gz"], "found none"),
        (
            ["reviews_Beauty_5.json", "reviews_Beauty_5.json.gz"],
            "found reviews_Beauty_5.json, reviews_Beauty",
        ),
        (["reviews_Beauty_5.json", "meta_Beauty.json", "meta_Beauty.json.gz"], "remove one of the two"),
        (["reviews_Beauty_5.json", "meta_Books.json"], "holds meta_Books.json, but the metadata of"),
        (["reviews_Beauty_5.json", "meta_Beauty.json"], "has none of the items"),
    ],
)
def test_missing_ambiguous_and_foreign_files(tmp_path, files, message):
    for name in files:
        write(tmp_path / name, REVIEWS_2014 if name.startswith("reviews") else [{"asin": "B77"}])
    with pytest.raises(DataError, match=message):
        read_amazon_2014(tmp_path)


def test_a_path_that_is_not_there_or_is_something_else(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        read_amazon_2023(tmp_path / "nowhere")
    with pytest.raises(DataError, match="should be a file of reviews"):
        read_amazon_2023(write(tmp_path / "meta_Books.jsonl", REVIEWS_2023))


ids = st.sampled_from(["A1", "B'2", 'C"3', "Ü", "0004"])
reviews = st.lists(st.tuples(ids, ids, st.integers(1, 5), st.integers(T, T + 3)), min_size=1, max_size=30)


@given(reviews, st.sampled_from([".json", ".json.gz"]))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_once_per_pair(tmp_path_factory, written, ending):
    path = tmp_path_factory.mktemp("amazon") / f"reviews_X{ending}"
    write(
        path,
        [{"reviewerID": u, "asin": i, "overall": s, "unixReviewTime": t} for u, i, s, t in written],
    )
    data = read_amazon_2014(path)
    # The same in plain Python: of each pair the first row among the earliest.
    earliest = {}
    for row in written:
        if row[:2] not in earliest or row[3] < earliest[row[:2]][3]:
            earliest[row[:2]] = row
    assert sorted(rows(data)) == sorted(earliest.values())
    assert sum(skipped.count for skipped in data.skipped) == len(written) - len(earliest)
    assert data.users["user_id"].tolist() == list(dict.fromkeys(row[0] for row in written))
