import numpy as np
import pytest

from recommender.data import DataError
from recommender.data.movielens import read_ml1m, read_ml100k
from recommender.data.splitting import prepare

ML1M = {
    "users.dat": ["1::F::1::10::48067", "2::M::56::0::70072-1234", "9::M::25::15::"],
    "movies.dat": [
        "1::Toy Story (1995)::Animation|Children's|Comedy",
        "4::Misérables, Les (1995)::Drama|Musical",
        "7::City of Lost Children, The (Cité des enfants perdus, La) (1995)::",
    ],
    "ratings.dat": ["1::4::5::978300019", "1::1::3::978300055", "9::7::1::978300760", "2::4::2::978302268"],
}
FLAGS = ["0"] * 19
ML100K = {
    "u.user": ["1|24|M|technician|85711", "2|53|F|other|94043", "3|7|M|none|"],
    "u.item": [
        "|".join(
            [
                "1",
                "Toy Story (1995)",
                "01-Jan-1995",
                "",
                "http://x/y?a,b",
                *FLAGS[:3],
                "1",
                "1",
                "1",
                *FLAGS[6:],
            ]
        ),
        "|".join(["2", "Amélie", "", "", "", "1", *FLAGS[1:]]),
    ],
    "u.data": ["1\t2\t3\t881250949", "3\t1\t5\t891717742"],
}


def write(folder, files, ending="\n"):
    for name, lines in files.items():
        (folder / name).write_bytes("".join(line + ending for line in lines).encode("latin-1"))
    return folder


def columns(inter):
    return [inter.user.tolist(), inter.item.tolist(), inter.rating.tolist(), inter.time.tolist()]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_reads_movielens_1m(tmp_path, ending):
    data = read_ml1m(write(tmp_path, ML1M, ending))
    assert data.users.to_dict("list") == {
        "user_id": ["1", "2", "9"],
        "gender": ["F", "M", "M"],
        "age": ["Under 18", "56+", "25-34"],
        "occupation": ["K-12 student", None, "scientist"],
        "zip": ["48067", "70072-1234", None],
    }
    assert data.items["item_id"].tolist() == ["1", "4", "7"]
    assert data.items["title"].tolist()[1:] == [
        "Misérables, Les (1995)",
        "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
    ]
    assert data.items["genres"].tolist() == [("Animation", "Children's", "Comedy"), ("Drama", "Musical"), ()]
    assert columns(data.interactions) == [
        [0, 0, 2, 1],
        [1, 0, 2, 1],
        [5, 3, 1, 2],
        [978300019, 978300055, 978300760, 978302268],
    ]
    assert not data.synthetic


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_reads_movielens_100k(tmp_path, ending):
    data = read_ml100k(write(tmp_path, ML100K, ending))
    assert data.users.to_dict("list") == {
        "user_id": ["1", "2", "3"],
        "gender": ["M", "F", "M"],
        "age": ["24", "53", "7"],
        "occupation": ["technician", None, None],
        "zip": ["85711", "94043", None],
    }
    assert data.items["title"].tolist() == ["Toy Story (1995)", "Amélie"]
    assert data.items["genres"].tolist() == [("Animation", "Children's", "Comedy"), ()]
    assert columns(data.interactions) == [[0, 2], [1, 0], [3, 5], [881250949, 891717742]]


def test_a_missing_value_is_none_and_not_nan(tmp_path):
    users = read_ml1m(write(tmp_path, ML1M)).users
    assert users["occupation"][1] is None
    assert users["zip"][2] is None


def test_a_file_need_not_end_in_a_line_end_and_may_have_empty_lines(tmp_path):
    write(tmp_path, ML1M)
    (tmp_path / "ratings.dat").write_text("\n\n1::4::5::978300019\n\n2::1::1::978300020")
    assert columns(read_ml1m(tmp_path).interactions)[:2] == [[0, 1], [1, 0]]


