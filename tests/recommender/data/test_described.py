import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recommender.data import DataError, load
from recommender.data.described import read_described

YAML = """\
name: My shop
interactions:
  file: bought.csv
  separator: ";"
  user: customer
  item: sku
  rating: stars
  time: at
users:
  file: people.csv
  user: customer
  name: first name
  gender: sex
  genders: {w: F, m: M}
  age: years
items:
  file: goods.csv
  item: sku
  title: label
  genres: tags
  genre_separator: ","
  description: blurb
"""
FILES = {
    "shop.yaml": YAML,
    "bought.csv": "at;sku;customer;stars;till\n100;a;2;4.5;x\n101;b;1;;y\n102;a;1;2;y\n",
    "people.csv": "customer,first name,sex,years\n1,Anna,w,24\n2,,,\n",
    "goods.csv": 'sku,label,tags,blurb\na,"Lamp, red","Light, Home",\nb,Chair,,"Two\nlines"\n',
}


def write(folder, changed=None):
    for name, text in (FILES | (changed or {})).items():
        (folder / name).write_bytes(text.encode("latin-1"))
    return folder / "shop.yaml"


def rows(data):
    inter = data.interactions
    return [inter.user.tolist(), inter.item.tolist(), inter.time.tolist()]


def test_reads_text_as_described(tmp_path):
    data = read_described(write(tmp_path))
    assert (data.name, data.synthetic) == ("My shop", False)
    assert data.users.to_dict("list") == {
        "user_id": ["1", "2"],
        "name": ["Anna", None],
        "gender": ["F", None],
        "age": ["24", None],
    }
    assert data.items.to_dict("list") == {
        "item_id": ["a", "b"],
        "title": ["Lamp, red", "Chair"],
        "genres": [("Light", "Home"), ()],
        "description": ["", "Two\nlines"],
    }
    assert rows(data) == [[1, 0, 0], [0, 1, 0], [100, 101, 102]]
    assert np.array_equal(data.interactions.rating, [4.5, np.nan, 2], equal_nan=True)


def test_reads_parquet_with_its_own_types(tmp_path):
    at = [dt.datetime(2001, 9, 9, 1, 46, 40 + n, 500_000, tzinfo=dt.UTC) for n in range(2)]
    zone = pa.timestamp("ms", "America/New_York")
    pq.write_table(pa.table({"u": [7, 8], "i": [1, 1], "t": pa.array(at, zone)}), tmp_path / "bought.parquet")
    pq.write_table(
        pa.table({"i": [1, 2], "l": ["Lamp", "Chair"], "g": [["Light", "Home"], None]}),
        tmp_path / "goods.parquet",
    )
    text = (
        "name: P\nsynthetic: true\n"
        "interactions: {file: bought.parquet, user: u, item: i, time: t}\n"
        "items: {file: goods.parquet, item: i, title: l, genres: g}\n"
    )
    data = load("table", write(tmp_path, {"shop.yaml": text}))
    assert data.synthetic
    assert data.users.to_dict("list") == {"user_id": ["7", "8"]}
    assert data.items["genres"].tolist() == [("Light", "Home"), ()]
    assert rows(data) == [[0, 1], [0, 0], [1_000_000_000, 1_000_000_001]]
    assert np.isnan(data.interactions.rating).all()


