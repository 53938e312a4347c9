"""Finished runs beside each other: what one run with arms would have found, and a refusal where they do not belong together."""

import json
import shutil

import pytest
from damaged_runs import edited, turn_with
from small_runs import simulate

from simulator.compare import main

A = "prompts.feedback=template_a"
WHOLE = "cold_start.lengths=null"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs, and one that has both as arms."""
    folder = tmp_path_factory.mktemp("compared")
    arms = "arms={b: {}, a: {prompts.feedback: template_a}}"
    made = {"b": [WHOLE], "a": [WHOLE, A], "both": [WHOLE, arms]}
    for name, overrides in made.items():
        assert simulate(folder / name, *overrides).code == 0
    return folder


@pytest.fixture
def compare(capsys):
    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_two_runs_are_compared_as_two_arms_of_one_run(runs, compare):
    code, out, _ = compare(runs / "b", runs / "a", "--json")
    found, summary = json.loads(out), json.loads((runs / "both/summary.json").read_bytes())
    assert code == 0
    assert found["against_reference"]["a"].pop("reference") == "b"
    assert summary["against_reference"]["a"].pop("reference") == "b"
    assert found["against_reference"]["a"] == summary["against_reference"]["a"]
    assert found["study"]["findings"] == summary["study"]["findings"]
    assert found["notes"] == []


def test_a_run_with_arms_needs_no_other(runs, compare):
    code, out, _ = compare(runs / "both", "--json")
    summary = json.loads((runs / "both/summary.json").read_bytes())
    assert code == 0
    assert {name: json.loads(out)[name] for name in ("against_reference", "study")} == {
        name: summary[name] for name in ("against_reference", "study")
    }


def test_users_who_come_after_the_first_round_are_compared_too(tmp_path, compare):
    arms = "arms={b: {}, a: {prompts.feedback: template_a}}"
    run = simulate(tmp_path / "run", WHOLE, arms, "rounds=3", "population={activity: 0.5}")
    first = {turn["user_id"] for turn in run.turns if turn["round"] == 1}
    assert len(first) < len({turn["user_id"] for turn in run.turns})
    found = json.loads(compare(run.path, "--json")[1])
    assert found["study"] == run.summary["study"]
    assert found["against_reference"] == run.summary["against_reference"]


def test_arms_of_several_runs_are_told_apart_by_the_runs(runs, compare):
    code, out, _ = compare(runs / "a", runs / "both", "--primary", "hr@3")
    assert code == 0
    assert "difference to a: paired over users" in out
    assert (
        "primary: HR@3 of the list after the audience, a family of 2 comparisons (Holm), not declared beforehand"
        in out
    )
    assert "  both: b: " in out
    assert "  both: a: +0.0000 against a; " in out


def test_a_smallest_effect_is_of_the_metric_that_it_was_declared_for(tmp_path, compare):
    arms = "arms={b: {}, a: {recommender.model: itemknn}}"
    run = simulate(tmp_path / "run", WHOLE, arms, "study={primary: ndcg@3, smallest_effect: 0.01}")
    effects = [
        json.loads(compare(run.path, "--json", *primary)[1])["study"]["smallest_effect"]
        for primary in ((), ("--primary", "ndcg@3"), ("--primary", "hr@3"))
    ]
    assert effects == [0.01, 0.01, None]


def test_users_and_cutoffs_that_not_all_have_are_left_out_and_told(runs, tmp_path, compare):
    simulate(tmp_path / "fewer", WHOLE, A, "users.count=7", "cutoffs=[3]")
    code, out, _ = compare(runs / "b", tmp_path / "fewer")
    assert code == 0
    assert "note: cutoffs: 3, which all runs have" in out
    assert "left out: " in out
    assert " of b" in out
    assert "NDCG@3" in out
    assert "NDCG@5" not in out


def test_cutoffs_of_held_out_slates_which_have_none_need_not_agree(tmp_path, compare):
    slates = ("slates={source: held_out, size: 4}", "refinement={policy: replace}")
    for name, cutoffs in (("b", "[3]"), ("a", "[2]")):
        assert simulate(tmp_path / name, WHOLE, *slates, f"cutoffs={cutoffs}").code == 0
    code, out, err = compare(tmp_path / "b", tmp_path / "a", "--json")
    assert code == 0, err
    assert json.loads(out)["notes"] == []
    assert json.loads(out)["study"]["primary"] == {"list": "audience", "metric": "auc"}


def test_slates_that_differ_are_told(runs, tmp_path, compare):
    simulate(tmp_path / "itemknn", WHOLE, "recommender.model=itemknn")
    code, out, _ = compare(runs / "b", tmp_path / "itemknn")
    assert code == 0
    assert "note: itemknn: 0 of 12 users were shown the same candidates in the same order as in b" in out


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.max_users=100"], "were made on other data"),
        (["n=6"], "have final lists of 5 and 6 places"),
        (["cutoffs=[2]"], "have no cutoff in common"),
        (
            ["slates.source=held_out", "refinement={policy: replace}"],
            "have slates of recommender and held_out",
        ),
    ],
)
def test_runs_that_do_not_belong_together_are_refused(overrides, message, runs, tmp_path, compare):
    assert simulate(tmp_path / "other", WHOLE, *overrides).code == 0
    code, out, err = compare(runs / "b", tmp_path / "other")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err


def test_other_targets_and_users_are_refused(runs, tmp_path, compare):
    for name in ("targets", "users"):
        shutil.copytree(runs / "a", tmp_path / name)
    edited(tmp_path / "targets/turns.jsonl", lambda lines: [turn_with(lines[0], targets=["?"]), *lines[1:]])
    assert "hold out other items, of 1 of 12 users" in compare(runs / "b", tmp_path / "targets")[2]
    edited(tmp_path / "users/turns.jsonl", lambda lines: [turn_with(line, user_id="?") for line in lines])
    assert "have no user in common" in compare(runs / "b", tmp_path / "users")[2]


def test_what_is_no_finished_run_or_no_pair_is_refused(runs, tmp_path, compare):
    shutil.copytree(runs / "a", tmp_path / "a")
    (tmp_path / "a/summary.json").unlink()
    for given, message in (
        (
            [runs / "b", tmp_path / "a"],
            "is not finished; go on with it first: python -m simulator.run --resume",
        ),
        ([runs / "b", tmp_path], "no run was begun here"),
        ([runs / "b", runs / "b"], "a run is given twice"),
        ([runs / "b"], "nothing to compare it with; give a second run"),
        ([runs / "b", runs / "a", "--primary", "ndcg@4"], "--primary should be one of hr@1, hr@3, hr@5"),
    ):
        code, out, err = compare(*given)
        assert (code, out, message in err) == (2, "", True), err
