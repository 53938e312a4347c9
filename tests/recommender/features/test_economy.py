import csv
import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.data import DataError, load
from recommender.data.embedded.census import OCCUPATIONS, STATE_PREFIXES
from recommender.data.movielens import read_ml1m
from recommender.features.economy import economic_scores, find_state, find_wage
from recommender.features.economy.build import build_tables
from recommender.features.economy.tables import read_table

OCCUPATIONS_100K = (
    "administrator artist doctor educator engineer entertainment executive healthcare homemaker lawyer librarian "
    "marketing none other programmer retired salesman scientist student technician writer"
).split()


@pytest.fixture(scope="module")
def geo():
    root = os.environ.get("SCREENTEST_DATA")
    if not root:
        pytest.skip("SCREENTEST_DATA is not set: no real data")
    return Path(root) / "geo"


def code_of(zip_code):
    state = find_state(zip_code)
    return None if state is None else state.code


@pytest.mark.parametrize(
    ("zip_code", "state"),
    [
        ("01002", "MA"),
        ("98107-2117", "WA"),
        ("981072117", "WA"),
        (" 55105 ", "MN"),
        ("00602", "PR"),
        ("06390", "NY"),  # Fishers Island, by ferry from Connecticut
        ("06320", "CT"),
        ("96799", "AS"),
        ("96813", "HI"),
        ("98074", "WA"),  # assigned, but not in the list: by its sorting centre
    ],
)
def test_a_zip_code_lies_in_its_state(zip_code, state):
    assert code_of(zip_code) == state


@pytest.mark.parametrize(
    "code",
    [
        "",
        "1002",
        "495321",
        "2020010",
        "V6B 1A1",
        "SW1A 2AA",
        "98107-21",
        "-98107",
        "９８１０７",
        "34567",  # no listed code begins with 345
        "09142",  # a field post office
        "06399",  # unlisted, and codes of 063 lie in two states
    ],
)
def test_what_lies_in_no_known_state_is_unknown(code):
    assert find_state(code) is None


def test_every_zip_code_of_the_embedded_people_lies_in_the_state_it_was_drawn_for():
    for state, (_, prefixes) in STATE_PREFIXES.items():
        assert {code_of(f"{prefix}{n:02d}") for prefix in prefixes.split() for n in range(1, 12)} == {state}


def test_states_have_a_name_a_division_and_all_but_islands_an_income():
    states = {row["prefix"]: find_state(row["prefix"].ljust(5, "0")) for row in read_table("zip_states.csv")}
    known = {state for state in states.values() if state is not None}
    assert len({state.name for state in known}) == len(known) == 59
    inland = {state for state in known if state.division != "Outlying areas"}
    assert len(inland) == 51
    assert len({state.division for state in inland}) == 9
    assert {state.code for state in known - inland if state.income is not None} == {"PR"}
    assert all(state.income is not None and 35_000 < state.income < 80_000 for state in inland)
    by_income = sorted(inland, key=lambda state: state.income)
    assert (by_income[0].name, by_income[-1].name) == ("Mississippi", "Maryland")


def test_the_shipped_tables_are_what_the_builder_makes_of_the_sources(geo):
    shipped = files("recommender.features.economy")
    for name, text in build_tables(geo).items():
        assert (shipped / name).read_text(encoding="utf-8") == text, name


def test_every_listed_zip_code_is_resolved_exactly(geo):
    with (geo / "zipcodes.csv").open(encoding="utf-8") as lines:
        listed = {row["zip_code"]: row["state"] for row in csv.DictReader(lines)}
    assert len(listed) > 42_000
    assert {code: state for code, state in listed.items() if code_of(code) != state} == {}


def test_nearly_all_of_movielens_lives_in_a_known_state(ml1m_folder):
    states = [find_state(code) for code in read_ml1m(ml1m_folder).users["zip"]]
    assert sum(state is not None for state in states) == 6_014


def test_the_command_writes_the_tables_again_and_says_what_is_missing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "recommender.features.economy", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 1
    assert f"{tmp_path / 'income.json'} cannot be read: No such file or directory" in done.stderr
    assert "Traceback" not in done.stderr


BRACKETS = [
    "<10000",
    "10000 to 14999",
    "15000 to 24999",
    "25000 to 34999",
    "35000 to 49999",
    "50000 to 74999",
    "75000 to 99999",
    "100000 to 149999",
    "150000 to 199999",
    "200000+",
]


def sources(folder, shares, codes="zip_code,state\n01002,MA\n06001,CT\n06390,NY\n"):
    rows = [
        {"name": "Massachusetts", "group": group, "pct": share} for group, share in reversed(shares.items())
    ]
    (folder / "income.json").write_text(json.dumps(rows))
    (folder / "zipcodes.csv").write_text(codes)
    return folder


def shares_of(**given):
    return dict.fromkeys(BRACKETS, 0.0) | given


def income_of(tables):
    return next(row for row in csv.DictReader(tables["states.csv"].splitlines()) if row["state"] == "MA")[
        "income"
    ]


def test_the_income_is_interpolated_inside_the_bracket_of_the_middle_household(tmp_path):
    # 40 % below 35,000, 40 % in 35,000 to 50,000: the middle household is a quarter of the way.
    shares = shares_of(**{"<10000": 0.4, "35000 to 49999": 0.4, "200000+": 0.2})
    assert income_of(build_tables(sources(tmp_path, shares))) == "38750"


