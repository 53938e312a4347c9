from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.data import DataError, Dataset, Interactions, load, write_atomic
from recommender.data.atomic import read_atomic
from recommender.data.splitting import prepare

FILES = {
    "shop.inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    "u2\ti1\t3.5\t960000000\nu1\ti3\t\t9.6e8\nu2\ti3\t5\t960000001.0\n",
    "shop.user": "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
    "u1\t24\tM\twriter\t85711\nu2\t\t\t\t\n",
    "shop.item": "item_id:token\tmovie_title:token_seq\tyear:token\tgenre:token_seq\n"
    'i1\t"Great" Days, The\t1999\tDrama War\ni2\t\t\t\ni3\t5" Nails\t\tDrama\n',
}


def write(folder, changed=None):
    for name, text in (FILES | (changed or {})).items():
        if text is not None:
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def columns(inter):
    return [inter.user.tolist(), inter.item.tolist(), inter.rating.tolist(), inter.time.tolist()]


def assert_same(first, second):
    assert (first.name, first.synthetic) == (second.name, second.synthetic)
    assert first.users.to_dict("list") == second.users.to_dict("list")
    assert first.items.to_dict("list") == second.items.to_dict("list")
    for name in ("user", "item", "rating", "time"):
        one, other = getattr(first.interactions, name), getattr(second.interactions, name)
        assert one.dtype == other.dtype
        assert np.array_equal(one, other, equal_nan=name == "rating")


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_reads_every_file(tmp_path, ending):
    data = read_atomic(write(tmp_path, {name: text.replace("\n", ending) for name, text in FILES.items()}))
    assert (data.name, data.synthetic) == ("shop", False)
    assert data.users.to_dict("list") == {
        "user_id": ["u1", "u2"],
        "gender": ["M", None],
        "age": ["24", None],
        "occupation": ["writer", None],
        "zip": ["85711", None],
    }
    assert data.items.to_dict("list") == {
        "item_id": ["i1", "i2", "i3"],
        "title": ['"Great" Days, The', "i2", '5" Nails'],
        "genres": [("Drama", "War"), (), ("Drama",)],
        "description": ["", "", ""],
    }
    inter = data.interactions
    assert (inter.user.tolist(), inter.item.tolist()) == ([1, 0, 1], [0, 2, 2])
    assert inter.time.tolist() == [960000000, 960000000, 960000001]
    assert inter.rating[[0, 2]].tolist() == [3.5, 5]
    assert np.isnan(inter.rating[1])


def test_interactions_alone_are_enough_and_no_rating_column_means_no_rating(tmp_path):
    text = "item_id:token\ttimestamp:float\tuser_id:token\nb\t0\ty\n\na\t1\ty\nb\t0\tx"
    write(tmp_path, {"shop.inter": text, "shop.user": None, "shop.item": None})
    data = read_atomic(tmp_path / "shop.inter")
    assert data.users.to_dict("list") == {"user_id": ["y", "x"]}
    assert data.items["title"].tolist() == ["b", "a"]
    assert np.isnan(data.interactions.rating).all()
    assert columns(data.interactions)[:2] == [[0, 0, 1], [0, 1, 0]]
    assert not len(prepare(data, min_rating=5, core=1).test)
    assert prepare(data, min_rating=5, core=1).steps[1].interactions == 3


@pytest.mark.parametrize(
    ("cells", "genres"),
    [
        (["Drama War", "War"], [("Drama", "War"), ("War",)]),
        (["Skin Care > Face", "Body"], [("Skin Care", "Face"), ("Body",)]),
        (["Skin Care|Face > Eyes|", "Body Care"], [("Skin Care", "Face > Eyes"), ("Body Care",)]),
    ],
)
def test_lists_are_divided_as_their_column_is(tmp_path, cells, genres):
    rows = "".join(f"i{n + 1}\t{cell}\n" for n, cell in enumerate([*cells, ""]))
    data = read_atomic(write(tmp_path, {"shop.item": f"item_id:token\tcategories:token_seq\n{rows}"}))
    assert data.items["genres"].tolist() == [*genres, ()]


word = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\r\n"), min_size=1, max_size=8)
known_word = word.filter(lambda text: not text.isdigit())
genre = word.filter(lambda text: "|" not in text)