def test_milliseconds_become_seconds(tmp_path):
    text = YAML.replace("  time: at\n", "  time: at\n  time_unit: milliseconds\n")
    bought = FILES["bought.csv"].replace("100;", "960000000999;")
    assert rows(read_described(write(tmp_path, {"shop.yaml": text, "bought.csv": bought})))[2] == [
        960000000,
        0,
        0,
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "  user: customer\n  item: sku\n",
            "  user: customer\n",
            r"shop\.yaml:2: interactions\.item is missing",
        ),
        ("  time: at", "  tiem: at", r"shop\.yaml:8: interactions\.tiem is no key"),
        ("  time: at", "  time: 5", r"shop\.yaml:8: interactions\.time Input should be a valid string"),
        ("  time: at", "  time: when", r"bought\.csv:1: no column 'when'; the columns are at, sku, customer"),
        ("label", "labl", r"goods\.csv:1: no column 'labl'"),
        ("years", "yaers", r"people\.csv:1: no column 'yaers'"),
        ("{w: F, m: M}", "{w: X}", r"shop\.yaml:14: users\.genders\.w Input should be 'F' or 'M'"),
        (
            "{w: F, m: M}",
            "{m: M}",
            r"people\.csv:2: sex 'w' is not one of m; say what it means in users\.gen",
        ),
        ("name: My shop", "name: [", r"shop\.yaml:3: expected ',' or '\]'"),
        ("name: My shop", "- x", r"shop\.yaml:2: "),
        ("name: My shop", "name: " + "[" * 5_000, r"shop\.yaml: opens more than 100 brackets"),
        (YAML, "- " * 5_000, r"shop\.yaml: is nested too deeply"),
        (YAML, "1,2,3\n" * 9_999, r"shop\.yaml: has more than 16,384 bytes; .* the short YAML file"),
        ("name: My shop\n", "", r"shop\.yaml:1: name is missing"),
        ("name: My shop", "name: a\nname: b", r"shop\.yaml:\d+: .*duplicate key"),
        ("bought.csv", "gone.csv", r"gone\.csv: no such file"),
        ("bought.csv", "bought.parquet", r"bought\.parquet: no such file"),
        ('separator: ";"', 'separator: ","', r"bought\.csv:1: no column 'customer'; the columns are at;sku"),
    ],
)
def test_a_wrong_description_has_its_line(tmp_path, old, new, message):
    assert old in YAML
    with pytest.raises(DataError, match=message):
        read_described(write(tmp_path, {"shop.yaml": YAML.replace(old, new, 1)}))


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("bought.csv", "102;a", "102;c", r"bought\.csv:4: sku 'c' is not in .*goods\.csv"),
        ("bought.csv", "a;1;2", "a;3;2", r"bought\.csv:4: customer '3' is not in .*people\.csv"),
        ("bought.csv", "102", "-102", r"bought\.csv:4: at '-102' is not a time"),
        ("bought.csv", "102", "2020-01-01", r"bought\.csv:4: at '2020-01-01' is not a time"),
        ("bought.csv", "102;", "102,", r"bought\.csv:4: 4 cells where 5 were expected"),
        ("goods.csv", "Chair", "", r"goods\.csv:3: label is empty; an item needs a title"),
        ("people.csv", "2,,,", "2,Jürgen,,", r"people\.csv:3: the line is not UTF-8"),
        ("people.csv", "first name", "prénom", r"people\.csv:1: byte 12 of the line is not UTF-8"),
        ("people.csv", "first name", '"first name', r"people\.csv:1: a quotation mark is not closed"),
        ("people.csv", "first name", "sex", r"people\.csv:1: column 'sex' is named twice"),
        ("bought.csv", "4.5", "1e39", r"bought\.csv:2: stars '1e39' is not a number of common size"),
        ("people.csv", "2,,,", "1,,,", r"people\.csv:3: customer '1' stands at .*people\.csv:2 already"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, name, old, new, message):
    assert old in FILES[name]
    with pytest.raises(DataError, match=message):
        read_described(write(tmp_path, {name: FILES[name].replace(old, new, 1)}))


def test_a_row_of_parquet_is_named_by_number(tmp_path):
    table = pa.table({"customer": ["1", "2"], "sku": ["a", "a"], "stars": [1.0, 2.0], "at": [1, None]})
    pq.write_table(table, tmp_path / "bought.parquet")
    text = YAML.replace("bought.csv", "bought.parquet")
    with pytest.raises(DataError, match=r"bought\.parquet: row 2: at '' is not a time"):
        read_described(write(tmp_path, {"shop.yaml": text}))
    raw = (tmp_path / "bought.parquet").read_bytes()
    (tmp_path / "bought.parquet").write_bytes(raw[:-10])
    with pytest.raises(DataError, match=r"bought\.parquet: is not a whole Parquet file"):
        read_described(tmp_path / "shop.yaml")


