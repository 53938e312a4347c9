"""Taobao's fashion collocation: purchases, categories, outfits, pictures, and what is wrong with them."""

import datetime as dt
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.data import DataError
from recommender.data.taobao import read_taobao

HISTORY = "user_bought_history.txt"
BOUGHT = ["62 29 20150417", "7 29 20150418", "62 8 20150101", "62 29 20140614"]
DAY = 86_400


def write(folder, lines=BOUGHT, end="\n", **others):
    (folder / HISTORY).write_bytes("".join(line + end for line in lines).encode("latin-1"))
    for name, content in others.items():
        (folder / f"{name}.txt").write_text("".join(line + "\n" for line in content))
    return folder


def seconds(year, month, day):
    return int(dt.datetime(year, month, day, tzinfo=dt.UTC).timestamp())


def rows(data):
    """The interactions with ids in place of row numbers."""
    inter = data.interactions
    users, items = data.users["user_id"].to_numpy(), data.items["item_id"].to_numpy()
    return list(zip(users[inter.user], items[inter.item], inter.time.tolist(), strict=True))


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n", "\n\n"])
def test_reads_purchases_and_keeps_the_earliest_of_a_pair(tmp_path, end):
    data = read_taobao(write(tmp_path, end=end))
    assert rows(data) == [
        ("7", "29", seconds(2015, 4, 18)),
        ("62", "8", seconds(2015, 1, 1)),
        ("62", "29", seconds(2014, 6, 14)),
    ]
    assert np.isnan(data.interactions.rating).all()
    assert data.users["user_id"].tolist() == ["7", "62"]
    assert data.items.to_dict("list") == {
        "item_id": ["8", "29"],
        "title": ["Item 8", "Item 29"],
        "genres": [(), ()],
        "description": ["", ""],
    }
    (skipped,) = data.skipped
    assert (skipped.kind, skipped.count, skipped.rows) == ("repeated", 1, 4)
    assert skipped.first[0].startswith(f"{tmp_path / HISTORY}:1: user 62 and item 29")
    assert (data.name, data.match_sets) == ("Taobao fashion", ())


def test_reads_categories_outfits_and_pictures(tmp_path):
    folder = write(
        tmp_path,
        dim_items=["29 155 123950,53517 /tfscom/i1/x.jpg", "8 42", "33 28 1,2"],
        dim_fashion_matchsets=["1 29;8", "2 5,29;33;8"],
        fashion_cat=["155 42", "nonsense"],
    )
    for name in (
        "tianchi_fm_img2_1/29.jpg",
        "tianchi_fm_img2_2/below/8.JPG",
        "images/5.png",
        "images/77.jpg",
    ):
        picture = folder / name
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(b"")
    data = read_taobao(folder)
    assert data.items.to_dict("list") == {
        "item_id": ["5", "8", "29", "33"],
        "title": ["Item 5", "Item 8 (category 42)", "Item 29 (category 155)", "Item 33 (category 28)"],
        "genres": [(), ("category 42",), ("category 155",), ("category 28",)],
        "description": [""] * 4,
        "image": [
            None,
            str(folder / "tianchi_fm_img2_2/below/8.JPG"),
            str(folder / "tianchi_fm_img2_1/29.jpg"),
            None,
        ],
    }
    assert data.match_sets == ((("29",), ("8",)), (("5", "29"), ("33",), ("8",)))
    assert {(user, item) for user, item, _ in rows(data)} == {("62", "29"), ("7", "29"), ("62", "8")}


BAD_PURCHASES = {
    "two fields": "62 29",
    "four fields": "62 29 20150417 1",
    "commas": "62,29,20150417",
    "a word": "62 shoe 20150417",
    "negative": "62 -29 20150417",
    "a fraction": "62 2.9 20150417",
    "beyond 64 bits": "62 99999999999999999999 20150417",
    "29 February": "62 29 20150229",
    "30 February": "62 29 20150230",
    "month 13": "62 29 20151301",
    "month 0": "62 29 20150001",
    "day 0": "62 29 20150100",
    "year 1": "62 29 00010101",
    "before Taobao": "62 29 19991231",
    "seconds": "62 29 1429228800",
    "dashes": "62 29 2015-04-17",
    "Latin-1": "62 29\xa0 20150417",
}