def test_prefixes_are_cut_short_only_where_all_codes_agree(tmp_path):
    shares = shares_of(**{"<10000": 1.0})
    text = build_tables(sources(tmp_path, shares, "zip_code,state\n06390,NY\n06001,CT\n06301,CT\n01002,MA\n"))
    assert text["zip_states.csv"] == "prefix,state\n010,MA\n060,CT\n06301,CT\n06390,NY\n"


@pytest.mark.parametrize(
    ("shares", "codes", "says"),
    [
        (
            shares_of(**{"<10000": 0.4, "200000+": 0.6}),
            None,
            "median of Massachusetts lies in the last bracket",
        ),
        ({"<10000": 1.0}, None, r"Massachusetts has the brackets \['<10000'\]"),
        (
            shares_of(**{"<10000": 1.0}),
            "zip_code,state\n01002,MA\n1002,MA\n",
            r"zipcodes\.csv:3: ZIP code '1002'",
        ),
        (shares_of(**{"<10000": 1.0}), "zip_code,state\n01002,XX\n", r"zipcodes\.csv:2: .*'XX'"),
        (shares_of(**{"<10000": 1.0}), "code,state\n01002,MA\n", r"zipcodes\.csv:2: ZIP code None"),
    ],
)
def test_a_source_that_is_not_as_expected_is_an_error(tmp_path, shares, codes, says):
    folder = sources(tmp_path, shares, *([codes] if codes else []))
    with pytest.raises(DataError, match=says):
        build_tables(folder)


def test_a_file_of_incomes_that_is_none_is_an_error(tmp_path):
    sources(tmp_path, shares_of(**{"<10000": 1.0}))
    for text in ("{", "[]]", "[1]", '[{"name": "Guam"}]'):
        (tmp_path / "income.json").write_text(text)
        with pytest.raises(DataError, match="no list of brackets"):
            build_tables(tmp_path)
    (tmp_path / "income.json").write_text(
        json.dumps([{"name": "Bavaria", "group": group, "pct": 0.1} for group in BRACKETS])
    )
    with pytest.raises(DataError, match="'Bavaria'"):
        build_tables(tmp_path)


def test_every_occupation_of_movielens_and_of_the_embedded_people_is_in_the_table_once():
    words = [row["occupation"] for row in read_table("wages.csv")]
    assert len(words) == len(set(words))
    needed = {*OCCUPATIONS, *OCCUPATIONS_100K} - {None}  # the former are the words of MovieLens-1M
    assert set(words) == needed


def test_an_occupation_has_a_wage_with_its_group_or_a_reason_why_not():
    for row in read_table("wages.csv"):
        if row["annual_mean_wage"]:
            assert 20_000 < int(row["annual_mean_wage"]) < 200_000, row
            assert row["soc_code"][2] == "-", row
            assert row["soc_title"], row
            assert not row["why_none"], row
        else:
            assert row["why_none"], row
            assert not row["soc_code"], row


def test_wages_are_found_by_the_word():
    assert find_wage("lawyer") == find_wage(" Lawyer ") == 131_990
    assert find_wage("clerical/admin") == 34_900
    for word in ("student", "K-12 student", "retired", "unemployed", "self-employed", "farmer", "dragon", ""):
        assert find_wage(word) is None, word


def test_a_score_is_the_mean_of_what_is_known():
    # Maryland and Mississippi, lawyer and clerk: two values each, so z-scores are +1 and -1.
    zips = ["21201", "21201", "39201", "39201", "21201", None, "V6B 1A1", "39201"]
    work = [
        "lawyer",
        "clerical/admin",
        "lawyer",
        "clerical/admin",
        None,
        "lawyer",
        "student",
        "clerical/admin",
    ]
    scores = economic_scores(zips, work)
    assert np.isnan(scores).tolist() == [False] * 6 + [True, False]
    assert scores[0] > scores[1] > scores[3] == scores[7]
    assert scores[0] > scores[2] > scores[3]
    both = economic_scores(["21201", "39201"], ["lawyer", "clerical/admin"])
    assert both.tolist() == [1, -1]
    assert economic_scores(["21201", "39201"], ["lawyer", None]).tolist() == [0.5, -1]
    assert economic_scores(["21201"] * 2, [None] * 2).tolist() == [0, 0]
    assert len(economic_scores([], [])) == 0


ZIPS = st.sampled_from(["21201", "39201", "94110", "96910", "V6B 1A1", None])
WORK = st.sampled_from(["lawyer", "writer", "student", "dragon", None])


@given(st.lists(st.tuples(ZIPS, WORK), max_size=20), st.randoms(use_true_random=False))
def test_scores_follow_their_users_and_are_unknown_only_where_nothing_is_known(people, random):
    scores = economic_scores(*zip(*people, strict=True)) if people else economic_scores([], [])
    for (zip_code, word), score in zip(people, scores.tolist(), strict=True):
        state = find_state(zip_code) if zip_code else None
        income = None if state is None else state.income
        wage = find_wage(word) if word else None
        assert np.isnan(score) == (income is None and wage is None)
    order = list(range(len(people)))
    random.shuffle(order)
    shuffled = [people[n] for n in order]
    again = economic_scores(*zip(*shuffled, strict=True)) if people else economic_scores([], [])
    np.testing.assert_allclose(again, scores[order], atol=1e-9)


def test_the_embedded_people_all_have_a_score():
    users = load("embedded").users
    scores = economic_scores(users["zip"].tolist(), users["occupation"].tolist())
    assert np.isfinite(scores).all()
    assert len(set(scores.tolist())) > 100
