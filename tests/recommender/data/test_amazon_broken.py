"""Broken files of reviews and metadata: a clear error or a counted line, never a smaller data set in silence."""

import gzip
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.data import DataError, line_files
from recommender.data.amazon import read_amazon_2014, read_amazon_2023

T = 1_300_000_000


def review(k, **changes):
    return {"reviewerID": f"A{k}", "asin": f"B{k % 7}", "overall": 4.0, "unixReviewTime": T + k} | changes


GOOD = [json.dumps(review(k)).encode() for k in range(50)]
META = [repr({"asin": f"B{k}", "title": f"Thing {k}"}).encode() for k in range(7)]


def folder_of(tmp_path, lines=GOOD, meta=META):
    (tmp_path / "reviews_Beauty_5.json").write_bytes(b"".join(line + b"\n" for line in lines))
    (tmp_path / "meta_Beauty.json").write_bytes(b"".join(line + b"\n" for line in meta))
    return tmp_path


def spelled(**changes):
    return json.dumps(review(99, **changes)).encode()


BAD_REVIEWS = {
    "half a line": (GOOD[0][:30], "is no JSON"),
    "Python literal": (repr(review(1)).encode(), "is no JSON"),
    "list": (b"[1, 2]", "is a list"),
    "number": (b"7", "is a int"),
    "two objects": (GOOD[0] + GOOD[1], "is no JSON: Extra data"),
    "Latin-1": (GOOD[0].replace(b"A0", b"\xe9"), "is not UTF-8 at byte"),
    "UTF-16": ("{}".encode("utf-16"), "is not UTF-8"),
    "deep": (b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
    "huge number": (b'{"overall": ' + b"9" * 9999 + b"}", "is no JSON"),
    "no user": (b'{"asin": "B1", "overall": 4, "unixReviewTime": 1300000000}', "reviewerID None"),
    "empty user": (spelled(reviewerID=""), "reviewerID ''"),
    "user is a number": (spelled(reviewerID=7), "reviewerID 7"),
    "item is a list": (spelled(asin=["B1"]), r"asin \['B1'\]"),
    "tab in item": (spelled(asin="B\t1"), "asin"),
    "half a character": (spelled(asin="B\ud800"), "asin"),
    "no rating": (spelled(overall=None), "overall None"),
    "rating as text": (spelled(overall="5"), "overall '5'"),
    "true": (spelled(overall=True), "overall True"),
    "no number": (spelled(overall=float("nan")), "overall nan"),
    "six stars": (spelled(overall=6.0), "overall 6.0 is not a rating from 1 to 5"),
    "no star": (spelled(overall=0), "overall 0"),
    "negative time": (spelled(unixReviewTime=-1), "unixReviewTime -1 is not a time in seconds"),
    "milliseconds": (spelled(unixReviewTime=1000 * T), "unixReviewTime 1300000000000"),
    "time as text": (spelled(unixReviewTime="01 1, 2011"), "unixReviewTime '01 1, 2011'"),
    "endless time": (
        b'{"reviewerID":"A","asin":"B","overall":4,"unixReviewTime":1e999}',
        "unixReviewTime inf",
    ),
}


@pytest.mark.parametrize(("line", "message"), BAD_REVIEWS.values(), ids=BAD_REVIEWS)
def test_a_bad_review_is_counted_or_refused(tmp_path, line, message):
    folder = folder_of(tmp_path, [*GOOD[:3], line, *GOOD[3:]])
    with pytest.raises(DataError, match=rf"reviews_Beauty_5\.json:4: .*{message}"):
        read_amazon_2014(folder)
    data = read_amazon_2014(folder, tolerance=0.02)
    assert len(data.interactions) == len(GOOD)
    (skipped,) = data.skipped
    assert (skipped.kind, skipped.count, skipped.rows) == ("malformed", 1, len(GOOD) + 1)


BAD_META = {
    "half a line": (META[1][:-3], "no Python literal"),
    "a call": (b"{'asin': 'B1', 'title': __import__('os').getcwd()}", "no Python literal"),
    "a set": (b"{'asin', 'B1'}", "no Python literal"),
    "list as key": (b"{'asin': 'B1', []: 1}", "no Python literal"),
    "deep": (b"{'asin': 'B1', 'title': " + b"[" * 9999 + b"]" * 9999 + b"}", "no Python literal"),
    "Latin-1": (b"{'asin': 'B1', 'title': '\xe9'}", "not UTF-8"),
    "no id": (b"{'title': 'x'}", "asin None"),
    "title is a number": (b"{'asin': 'B1', 'title': 7}", "title 7 is not text"),
    "categories are a dict": (b"{'asin': 'B1', 'categories': {}}", "categories {} is not text"),
    "deep categories": (b"{'asin': 'B1', 'categories': [[['x']]]}", "categories .* is not text"),
    "picture is a file": (b"{'asin': 'B1', 'imUrl': '/etc/hostname'}", "is not an http"),
    "picture of another scheme": (b"{'asin': 'B1', 'imUrl': 'file:///etc/hostname'}", "is not an http"),
    "picture is a number": (b"{'asin': 'B1', 'imUrl': 7}", "is not a URL"),
    "pictures are text": (b"{'asin': 'B1', 'images': 'x'}", "not a list of pictures"),
}


@pytest.mark.parametrize(("line", "message"), BAD_META.values(), ids=BAD_META)
def test_a_bad_line_of_metadata_leaves_its_item_without(tmp_path, line, message):
    folder = folder_of(tmp_path, meta=[META[0], line, *META[2:]])
    with pytest.raises(DataError, match=rf"meta_Beauty\.json:2: .*{message}"):
        read_amazon_2014(folder)
    data = read_amazon_2014(folder, tolerance=0.2)
    assert len(data.interactions) == len(GOOD)
    assert data.items["title"].tolist() == ["Thing 0", "B1", *(f"Thing {k}" for k in range(2, 7))]
    assert [(skipped.kind, skipped.count) for skipped in data.skipped] == [("malformed", 1)]


def test_the_first_metadata_of_an_item_counts(tmp_path):
    folder = folder_of(tmp_path, meta=[*META, b"{'asin': 'B0', 'title': 'Another'}"])
    data = read_amazon_2014(folder, tolerance=0.2)
    assert data.items["title"][0] == "Thing 0"
    assert "stands on an earlier line already" in str(data.skipped[0])


def test_seconds_are_not_taken_for_milliseconds(tmp_path):
    line = {"user_id": "U", "parent_asin": "P", "rating": 4.0, "timestamp": T}
    (tmp_path / "X.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(DataError, match=f"timestamp {T} is not a time in milliseconds"):
        read_amazon_2023(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n\n  \n"])
def test_an_empty_file_is_no_data_set(tmp_path, content):
    (tmp_path / "X.jsonl").write_bytes(content)
    (tmp_path / "Y.jsonl.gz").write_bytes(gzip.compress(content))
    for name in ("X.jsonl", "Y.jsonl.gz"):
        with pytest.raises(DataError, match="holds no reviews"):
            read_amazon_2023(tmp_path / name)


def test_blank_lines_windows_line_ends_and_a_byte_order_mark_are_no_fault(tmp_path):
    folder = folder_of(tmp_path, [b"\xef\xbb\xbf" + GOOD[0] + b"\r", b"", b" \r", *GOOD[1:]])
    data = read_amazon_2014(folder)
    assert len(data.interactions) == len(GOOD)
    assert data.skipped == ()


def test_a_line_without_end_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(line_files, "_LONGEST", 1000)
    long = b'{"reviewText": "' + b"x" * 5000 + b'"}'
    folder = folder_of(tmp_path, [GOOD[0], long, GOOD[1], b"7", *GOOD[2:]])
    data = read_amazon_2014(folder, tolerance=0.1)
    assert len(data.interactions) == len(GOOD)
    (skipped,) = data.skipped
    assert skipped.first[0].endswith("reviews_Beauty_5.json:2: a line of more than 1,000 bytes")
    assert "reviews_Beauty_5.json:4: is a int" in skipped.first[1]
    assert skipped.rows == len(GOOD) + 2


# Random numbers in the lines, so that a cut anywhere in the file hits compressed reviews.
NOISE = os.urandom(3000).hex()
WHOLE = b"".join(
    json.dumps(review(k, reviewText=NOISE[60 * k : 60 * k + 60])).encode() + b"\n" for k in range(100)
)
PACKED = gzip.compress(WHOLE)


@given(st.integers(0, len(PACKED) - 1))
@settings(max_examples=150, deadline=None)
def test_gzip_cut_anywhere_is_refused(tmp_path_factory, length):
    path = tmp_path_factory.mktemp("cut") / "reviews_X_5.json.gz"
    path.write_bytes(PACKED[:length])
    with pytest.raises(DataError, match=r"download it again|holds no reviews"):
        read_amazon_2014(path, tolerance=1.0)


@given(st.integers(1, len(WHOLE) - 2))
@settings(max_examples=150, deadline=None)
def test_a_plain_file_cut_inside_a_line_is_refused(tmp_path_factory, length):
    path = tmp_path_factory.mktemp("cut") / "reviews_X_5.json"
    path.write_bytes(WHOLE[:length])
    complete = WHOLE[:length].count(b"\n") + (WHOLE[length : length + 1] == b"\n")
    if WHOLE[length - 1 : length] == b"\n" or WHOLE[length : length + 1] == b"\n":
        assert len(read_amazon_2014(path, tolerance=1.0).interactions) == complete
    else:
        with pytest.raises(DataError, match="cut short; download it again"):
            read_amazon_2014(path, tolerance=1.0)


@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_a_flipped_byte_in_gzip_changes_nothing_or_is_refused(tmp_path_factory, place, flip):
    path = tmp_path_factory.mktemp("flip") / "reviews_X_5.json.gz"
    path.write_bytes(PACKED[:place] + bytes([PACKED[place] ^ flip]) + PACKED[place + 1 :])
    try:
        data = read_amazon_2014(path, tolerance=0.0)
    except DataError:
        return
    assert len(data.interactions) == 100
    assert data.skipped == ()


def test_what_is_not_gzip_is_named(tmp_path):
    path = tmp_path / "reviews_X_5.json.gz"
    path.write_bytes(WHOLE)
    with pytest.raises(DataError, match=r"reviews_X_5\.json\.gz: is not a whole gzip file"):
        read_amazon_2014(path)


def test_cut_metadata_are_refused_too(tmp_path):
    (tmp_path / "reviews_X_5.json").write_bytes(WHOLE)
    packed = gzip.compress(b"\n".join(META))
    (tmp_path / "meta_X.json.gz").write_bytes(packed[:-9])
    with pytest.raises(DataError, match=r"meta_X\.json\.gz: the file is cut short"):
        read_amazon_2014(tmp_path)


def test_a_folder_with_the_name_of_a_file_is_refused(tmp_path):
    (tmp_path / "reviews_X_5.json.gz").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        read_amazon_2014(tmp_path)
