"""Two users of an embedded run: what is told of them is what the run recorded and what its model computes."""

import json
import re
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from small_runs import files, replay, simulate

from recommender.pipeline import reopen
from recommender.trained_directory import TrainedDirectory
from simulator.case_study.__main__ import main
from simulator.case_study.cases import Said
from simulator.case_study.document import document, write_case_study
from simulator.case_study.reading import Asked, case_study

UIM = (
    "recommender.model=uim",
    "recommender.params={dim: 16, history: 12, interests: 2}",
    "recommender.training.max_epochs=2",
    "features.visual=none",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    found = simulate(tmp_path_factory.mktemp("case") / "run", *UIM, "rounds=2")
    assert found.code == 0, found.err
    return found


@pytest.fixture(scope="module")
def study(run):
    return case_study(run.path, Asked())


@pytest.fixture
def told(capsys):
    def call(*arguments):
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as left:
            code = left.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def test_a_folder_of_figures_may_have_any_name(study):
    text = document(study, "../my figures (new)")
    assert "](../my%20figures%20%28new%29/fig6_interests.svg)" in text


def first_turn(run, user, arm="history-5"):
    return next(
        turn
        for turn in run.turns
        if (turn["phase"], turn["arm"], turn["user_id"], turn["round"]) == ("test", arm, user, 1)
    )


def test_all_files_are_written_and_name_no_folder(run, told, tmp_path):
    before = files(run.path)
    code, out, err = told(run.path, "--out", tmp_path / "study", "--figures", tmp_path / "figures")
    assert (code, err) == (0, "")
    figures = {"fig5_profile_weights", "fig6_interests", "fig7_audience"}
    expected = {f"figures/{name}.{ending}" for name in figures for ending in ("svg", "png", "json")}
    expected |= {"study/case_study.md", "study/case_study.json"}
    assert {path.relative_to(tmp_path).as_posix() for path in files(tmp_path)} == expected
    assert len(out.splitlines()) == len(expected)
    for path in (tmp_path / "figures").glob("*.svg"):
        ET.parse(path)
    text = (tmp_path / "study/case_study.md").read_text()
    assert "](../figures/fig6_interests.svg)" in text
    assert str(tmp_path) not in text
    assert str(run.path) not in text
    assert files(run.path) == before, "nothing of the run changes"
    again = tmp_path / "again"
    told(run.path, "--out", again)
    for path in again.glob("*.json"):
        where = "study" if path.name.startswith("case_study") else "figures"
        assert path.read_bytes() == (tmp_path / where / path.name).read_bytes()
    assert "](fig6_interests.svg)" in (again / "case_study.md").read_text()


def test_the_default_folder_lies_in_the_run_and_damages_nothing(run, told, tmp_path):
    from simulator.transcript.verifying import verify

    shutil.copytree(run.path, tmp_path / "run")
    assert told(tmp_path / "run")[0] == 0
    assert (tmp_path / "run/case_study/case_study.json").is_file()
    assert verify(tmp_path / "run").whole


def test_candidates_are_those_of_the_turn_and_go_to_the_interest_that_scores_them(run, study):
    assert study.score_distance < 1e-4
    for case in study.cases:
        turn = first_turn(run, case.user_id)
        assert [item.item_id for item in case.candidates] == turn["slate"]
        assert [item.before for item in case.candidates] == list(range(1, 11))
        for item in case.candidates:
            assert max(item.likes) == pytest.approx(item.score, abs=1e-4)
            assert item.interest == int(np.argmax(item.likes)) + 1
            assert item.held_out == (item.item_id in turn["targets"])
            assert (item.judged == "accepted") == (item.item_id in turn["accepted"])
        shown = sorted((item for item in case.candidates if item.after), key=lambda item: item.after)
        assert [item.item_id for item in shown] == turn["final"]


def test_history_is_what_the_arm_reads_and_goes_to_the_interest_it_is_routed_to(run, study):
    trained = reopen(TrainedDirectory(run.path))
    split = trained.prepared.split
    dataset, whole = split.dataset, split.history("test")
    row = {user: number for number, user in enumerate(dataset.users["user_id"])}
    for case in study.cases:
        items = whole.item[whole.user == row[case.user_id]][-5:]
        assert [item.item_id for item in case.history] == dataset.items["item_id"].to_numpy()[items].tolist()
        assert [item.title for item in case.history] == dataset.items["title"].to_numpy()[items].tolist()
        for item in case.history:
            assert sum(item.routing) == pytest.approx(1, abs=1e-5)
            assert item.interest == int(np.argmax(item.routing)) + 1
            assert 0 < item.attention < 1
        assert set(case.profile) == set(study.fields) == set(case.interests[0].weights)
        assert all(0 < weight < 1 for interest in case.interests for weight in interest.weights.values())


def test_the_dialogue_is_that_of_the_journal(run, study, told, tmp_path):
    calls = {call["key"]: call for call in run.calls}
    text = document(study)
    for case in study.cases:
        call = calls[first_turn(run, case.user_id)["request"]]
        (said,) = case.dialogue
        assert [list(each) for each in said.messages] == [
            [each["role"], each["content"]] for each in call["request"]["messages"]
        ]
        assert said.reply == call["completion"]["text"]
        assert said.reply in text
        assert said.messages[-1][1] in text


def test_the_users_are_the_farthest_apart_of_all(run, study):
    turns = [turn for turn in run.turns if turn["phase"] == "test" and turn["arm"] == "history-5"]
    users = list(dict.fromkeys(turn["user_id"] for turn in turns))
    weights = {}
    for one, other in zip(users[::2], users[1::2], strict=True):
        for case in case_study(run.path, Asked((one, other))).cases:
            weights[case.user_id] = np.array([list(each.weights.values()) for each in case.interests])
    apart = {pair: np.linalg.norm(weights[pair[0]] - weights[pair[1]]) for pair in combinations(users, 2)}
    assert tuple(case.user_id for case in study.cases) == max(apart, key=apart.get)
    assert "farthest apart" in study.chosen_by
    assert study.users == len(users) == 12
    assert "share a genre in" in document(study)
    everyone = np.stack(list(weights.values()))
    for number, of_interest in enumerate(study.population):
        for n, field in enumerate(study.fields):
            spread = of_interest[field]
            assert spread.mean == pytest.approx(everyone[:, number, n].mean(), abs=1e-6)
            assert spread.sd == pytest.approx(everyone[:, number, n].std(ddof=1), abs=1e-6)


def test_named_users_and_another_arm(run, told, tmp_path):
    users = list(dict.fromkeys(turn["user_id"] for turn in run.turns))[:2][::-1]
    code, _, err = told(run.path, "--users", *users, "--arm", "history-10", "--out", tmp_path)
    assert code == 0, err
    found = json.loads((tmp_path / "case_study.json").read_bytes())
    assert [case["user_id"] for case in found["cases"]] == users
    assert (found["arm"], found["chosen_by"]) == ("history-10", "named")
    assert [len(case["history"]) for case in found["cases"]] == [10, 10]


HOSTILE = "<script>alert(1)</script> | [x](http://a.b) `*_\x0b\ud800\nend"


def hostile(study):
    def worse(case):
        said = Said((("system", "```\n# no fence\n```"),), f"````\n{HOSTILE}", None)
        return replace(
            case,
            user_id=f"u<b>|{case.user_id}",
            history=tuple(replace(item, title=HOSTILE, genres=("<i>",)) for item in case.history),
            candidates=tuple(replace(item, title=HOSTILE) for item in case.candidates),
            dialogue=(said,),
        )

    return replace(study, cases=tuple(map(worse, study.cases)), data="<data>", client="a|b")


def test_titles_replies_and_ids_are_never_markup(study, tmp_path):
    write_case_study(hostile(study), tmp_path, tmp_path)
    text = (tmp_path / "case_study.md").read_text(encoding="utf-8")
    outside, inside, fence = [], [], None
    for line in text.split("\n"):
        if fence is None and line.startswith("```"):
            fence = line.removesuffix("text")
        elif line == fence:
            fence = None
        else:
            (outside if fence is None else inside).append(line)
    assert fence is None
    assert not [line for line in outside if "<script" in line or "<b>" in line or "<i>" in line]
    assert not [line for line in outside if re.search(r"(?<!\\)\]\(http", line)]
    assert "# no fence" in inside
    assert any("&lt;script&gt;alert(1)&lt;/script&gt; \\| \\[x\\]" in line for line in outside)
    widths = {line.replace("\\|", "").count("|") for line in outside if "script" in line}
    assert widths == {7, 6, 5}, "no title has more cells than its row"
    for path in tmp_path.glob("*.svg"):
        assert not [each for each in ET.parse(path).iter() if each.tag.endswith("script")]
    assert json.loads((tmp_path / "case_study.json").read_bytes())["cases"][0]["history"][0]["title"]


def test_what_did_not_come_is_told(study):
    changed = replace(
        study,
        score_distance=0.5,
        cases=tuple(
            replace(case, fallback=True, dialogue=(Said((), None, "server said 500"),) * 2)
            for case in study.cases
        ),
    )
    text = document(changed)
    assert "No answer came: server said 500" in text
    assert "the dialogue, call 2 of 2" in text
    assert "could not be used" in text
    assert "recorded scores are not those of this recommender" in text
    assert "recorded scores are not those" not in document(study)


def test_one_interest_is_told_as_one(tmp_path):
    params = "recommender.params={dim: 16, history: 12, interests: 1}"
    run = simulate(tmp_path / "run", *UIM, params, "cold_start.lengths=null")
    found = case_study(run.path, Asked())
    write_case_study(found, tmp_path / "study", tmp_path / "study")
    assert json.loads((tmp_path / "study/case_study.json").read_bytes())["use"] is None
    assert {item.interest for case in found.cases for item in (*case.history, *case.candidates)} == {1}
    assert "The model has one interest" in document(found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--users", "nobody", "u2"], "user 'nobody' is none of the 12 simulated; did you mean"),
        (["--arm", "history-7"], "no turn of an arm 'history-7'; those of the run are 'history-5', 'history-10'"),
        (["--set", "seed=3"], "the run was begun with seed = 0"),
        (["--users", "one"], "expected 2 arguments"),
    ],
)  # fmt: skip
def test_what_the_run_does_not_have_is_named(options, message, run, told):
    code, _, err = told(run.path, *options)
    assert (code, message in err) == (2, True), err
    assert not (run.path / "case_study").exists()