@st.composite
def whole_datasets(draw):
    user_ids = draw(st.lists(word, min_size=1, max_size=5, unique=True))
    item_ids = draw(st.lists(word, min_size=1, max_size=5, unique=True))
    fields = {
        "name": word,
        "gender": st.sampled_from("FM"),
        "age": word,
        "occupation": known_word,
        "zip": word,
    }
    users = {"user_id": user_ids} | {
        name: [draw(st.none() | values) for _ in user_ids]
        for name, values in fields.items()
        if draw(st.booleans())
    }
    items = {
        "item_id": item_ids,
        "title": [draw(word) for _ in item_ids],
        "genres": [tuple(draw(st.lists(genre, max_size=3))) for _ in item_ids],
        "description": [draw(word | st.just("")) for _ in item_ids],
    }
    pairs = st.tuples(st.integers(0, len(user_ids) - 1), st.integers(0, len(item_ids) - 1))
    chosen = np.array(draw(st.lists(pairs, min_size=1, unique=True)), dtype=np.int32)
    rating = st.just(np.nan) | st.floats(-10, 10, width=32)
    return Dataset(
        draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 .-]{0,8}[a-z]", fullmatch=True)),
        synthetic=draw(st.booleans()),
        users=pd.DataFrame({name: pd.Series(column, dtype=object) for name, column in users.items()}),
        items=pd.DataFrame({name: pd.Series(column, dtype=object) for name, column in items.items()}),
        interactions=Interactions(
            chosen[:, 0],
            chosen[:, 1],
            np.array([draw(rating) for _ in chosen], dtype=np.float32),
            np.array([draw(st.integers(0, 2**53)) for _ in chosen], dtype=np.int64),
        ),
    )


@given(whole_datasets())
def test_what_is_written_reads_back_the_same(tmp_path_factory, data):
    folder = write_atomic(data, tmp_path_factory.mktemp("atomic"))
    assert_same(read_atomic(folder), data)


def test_recboles_own_reading_agrees(tmp_path):
    """RecBole's `_load_feat`, in short: pandas with its defaults for quotation marks, sequences divided at blanks."""
    data = read_atomic(write(tmp_path, {"shop.item": FILES["shop.item"].replace("i2\t", 'i2\t"""')}))
    folder = write_atomic(data, tmp_path / "again")
    items = pd.read_csv(folder / "shop.item", sep="\t", engine="python", dtype=str, keep_default_na=False)
    assert items.columns.tolist() == ["item_id:token", "title:token_seq", "genre:token_seq"]
    assert items["title:token_seq"].tolist() == data.items["title"].tolist()
    assert [tuple(cell.split()) for cell in items["genre:token_seq"]] == data.items["genres"].tolist()
    inter = pd.read_csv(folder / "shop.inter", sep="\t")
    assert inter["rating:float"].tolist() == pytest.approx([3.5, np.nan, 5], nan_ok=True)


def test_generated_data_stay_synthetic(tmp_path):
    data = load("embedded")
    folder = write_atomic(data, tmp_path)
    assert folder.name == "embedded-synthetic"
    assert_same(load("atomic", folder), data)


INTER = "user_id:token\titem_id:token\ttimestamp:float\n"
BAD = {
    "an empty file": ("shop.inter", "", r"shop\.inter: the file is empty"),
    "only a header": ("shop.inter", INTER, r"shop\.inter: holds no interactions"),
    "commas": ("shop.inter", "user_id:token,item_id:token\n1,2\n", r"shop\.inter:1: .*tabs between columns"),
    "no types": (
        "shop.inter",
        "user_id\titem_id\ttimestamp\nu1\ti1\t1\n",
        r"shop\.inter:1: 'user_id' is not",
    ),
    "an unknown type": (
        "shop.inter",
        INTER.replace("float", "int") + "u1\ti1\t1\n",
        r"shop\.inter:1: 'timest",
    ),
    "no time": (
        "shop.inter",
        "user_id:token\titem_id:token\nu1\ti1\n",
        r"shop\.inter:1: no column 'timestamp'; the columns are user_id, item_id",
    ),
    "a column twice": (
        "shop.inter",
        "user_id:token\tuser_id:token\titem_id:token\n",
        r"shop\.inter:1: column 'user_id:token' is named twice",
    ),
    "a column twice by type": (
        "shop.inter",
        "user_id:token\tuser_id:float\titem_id:token\n",
        r"shop\.inter:1: column 'user_id' is named twice",
    ),
    "a cell too few": ("shop.inter", INTER + "u1\ti1\t1\n\nu2\ti1\n", r"shop\.inter:4: 2 cells where 3"),
    "a cell too many": ("shop.inter", INTER + "u1\ti1\t1\t1\n", r"shop\.inter:2: 4 cells where 3"),
    "a time of words": (
        "shop.inter",
        INTER + "u1\ti1\t1\nu2\ti1\tnoon\n",
        r"shop\.inter:3: timestamp 'noon'",
    ),
    "a negative time": ("shop.inter", INTER + "u1\ti1\t-1\n", r"shop\.inter:2: timestamp '-1' is not a time"),
    "a broken second": ("shop.inter", INTER + "u1\ti1\t1.5\n", r"shop\.inter:2: timestamp '1\.5' is not"),
    "an endless time": ("shop.inter", INTER + "u1\ti1\tinf\n", r"shop\.inter:2: timestamp 'inf' is not"),
    "an empty time": ("shop.inter", INTER + "u1\ti1\t1\nu1\ti2\t\n", r"shop\.inter:3: timestamp '' is not"),
    "a rating of words": (
        "shop.inter",
        FILES["shop.inter"] + "u1\ti1\tgood\t1\n",
        r"shop\.inter:5: rating 'good' is not a number",
    ),
    "a rating of nan": (
        "shop.inter",
        FILES["shop.inter"] + "u1\ti1\tnan\t1\n",
        r"shop\.inter:5: rating 'nan' is not a number",
    ),
    "an unknown user": (
        "shop.inter",
        INTER + "u3\ti1\t1\n",
        r"shop\.inter:2: user_id 'u3' is not in .*\.user",
    ),
    "an unknown item": (
        "shop.inter",
        INTER + "u1\ti9\t1\n",
        r"shop\.inter:2: item_id 'i9' is not in .*\.item",
    ),
    "an empty user": ("shop.inter", INTER + "u1\ti1\t1\n\ti2\t1\n", r"shop\.inter:3: user_id is empty"),
    "no UTF-8": (
        "shop.item",
        b"item_id:token\ti:token\ni1\tx\ni2\t\xff\n",
        r"shop\.item:3: the line is not UTF-8",
    ),
    "an item twice": (
        "shop.item",
        "item_id:token\ni1\ni2\ni1\n",
        r"shop\.item:4: item_id 'i1' stands at .*shop\.item:2 already",
    ),
    "no id of items": ("shop.item", "title:token\nx\n", r"shop\.item:1: no column 'item_id'"),
    "a gender by code": (
        "shop.user",
        "user_id:token\tgender:token\nu1\tM\nu2\t1\n",
        r"shop\.user:3: gender '1' should be F, M or empty: a code",
    ),
    "an occupation by code": (
        "shop.user",
        "user_id:token\toccupation:token\nu1\t10\nu2\t\n",
        r"shop\.user:2: occupation '10' should be words",
    ),
}


