import math

import pytest
from turns_made import turn

from simulator.measures.ranking import lists_of, paired_differences, per_user, summarise

LISTS = {
    "recommender",
    "refined",
    "refined_parsed_only",
    "audience_alone",
    "echo",
    "upper_bound",
}


def test_the_lists_of_a_turn():
    lists = lists_of(turn(final=("c", "a"), alone=("c", "e"), nulls={"echo": ("e", "d")}, targets=("c", "x")))
    assert lists == {
        "recommender": ("a", "b"),
        "refined": ("c", "a"),
        "refined_parsed_only": ("c", "a"),
        "audience_alone": ("c", "e"),
        "echo": ("e", "d"),
        "upper_bound": ("c", "a"),
    }


def test_a_failed_turn_counts_by_intent_to_treat_but_not_as_parsed():
    lists = lists_of(turn(fallback=True, status="failed"))
    assert "refined_parsed_only" not in lists
    assert lists["refined"] == lists["recommender"]


def test_numbers_by_hand():
    table = per_user(
        [
            turn(final=("c", "a"), targets=("c", "d")),
            turn(user_id="u2", final=("a", "e"), targets=("e",)),
        ],
        (1, 2),
    )
    refined = table[table["list"] == "refined"].set_index("user_id")
    assert refined["hr@1"].to_dict() == {"u1": 1, "u2": 0}
    assert refined["ndcg@1"].to_dict() == {"u1": 1, "u2": 0}
    assert refined["hr@2"].to_dict() == {"u1": 1, "u2": 1}
    ideal = 1 + 1 / math.log2(3)
    assert refined["ndcg@2"].to_dict() == pytest.approx({"u1": 1 / ideal, "u2": 1 / math.log2(3)})
    metrics = summarise(table, seed=0)["history-5"]
    assert metrics.keys() == LISTS
    assert metrics["refined"]["hr@1"]["mean"] == 0.5
    assert metrics["refined"]["hr@1"]["users"] == 2
    assert metrics["refined"]["hr@1"]["audience"] == "nobody"
    assert "audience" not in metrics["recommender"]["hr@1"]
    assert {entry["data"] for name in metrics for entry in metrics[name].values()} == {"made (synthetic)"}


def test_turns_of_one_user_are_averaged_before_users_are():
    turns = [turn(round=n, final=("c", "a")) for n in (1, 2, 3)] + [turn(user_id="u2", final=("a", "b"))]
    table = per_user(turns, (2,))
    refined = table[table["list"] == "refined"].set_index("user_id")
    assert refined["turns"].to_dict() == {"u1": 3, "u2": 1}
    assert summarise(table, 0)["history-5"]["refined"]["hr@2"]["mean"] == 0.5
    assert summarise(table, 0)["history-5"]["refined"]["hr@2"]["users"] == 2


def test_arms_and_lists_stay_apart():
    turns = [
        turn(arm=arm, user_id=user) for arm in ("history-5", "history-10") for user in ("u1", "u2", "u3")
    ]
    table = per_user(turns, (1,))
    assert len(table) == 2 * 3 * len(LISTS)
    assert list(summarise(table, 0)) == ["history-5", "history-10"]


def test_turns_without_a_target_are_not_counted():
    table = per_user([turn(targets=()), turn(user_id="u2")], (1,))
    assert set(table["user_id"]) == {"u2"}
    assert summarise(per_user([turn(targets=())], (1,)), 0) == {}


def test_a_list_shorter_than_a_cutoff_has_no_hits_beyond_its_end():
    table = per_user([turn(final=("a",), targets=("c",))], (1, 5))
    assert table.set_index("list").loc["refined", "hr@5"] == 0


def test_differences_are_taken_within_users():
    turns = [
        turn(user_id="1", slate=("a", "b", "c"), final=("c", "a"), alone=("c", "b"), targets=("c",)),
        turn(user_id="2", slate=("a", "b", "c"), final=("b", "a"), alone=("b", "a"), targets=("a",)),
    ]
    differences = paired_differences(per_user(turns, [1]), seed=0)["history-5"]
    assert set(differences) == {
        "refined - recommender"
    }  # the null users of these turns are no random or popularity
    entry = differences["refined - recommender"]["hr@1"]
    assert (entry["mean"], entry["users"]) == (0.0, 2)  # one user gains a hit, the other loses one
    assert (entry["low"], entry["high"]) == (-1.0, 1.0)


def test_a_difference_of_zero_for_all_has_no_one_sided_interval():
    same = [
        turn(user_id=str(user), slate=("a", "b", "c"), final=("a", "b"), targets=("c",)) for user in range(5)
    ]
    entry = paired_differences(per_user(same, [1]), seed=0)["history-5"]["refined - recommender"]["hr@1"]
    assert (entry["mean"], entry["low"], entry["high"]) == (0.0, 0.0, 0.0)