@pytest.mark.parametrize("line", BAD_PURCHASES.values(), ids=BAD_PURCHASES)
@pytest.mark.parametrize("at", [0, 2, 4])
def test_a_bad_purchase_is_counted_or_refused(tmp_path, line, at):
    folder = write(tmp_path, [*BOUGHT[:at], line, *BOUGHT[at:]])
    with pytest.raises(DataError, match=rf"{HISTORY}:{at + 1}: .* is not "):
        read_taobao(folder)
    data = read_taobao(folder, tolerance=0.2)
    assert len(data.interactions) == 3
    assert [(skipped.kind, skipped.count, skipped.rows) for skipped in data.skipped] == [
        ("malformed", 1, 5),
        ("repeated", 1, 5),
    ]


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("dim_items", "33", "is not 'item category"),
        ("dim_items", "x 28", "is not 'item category"),
        ("dim_items", "29 28", "item 29 stands on an earlier line already"),
        ("dim_fashion_matchsets", "3", "is not 'outfit item"),
        ("dim_fashion_matchsets", "3 29;;8", "is not 'outfit item"),
        ("dim_fashion_matchsets", "3 29;8,", "is not 'outfit item"),
        ("dim_fashion_matchsets", "3 29 8", "is not 'outfit item"),
        ("dim_fashion_matchsets", "1 8;29", "outfit 1 stands on an earlier line already"),
    ],
)
def test_bad_lines_beside_the_purchases_are_counted_or_refused(tmp_path, name, line, message):
    good = {"dim_items": ["29 155 1,2", "8 42 1"], "dim_fashion_matchsets": ["1 29;8", "2 8;29"]}
    folder = write(tmp_path, **{name: [*good[name], line]})
    with pytest.raises(DataError, match=rf"{name}\.txt:3: .*{message}"):
        read_taobao(folder)
    data = read_taobao(folder, tolerance=0.5)
    assert data.skipped[-1].file.endswith(f"{name}.txt")
    assert (data.skipped[-1].count, data.skipped[-1].rows) == (1, 3)
    if name == "dim_items":
        assert data.items["title"].tolist() == ["Item 8 (category 42)", "Item 29 (category 155)"]
    else:
        assert data.match_sets == ((("29",), ("8",)), (("8",), ("29",)))


@given(st.integers(1, len("62 29 20150417") - 1))
def test_a_last_purchase_that_is_broken_off_is_refused(tmp_path_factory, length):
    folder = tmp_path_factory.mktemp("cut")
    (folder / HISTORY).write_text("\n".join([*BOUGHT * 50, BOUGHT[0][:length]]))
    with pytest.raises(DataError, match=rf"{HISTORY}:201: .*cut short; download it again"):
        read_taobao(folder, tolerance=1.0)


def test_the_last_line_needs_no_line_end(tmp_path):
    (tmp_path / HISTORY).write_text("\n".join(BOUGHT))
    assert len(read_taobao(tmp_path).interactions) == 3


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file_is_no_data_set(tmp_path, content):
    (tmp_path / HISTORY).write_text(content)
    with pytest.raises(DataError, match="holds no purchases"):
        read_taobao(tmp_path)


def test_where_every_line_is_bad_nothing_is_read(tmp_path):
    for line in ("x", "1 2 20150230"):
        with pytest.raises(DataError, match="holds no purchases"):
            read_taobao(write(tmp_path, [line]), tolerance=1.0)


def test_missing_and_ambiguous_files(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        read_taobao(tmp_path / "nowhere")
    with pytest.raises(DataError, match="not none"):
        read_taobao(tmp_path)
    write(tmp_path)
    (tmp_path / f"small_{HISTORY}").write_text("1 2 20150101\n")
    with pytest.raises(DataError, match="not both"):
        read_taobao(tmp_path)
    assert read_taobao(tmp_path / f"small_{HISTORY}").name == "Taobao fashion (small)"
    with pytest.raises(DataError, match="no such file"):
        read_taobao(tmp_path / "nowhere" / HISTORY)


purchases = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from([0, 3, 10**17]),
        st.dates(dt.date(2003, 1, 1), dt.date(2099, 12, 31)),
    ),
    min_size=1,
    max_size=25,
)


@given(purchases, st.booleans())
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_read_once_per_pair(tmp_path_factory, written, slow):
    folder = tmp_path_factory.mktemp("taobao")
    lines = [f"{user} {item} {day:%Y%m%d}" for user, item, day in written]
    data = read_taobao(write(folder, [*lines, "x"] if slow else lines), tolerance=0.5)
    earliest = {}
    for user, item, day in written:
        earliest[user, item] = min(day, earliest.get((user, item), day))
    wished = [(str(user), str(item), seconds(d.year, d.month, d.day)) for (user, item), d in earliest.items()]
    assert sorted(rows(data)) == sorted(wished)
    counts = {skipped.kind: skipped.count for skipped in data.skipped}
    assert counts.get("repeated", 0) == len(written) - len(earliest)
    assert counts.get("malformed", 0) == slow


def test_the_real_sample():
    folder = os.environ.get("SCREENTEST_DATA")
    if not folder or not (Path(folder) / "taobao-fashion").is_dir():
        pytest.skip("SCREENTEST_DATA names no folder that holds taobao-fashion/")
    data = read_taobao(Path(folder) / "taobao-fashion")
    inter = data.interactions
    assert (len(inter), len(data.users), len(np.unique(inter.item))) == (87_518, 82_745, 3_065)
    (skipped,) = data.skipped
    assert (skipped.kind, skipped.count, skipped.rows) == ("repeated", 12_482, 100_000)
    assert len(data.match_sets) == 23_105
    assert data.match_sets[1] == (("1842610",), ("2741506",))
    worn = {item for outfit in data.match_sets for place in outfit for item in place}
    assert worn <= set(data.items["item_id"])
    assert len(data.items) == 63_757
    assert (np.bincount(inter.user) >= 5).sum() == 37
    assert inter.time.min() == seconds(2014, 6, 14)
    assert inter.time.max() == seconds(2015, 6, 15)
    assert not (inter.time % DAY).any()
