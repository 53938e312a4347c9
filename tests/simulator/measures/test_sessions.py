"""The world session by session, against values worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from turns_made import turn

from simulator.measures.sessions import WINDOW, Catalogue, People, Sessions, against, curves
from simulator.report.curves import sessions_rows, sessions_table
from simulator.scenario.living import Population

ITEMS = "abcdefghij"
GENRES = np.zeros((10, 3), dtype=np.float32)
GENRES[:5, 0] = GENRES[5:9, 1] = 1  # a-e one genre, f-i another, j none
COUNTS = np.array([90, 50, 10, 10, 10, 10, 10, 5, 4, 1])
CATALOGUE = Catalogue(
    {item: row for row, item in enumerate(ITEMS)}, GENRES, COUNTS, items=20, train_interactions=300
)
PEOPLE = People(["u1", "u2"], ["u3"], {"u1": 50.0, "u2": 10.0, "u3": math.nan})


def told(turns, rounds=2, rules=None, catalogue=CATALOGUE):
    sessions = Sessions(catalogue, PEOPLE, {"arm": rules or Population()}, 0, rounds)
    assert list(sessions.watched(turns)) == turns
    table = sessions.table()
    return {
        (row.replicate, row.session, row.measure): row.value
        for row in table.itertuples()
        if not math.isnan(row.value)
    }


def shown(user, number, final, accepted=(), **more):
    slate = (*final, "x", "y")[: 2 * len(final)]
    rejected = tuple(item for item in slate if item not in accepted)
    fields = {"targets": (), "undecided": (), "rejected": rejected, "slate": slate}
    return turn(
        arm="arm", user_id=user, round=number, final=tuple(final), accepted=tuple(accepted), **fields | more
    )


def test_two_users_and_two_rounds_by_hand():
    found = told(
        [
            shown("u1", 1, "af", "a", targets=("f", "z")),
            shown("u2", 1, "bc", "", targets=()),
            shown("u1", 2, "gh", "gh"),
            shown("u2", 2, "ab", "a"),
        ]
    )
    assert found[0, 1, "acceptance_shown"] == pytest.approx((0.5 + 0) / 2)
    assert found[0, 1, "acceptance"] == pytest.approx((0.25 + 0) / 2)
    # Only u1 has something left to find: f, in the second place.
    assert found[0, 1, "hr"] == 1
    assert found[0, 1, "ndcg"] == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)))
    assert (0, 2, "hr") not in found
    # a and f share no genre, b and c all of theirs.
    assert found[0, 1, "diversity"] == pytest.approx((1 + 0) / 2)
    assert found[0, 1, "entropy_shown"] == pytest.approx((1 + 0) / 2)
    assert found[0, 2, "diversity"] == 0
    assert found[0, 1, "coverage"] == pytest.approx(4 / 20)
    assert found[0, 1, "gini"] == pytest.approx(16 / 20)
    bits = [-math.log2((COUNTS[ITEMS.index(item)] + 1) / 320) for item in "afbc"]
    assert found[0, 1, "novelty"] == pytest.approx(sum(bits) / 4)
    assert found[0, 1, "popularity_lift"] == pytest.approx((50 + 30) / (50 + 10))
    assert found[0, 1, "users"] == found[0, 2, "users"] == 2
    first = 0.5 + 0.3 * (1 - 0.5), 0.5 + 0.3 * (0 - 0.5)
    assert found[0, 1, "satisfaction"] == pytest.approx(sum(first) / 2)
    assert found[0, 2, "retention"] == 1


def test_pages_of_a_session_count_together():
    rules = Population(pages=2)
    turns = [shown("u1", 1, "af", "af"), shown("u2", 1, "bc"), shown("u1", 2, "gh"), shown("u2", 2, "de")]
    found = told(turns, rules=rules)
    assert {session for _, session, _ in found} == {1}
    assert found[0, 1, "acceptance_shown"] == pytest.approx((0.5 + 0) / 2)
    assert found[0, 1, "coverage"] == pytest.approx(8 / 20)


def test_whoever_has_no_turn_left_and_whoever_is_gone_is_counted_as_such():
    found = told([shown("u1", 1, "ab"), shown("u2", 1, "ab"), shown("u1", 2, "cd")], rounds=3)
    assert [found[0, session, "retention"] for session in (1, 2, 3)] == [1, 0.5, 0]
    assert [found[0, session, "users"] for session in (1, 2, 3)] == [2, 1, 0]
    assert (0, 3, "acceptance") not in found


def test_turns_without_an_answer_are_shown_and_say_nothing_of_acceptance():
    found = told([shown("u1", 1, "ab", "", fallback=True), shown("u2", 1, "ab", "ab")], rounds=1)
    assert found[0, 1, "acceptance_shown"] == 1
    assert found[0, 1, "gini"] == pytest.approx(18 / 20)


def test_the_genres_of_the_newest_accepted_items_need_so_many_of_them():
    turns = []
    for number in range(1, 7):
        turns += [shown("u1", number, "af", "af"), shown("u2", number, "ab", "")]
    found = told(turns, rounds=6)
    first = WINDOW // 2
    assert (0, first - 1, "entropy_accepted") not in found
    assert found[0, first, "entropy_accepted"] == pytest.approx(1)


def test_without_genres_what_rests_on_them_is_not_known():
    nothing = Catalogue(CATALOGUE.row, np.zeros((10, 0), dtype=np.float32), COUNTS, 20, 300)
    found = told([shown("u1", 1, "ab"), shown("u2", 1, "ab")], rounds=1, catalogue=nothing)
    assert not {"diversity", "entropy_shown", "entropy_accepted"} & {measure for *_, measure in found}
    assert found[0, 1, "coverage"] == pytest.approx(2 / 20)


def rows(arm, values):
    """values[replicate][session]"""
    return [
        {"arm": arm, "replicate": replicate, "session": session, "measure": "gini", "value": value}
        for replicate, line in enumerate(values)
        for session, value in enumerate(line, start=1)
    ]


def test_intervals_are_students_over_replicates_and_differences_are_paired():
    a, b = [[0.2, 0.4], [0.3, 0.5], [0.1, 0.6]], [[0.3, 0.5], [0.35, 0.8], [0.2, 0.9]]
    table = pd.DataFrame(rows("a", a) + rows("b", b))
    point = curves(table)["a"]["gini"][1]
    expected = stats.ttest_1samp([0.4, 0.5, 0.6], 0).confidence_interval(0.95)
    assert (point["mean"], point["low"], point["high"]) == pytest.approx((0.5, *expected))
    assert point["replicates"] == 3
    found = against(table, {"b": "a"})["b"]["gini"]
    assert found["reference"] == "a"
    last = stats.ttest_rel([0.5, 0.8, 0.9], [0.4, 0.5, 0.6]).confidence_interval(0.95)
    assert (found["last"]["low"], found["last"]["high"]) == pytest.approx(tuple(last))
    means = stats.ttest_rel(np.mean(b, axis=1), np.mean(a, axis=1)).confidence_interval(0.95)
    assert (found["mean"]["low"], found["mean"]["high"]) == pytest.approx(tuple(means))


def test_the_interval_of_a_share_ends_where_shares_do():
    table = pd.DataFrame(rows("a", [[0.99], [0.2]])).assign(measure="coverage")
    point = curves(table)["a"]["coverage"][0]
    assert (point["low"], point["high"]) == (0, 1)
    assert curves(table.assign(measure="novelty"))["a"]["novelty"][0]["high"] > 1


def test_one_world_has_no_interval():
    point = curves(pd.DataFrame(rows("a", [[0.2, 0.4]])))["a"]["gini"][0]
    assert (point["mean"], point["low"], point["high"], point["replicates"]) == (0.2, None, None, 1)


def test_a_session_to_which_nobody_came_has_no_value_of_an_earlier_one():
    def points(**by_session):
        return [
            {"session": int(name[1:]), "mean": value, "low": None, "high": None, "replicates": 1}
            for name, value in by_session.items()
        ]

    measures = {
        "acceptance": points(s1=0.7, s2=0.8),
        "entropy_accepted": points(s2=2.5, s3=2.0),
        "users": points(s1=3, s2=1, s3=0),
    }
    summary = {"sessions": {"arm": measures}}
    shown, _ = sessions_rows(summary)
    assert {row["measure"]: (row["first"], row["last"]) for row in shown} == {
        "accepted of what was proposed": ("0.70", "n/a"),
        "entropy of the last ten accepted, bits": ("n/a", "2.00"),
        "users who came": ("3", "0"),
    }
    cells = [*sessions_table(summary).columns[1].cells]
    assert [cell for cell in cells if cell != "n/a"] == ["0.70 -> n/a", "n/a -> 2.00", "3 -> 0"]