@pytest.mark.parametrize(("name", "text", "message"), BAD.values(), ids=BAD.keys())
def test_says_which_line_is_wrong(tmp_path, name, text, message):
    with pytest.raises(DataError, match=message):
        read_atomic(write(tmp_path, {name: text}))


def test_the_folder_must_hold_one_data_set(tmp_path):
    with pytest.raises(DataError, match=r"should hold one \.inter file, not none"):
        read_atomic(tmp_path)
    write(tmp_path, {"other.inter": INTER})
    with pytest.raises(DataError, match=r"not other\.inter, shop\.inter; or give the file"):
        read_atomic(tmp_path)
    with pytest.raises(DataError, match=r"gone: no such folder"):
        read_atomic(tmp_path / "gone")
    with pytest.raises(DataError, match=r"gone\.inter: no such file"):
        read_atomic(tmp_path / "gone.inter")


@pytest.mark.parametrize(
    ("table", "column", "value", "message"),
    [
        (
            "items",
            "title",
            "two\nlines",
            r"shop\.item: title:token_seq 'two\\nlines' holds a tab, a line end",
        ),
        ("items", "description", "a\tb", r"shop\.item: description:token_seq 'a\\tb' holds a tab"),
        ("items", "title", "\ud83d", r"shop\.item: .* holds a tab, a line end or half a character"),
        ("items", "title", "", r"shop\.item: a cell of title:token_seq would be empty"),
        ("items", "genres", ("Drama|War",), "a genre is empty or holds"),
        ("users", "user_id", "", r"shop\.inter: a cell of user_id:token would be empty"),
    ],
)
def test_what_the_format_cannot_hold_is_refused_and_nothing_is_left(tmp_path, table, column, value, message):
    data = read_atomic(write(tmp_path))
    getattr(data, table)[column] = pd.Series([value] * len(getattr(data, table)), dtype=object)
    with pytest.raises(DataError, match=message):
        write_atomic(data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../shop", "/shop", "..", "", "a\0b", "\ud83d", "n" * 300, "映" * 99])
def test_a_name_that_no_file_can_have_is_refused(tmp_path, name):
    data = replace(read_atomic(write(tmp_path)), name=name)
    with pytest.raises(DataError, match="cannot be the name of files"):
        write_atomic(data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    data = read_atomic(write(tmp_path))
    (tmp_path / "out").write_text("mine")
    with pytest.raises(DataError, match=r"out/shop: cannot be written \(File exists\)"):
        write_atomic(data, tmp_path / "out")


def test_nothing_is_written_over(tmp_path):
    data = read_atomic(write(tmp_path))
    write_atomic(data, tmp_path / "out")
    with pytest.raises(DataError, match=r"out/shop: exists"):
        write_atomic(data, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["shop"]


def test_the_real_amazon_beauty_has_its_published_counts(beauty_folder, tmp_path):
    data = load("atomic", beauty_folder)
    assert not data.clock
    split = prepare(data, min_rating=3, core=5)
    assert [(step.step, step.users, step.items, step.interactions) for step in split.steps] == [
        ("read", 22_363, 12_101, 198_502),
        ("rating >= 3 or none", 22_363, 12_101, 198_502),
        ("5-core", 22_363, 12_101, 198_502),
    ]
    assert data.items["genres"][0] == ("Makeup", "Nails", "Nail Polish")
    assert_same(load("atomic", write_atomic(data, tmp_path)), data)