def test_a_folder_is_no_description(tmp_path):
    with pytest.raises(DataError, match=r"is a folder; data\.path of a table is the YAML file"):
        read_described(tmp_path)
    with pytest.raises(DataError, match=r"gone\.yaml: no such file"):
        read_described(tmp_path / "gone.yaml")


def test_real_ratings_described_are_the_ones_their_own_reader_reads(ml1m_folder, tmp_path):
    own = load("ml-1m", ml1m_folder)
    inter = own.interactions
    users, items = own.users["user_id"].to_numpy(), own.items["item_id"].to_numpy()
    columns = {"u": users[inter.user], "i": items[inter.item], "r": inter.rating, "t": inter.time}
    pq.write_table(pa.table(columns), tmp_path / "r.parquet")
    pq.write_table(pa.Table.from_pandas(own.items), tmp_path / "m.parquet")
    pq.write_table(pa.Table.from_pandas(own.users), tmp_path / "u.parquet")
    text = (
        "name: MovieLens-1M\n"
        "interactions: {file: r.parquet, user: u, item: i, rating: r, time: t}\n"
        "users: {file: u.parquet, user: user_id, gender: gender, age: age, occupation: occupation, zip: zip}\n"
        "items: {file: m.parquet, item: item_id, title: title, genres: genres}\n"
    )
    data = read_described(write(tmp_path, {"shop.yaml": text}))
    assert data.users.to_dict("list") == own.users.to_dict("list")
    assert data.items.to_dict("list") == own.items.to_dict("list")
    for name in ("user", "item", "rating", "time"):
        assert np.array_equal(getattr(data.interactions, name), getattr(inter, name))


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (pa.array([1, None], pa.timestamp("ns")), r"row 2: at '' is not a time"),
        (pa.array([[1], [2]]), r"column at of type list<.*> cannot be read as text"),
        (pa.array([b"\xff", b"1"]), r"column at of type binary cannot be read as text"),
        (pa.array([1, 2], pa.duration("s")), r"column at of type duration\[s\] holds no times"),
    ],
)
def test_a_column_of_parquet_that_holds_no_times_is_named(tmp_path, at, message):
    pq.write_table(
        pa.table({"customer": ["1", "2"], "sku": ["a", "a"], "stars": [1.0, 2.0], "at": at}),
        tmp_path / "bought.parquet",
    )
    text = YAML.replace("bought.csv", "bought.parquet")
    with pytest.raises(DataError, match=message):
        read_described(write(tmp_path, {"shop.yaml": text}))


def test_days_are_times_and_categories_are_text(tmp_path):
    days = pa.array([dt.date(1970, 1, 2), dt.date(1970, 1, 3)])
    columns = {
        "customer": pa.array(["1", "2"]).dictionary_encode(),
        "sku": ["a", "a"],
        "stars": [1, None],
        "at": days,
    }
    pq.write_table(pa.table(columns), tmp_path / "bought.parquet")
    data = read_described(write(tmp_path, {"shop.yaml": YAML.replace("bought.csv", "bought.parquet")}))
    assert rows(data) == [[0, 1], [0, 0], [86_400, 172_800]]


def test_the_example_of_the_docs_reads_what_it_describes(tmp_path):
    text = (Path(__file__).parents[3] / "docs" / "data.md").read_text()
    example = text.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "shop.yaml").write_text(example)
    (tmp_path / "purchases.csv").write_text("customer,sku,stars,bought_at\nc1,s1,4,960000000999\nc2,s1,,1\n")
    (tmp_path / "people.csv").write_text("customer,sex,years,job\nc1,f,34,nurse\nc2,,,\n")
    words = {"sku": ["s1"], "label": ["Lamp"], "tags": ["Light|Home"], "blurb": ["Bright."]}
    goods = pa.table({**words, "photo": ["lamp.jpg"]})
    pq.write_table(goods, tmp_path / "goods.parquet")
    data = load("table", tmp_path / "shop.yaml")
    assert data.users["gender"].tolist() == ["F", None]
    photo = str((tmp_path / "lamp.jpg").resolve())
    assert data.items.iloc[0].tolist() == ["s1", "Lamp", ("Light", "Home"), "Bright.", photo]
    assert rows(data) == [[0, 1], [0, 0], [960000000, 0]]