BAD_1M = {
    "an empty file": ("ratings.dat", [], r"ratings\.dat: the file is empty"),
    "only line ends": ("ratings.dat", ["", ""], r"ratings\.dat: the file is empty"),
    "a field too few": (
        "ratings.dat",
        ["1::4::5::9", "1::1::3"],
        r"ratings\.dat:2: 3 cells where 4 were expected",
    ),
    "a field too many": ("ratings.dat", ["1::4::5::9", "1::1::3::9::9"], r"ratings\.dat:2: "),
    "a field too many on every line": ("ratings.dat", ["1::4::5::9::9"], r"ratings\.dat:1: "),
    "an empty field": ("ratings.dat", ["1::4::5::9", "1::::3::9"], r"ratings\.dat:2: "),
    "a word": ("ratings.dat", ["1::4::5::9", "1::four::3::9"], r"ratings\.dat:2: item 'four' is not in"),
    "half a star": (
        "ratings.dat",
        ["1::4::5::9", "", "1::1::3.5::9"],
        r"ratings\.dat:3: rating '3\.5' is not one of 1, 2, 3",
    ),
    "six stars": ("ratings.dat", ["1::4::6::9"], r"ratings\.dat:1: "),
    "no stars": ("ratings.dat", ["1::4::5::9", "1::1::0::9"], r"ratings\.dat:2: "),
    "a minus": ("ratings.dat", ["1::4::5::-9"], r"ratings\.dat:1: "),
    "a blank": ("ratings.dat", ["1::4::5::9", "   "], r"ratings\.dat:2: "),
    "tabs": ("ratings.dat", ["1\t4\t5\t9"], r"ratings\.dat:1: 1 cells where 4 .* with '::' between"),
    "commas": ("ratings.dat", ["userId,movieId,rating,timestamp", "1,4,5,9"], r"ratings\.dat:1: "),
    "single colons": ("ratings.dat", ["1:4:5:9"], r"ratings\.dat:1: "),
    "a number too long": ("ratings.dat", ["1::4::5::" + "9" * 30], r"ratings\.dat:1: "),
    "an unknown user": (
        "ratings.dat",
        ["1::4::5::9", "", "3::1::3::9"],
        r"ratings\.dat:3: user '3' is not in .*users\.dat",
    ),
    "an unknown movie": (
        "ratings.dat",
        ["1::4::5::9", "1::5::3::9"],
        r"ratings\.dat:2: item '5' is not in .*movies\.dat",
    ),
    "a movie past the last": (
        "ratings.dat",
        ["1::8::5::9"],
        r"ratings\.dat:1: item '8' is not in .*movies\.dat",
    ),
    "no users": ("users.dat", [], r"users\.dat: the file is empty"),
    "a user twice": (
        "users.dat",
        [*ML1M["users.dat"], "2::F::1::1::1"],
        r"users\.dat:4: UserID '2' stands at .*users\.dat:2 already",
    ),
    "a user without an id": ("users.dat", ["", "::F::1::10::48067"], r"users\.dat:2: UserID is empty"),
    "a user's field too few": ("users.dat", ["1::F::1::10"], r"users\.dat:1: 4 cells where 5 were expected"),
    "a gender": ("users.dat", ["", "1::X::1::10::48067"], r"users\.dat:2: gender 'X' is not one of F, M"),
    "an age": ("users.dat", ["1::F::2::10::48067"], r"users\.dat:1: age '2' is not one of 1, 18"),
    "an occupation": (
        "users.dat",
        ["1::F::1::21::48067"],
        r"users\.dat:1: occupation '21' is not one of 0, 1",
    ),
    "a movie twice": (
        "movies.dat",
        [*ML1M["movies.dat"], "4::B::Drama"],
        r"movies\.dat:4: MovieID '4' stands at .*movies\.dat:2",
    ),
    "a separator inside a title": ("movies.dat", ["1::A::B::Drama"], r"movies\.dat:1: 4 cells where 3"),
}


@pytest.mark.parametrize(("name", "lines", "message"), BAD_1M.values(), ids=BAD_1M.keys())
def test_says_which_line_of_movielens_1m_is_wrong(tmp_path, name, lines, message):
    write(tmp_path, ML1M | {name: lines})
    with pytest.raises(DataError, match=message):
        read_ml1m(tmp_path)


BAD_100K = {
    "colons": ("u.data", ["1::2::3::881250949"], r"u\.data:1: 1 cells where 4"),
    "blanks": ("u.data", ["1\t2\t3\t881250949", "1 1 3 881250949"], r"u\.data:2: "),
    "an unknown item": ("u.data", ["1\t2\t3\t9", "1\t3\t3\t9"], r"u\.data:2: item '3' is not in .*u\.item"),
    "an age": (
        "u.user",
        ["1|young|M|writer|85711"],
        r"u\.user:1: age 'young' is not a whole number from 1 to 120",
    ),
    "a flag": (
        "u.item",
        ["|".join(["1", "A", "", "", "", "2", *FLAGS[1:]])],
        r"u\.item:1: flag of unknown '2'",
    ),
    "a flag too few": (
        "u.item",
        ["|".join(["1", "A", "", "", "", *FLAGS[1:]])],
        r"u\.item:1: 23 cells where 24",
    ),
}


@pytest.mark.parametrize(("name", "lines", "message"), BAD_100K.values(), ids=BAD_100K.keys())
def test_says_which_line_of_movielens_100k_is_wrong(tmp_path, name, lines, message):
    write(tmp_path, ML100K | {name: lines})
    with pytest.raises(DataError, match=message):
        read_ml100k(tmp_path)


@pytest.mark.parametrize(("read", "files"), [(read_ml1m, ML1M), (read_ml100k, ML100K)])
def test_says_which_file_is_missing_and_how_to_name_the_folder(tmp_path, read, files):
    for name in files:
        write(tmp_path, files)
        (tmp_path / name).unlink()
        with pytest.raises(DataError, match=rf"{name}: no such file; .*data\.path=FOLDER"):
            read(tmp_path)


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    write(tmp_path, {name: lines for name, lines in ML1M.items() if name != "movies.dat"})
    (tmp_path / "movies.dat").mkdir()
    with pytest.raises(DataError, match=r"movies\.dat: cannot be read"):
        read_ml1m(tmp_path)


def test_the_real_movielens_1m_has_its_published_counts(ml1m_folder):
    data = read_ml1m(ml1m_folder)
    split = prepare(data, min_rating=3, core=5)
    assert [(step.users, step.items, step.interactions) for step in split.steps] == [
        (6040, 3706, 1_000_209),
        (6039, 3628, 836_478),
        (6038, 3307, 835_789),
    ]
    assert len(data.items) == 3883
    assert sum(value is None for value in data.users["occupation"]) == 711
    # The README of the data set: "all users have at least 20 ratings".
    assert np.bincount(data.interactions.user).min() == 20