def test_it_may_be_computed_elsewhere(run, study):
    assert case_study(run.path, Asked(overrides=("recommender.device=cpu",))) == study


def test_a_user_named_twice_is_refused(run, told):
    user = run.turns[0]["user_id"]
    code, _, err = told(run.path, "--users", user, user)
    assert (code, "named twice" in err) == (2, True), err


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ((), "its recommender is popularity, and a case study shows the interests and profile weights of UiM"),
        (
            (*UIM, "recommender.params={dim: 16, profile: false}"),
            "was built without the profile (recommender.params.profile: false)",
        ),
        ((*UIM, "users.count=1"), "one user was simulated"),
        (
            (*UIM, "slates={source: held_out, size: 4, m: 1}", "refinement={policy: replace}"),
            "its slates are held-out items (slates.source: held_out)",
        ),
    ],
)  # fmt: skip
def test_a_run_without_what_is_shown_is_refused(overrides, message, told, tmp_path):
    run = simulate(tmp_path / "run", *overrides)
    assert run.code == 0, run.err
    code, _, err = told(run.path)
    assert (code, message in err) == (2, True), err


def test_an_arm_with_uim_is_told_and_one_without_is_refused(told, tmp_path):
    arms = "arms={pop: {}, uim: {recommender.model: uim, recommender.params: {dim: 16, history: 12}}}"
    run = simulate(tmp_path / "run", arms, "cold_start.lengths=null", *UIM[2:])
    assert run.code == 0, run.err
    code, _, err = told(run.path)
    assert (code, "an arm (--arm), with recommender.model: uim" in err) == (2, True), err
    code, _, err = told(run.path, "--arm", "uim")
    assert code == 0, err
    assert json.loads((run.path / "case_study/case_study.json").read_bytes())["score_distance"] < 1e-4


def test_replayed_unfinished_and_missing_runs_are_refused(run, told, tmp_path):
    replayed = replay(run, tmp_path / "replayed")
    code, _, err = told(replayed.path)
    assert (code, "take the run that was replayed" in err) == (2, True), err
    (replayed.path / "summary.json").unlink()
    code, _, err = told(replayed.path)
    assert (code, "not finished" in err) == (2, True), err
    code, _, err = told(tmp_path / "nothing")
    assert (code, "is not a run directory" in err) == (2, True), err
    (tmp_path / "file").touch()
    code, _, err = told(run.path, "--out", tmp_path / "file")
    assert (code, "cannot be written" in err) == (2, True), err
