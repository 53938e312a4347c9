"""Arms and replicates in one run: what they share, what each has of its own, and that the record of all is one."""

import json

import pandas as pd
import pytest
from small_runs import SCENARIO, go_on, replay, simulate

from recommender.pipeline import reopen
from recommender.trained_directory import TrainedDirectory
from simulator import outcome, proposing, recommenders
from simulator.compare import main as compare_main
from simulator.run import main
from simulator.transcript.journal import CallJournal

ARMS = "arms={b: {}, again: {}, a: {prompts.feedback: template_a}, other: {recommender.model: itemknn}}"
VALIDATED = ("refinement.weight=validation", "refinement.validation_share=0.3")
STUDY = (ARMS, "replicates=2", "rounds=2", "cold_start.lengths=[5]", "cutoffs=[5]", *VALIDATED)
NAMES = [f"{name}, history-5" for name in ("b", "again", "a", "other")]
REPLICATES, ROUNDS, USERS, VALIDATING = 2, 2, 12, 4


class PowerCut(BaseException):
    """Nobody catches it, as nobody catches SIGKILL."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    run = simulate(tmp_path_factory.mktemp("arms") / "run", *STUDY)
    assert run.code == 0, run.err
    return run


def of(run, arm, **where):
    """The turns of an arm, as recorded, that have these values."""
    return [
        turn
        for turn in run.turns
        if turn["arm"] == arm and all(turn[name] == value for name, value in where.items())
    ]


def less(turns, *names):
    return [{name: value for name, value in turn.items() if name not in names} for turn in turns]


def positions(turn):
    """The shown order as places of the slate."""
    return [turn["slate"].index(item) for item in turn["shown"]]


def test_turns_are_in_fixed_order(whole):
    users = [turn["user_id"] for turn in of(whole, NAMES[0], phase="test", round=1, replicate=0)]
    validating = [turn["user_id"] for turn in of(whole, NAMES[0], phase="validation")]
    assert (len(users), len(validating)) == (USERS, VALIDATING)
    planned = [(arm, "validation", 0, 0, user) for arm in NAMES for user in validating]
    planned += [
        (arm, "test", replicate, number, user)
        for number in range(1, ROUNDS + 1)
        for arm in NAMES
        for replicate in range(REPLICATES)
        for user in users
    ]
    keys = ("arm", "phase", "replicate", "round", "user_id")
    assert [tuple(turn[key] for key in keys) for turn in whole.turns] == planned


def test_arms_share_targets_candidates_and_shown_orders(whole):
    b, a, other = (of(whole, NAMES[number], phase="test", round=1) for number in (0, 2, 3))
    for name in ("slate", "scores", "shown", "targets"):
        assert [turn[name] for turn in a] == [turn[name] for turn in b]
    assert [turn["slate"] for turn in other] != [turn["slate"] for turn in b]
    assert list(map(positions, other)) == list(map(positions, b)), "the order is drawn by user and round"
    assert [turn["targets"] for turn in other] == [turn["targets"] for turn in b]
    assert [turn["templates"] for turn in a] != [turn["templates"] for turn in b]


def test_arms_of_equal_content_are_equal_and_asked_once(whole):
    assert less(of(whole, NAMES[0]), "arm") == less(of(whole, NAMES[1]), "arm")
    assert whole.metrics[NAMES[0]] == whole.metrics[NAMES[1]]
    assert len(whole.calls) == 3 * (VALIDATING + ROUNDS * REPLICATES * USERS)
    difference = whole.summary["against_reference"][NAMES[1]]["refined"]["ndcg@5"]
    assert (difference["difference"], difference["ties"], difference["wins"]) == (0, USERS, 0)
    assert (difference["low"], difference["p"]) == (None, None), (
        "nothing varies, so nothing is known of other users"
    )
    assert difference["reasons"]["p"] == f"all {USERS} users tie"


def test_replicates_ask_about_the_same_with_draws_of_their_own(whole):
    first, second = (of(whole, NAMES[0], phase="test", round=1, replicate=number) for number in (0, 1))
    assert [turn["shown"] for turn in first] == [turn["shown"] for turn in second]
    assert not {turn["request"] for turn in first} & {turn["request"] for turn in second}
    assert [turn["ranking"] for turn in first] != [turn["ranking"] for turn in second]
    requests = {call["key"]: call["request"] for call in whole.calls}
    assert [requests[turn["request"]]["draw"]["replicate"] for turn in (*first, *second)] == [0] * 12 + [
        1
    ] * 12
    assert [requests[turn["request"]]["messages"] for turn in first] == [
        requests[turn["request"]]["messages"] for turn in second
    ]


def test_the_unit_stays_the_user(whole):
    entry = whole.metrics[NAMES[0]]["refined"]["ndcg@5"]
    assert entry["users"] == USERS
    table = pd.read_parquet(whole.path / "per_user.parquet")
    assert set(table["turns"]) <= set(range(1, REPLICATES * ROUNDS + 1))


def test_each_recommender_is_trained_once_and_can_be_opened(whole, monkeypatch, tmp_path):
    calls, real = [], recommenders.train_recommender

    def counted(setup, *more):
        calls.append(setup.recommender.model)
        return real(setup, *more)

    monkeypatch.setattr(recommenders, "train_recommender", counted)
    assert simulate(tmp_path / "run", *STUDY).bytes_of("proposals.jsonl") == whole.bytes_of("proposals.jsonl")
    assert calls == ["popularity", "itemknn"]
    manifest = json.loads(whole.bytes_of("manifest.json"))
    folders = {name: arm["recommender"] for name, arm in manifest["arms"].items()}
    assert folders == dict.fromkeys(("b", "again", "a"), "recommenders/1") | {"other": "recommenders/2"}
    assert reopen(TrainedDirectory(whole.path / "recommenders/2")).setup.recommender.model == "itemknn"
    assert not (whole.path / "recommender.pt").exists()


def test_each_arm_has_the_weight_that_its_own_validation_turns_choose(whole):
    told = whole.summary["arms"]
    assert list(told) == ["b", "again", "a", "other"]
    for arm in told.values():
        refinement = arm["refinement"]
        curve = dict(refinement["curve"])
        assert refinement["validation_turns"] == VALIDATING
        assert refinement["weight"] == max(curve, key=lambda weight: (curve[weight], -weight))
    assert told["b"]["refinement"]["curve"] != told["a"]["refinement"]["curve"]


def test_differences_to_the_reference_are_within_users(whole):
    table = (
        pd.read_parquet(whole.path / "per_user.parquet").set_index(["arm", "list", "user_id"]).sort_index()
    )
    found = whole.summary["against_reference"]
    assert list(found) == NAMES[1:]
    for arm, entry in found.items():
        assert entry["reference"] == NAMES[0]
        for name in ("refined", "audience_alone"):
            for metric in ("hr@5", "ndcg@5"):
                values = table.loc[(arm, name), metric] - table.loc[(NAMES[0], name), metric]
                assert entry[name][metric]["mean"] == pytest.approx(values.mean())
                assert entry[name][metric]["users"] == len(values)
                assert f"{entry[name][metric]['mean']:+.3f}" in whole.out
    assert f"difference to {NAMES[0]}" in whole.out


def test_the_primary_comparisons_are_a_family_and_are_told_in_words(whole):
    study, found = whole.summary["study"], whole.summary["against_reference"]
    assert study["primary"] == {"list": "refined", "metric": "ndcg@5"}
    assert (study["family"], study["users"], study["interim"]) == (NAMES[1:], USERS, False)
    for arm, entry in found.items():
        primary, other = entry["refined"]["ndcg@5"], entry["refined"]["hr@5"]
        assert (primary["p_holm"] is None) is (primary["p"] is None)
        assert other["p_holm"] is None
        assert primary["wins"] + primary["ties"] + primary["losses"] == USERS
        assert study["findings"][arm] in whole.out
    assert f"{USERS} users; primary: NDCG@5 of the list after the audience" in whole.out


def test_an_arm_is_the_run_that_it_would_be_alone(whole, tmp_path):
    alone = simulate(tmp_path / "alone", *STUDY[1:], "prompts.feedback=template_a")
    assert less(of(whole, NAMES[2]), "arm") == less(alone.turns, "arm")
    assert alone.metrics["history-5"] == whole.metrics[NAMES[2]]


def test_a_replay_is_byte_identical(whole, tmp_path):
    replayed = replay(whole, tmp_path / "replayed")
    assert replayed.code == 0, replayed.err
    for name in ("turns.jsonl", "metrics.json", "per_user.parquet"):
        assert replayed.bytes_of(name) == whole.bytes_of(name)
    assert replayed.summary["against_reference"] == whole.summary["against_reference"]
    fewer = replay(whole, tmp_path / "fewer", "arms={b: {}, new: {}}")
    assert (fewer.code, "the run has no arm 'new' but b, again, a, other" in fewer.err) == (2, True)


@pytest.mark.parametrize(
    ("owner", "name", "when"),
    [
        (recommenders, "write_json", 2),  # training.json of the second recommender
        (proposing, "append_proposals", 6),
        (CallJournal, "append", 2),
        (outcome, "write_json", 3),  # summary.json
    ],
)
def test_cut_off_anywhere_it_goes_on_to_the_same_end(whole, tmp_path, monkeypatch, owner, name, when):
    real, calls = getattr(owner, name), []

    def failing(*args, **kwargs):
        calls.append(name)
        if len(calls) == when:
            raise PowerCut
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failing)
        with pytest.raises(PowerCut):
            simulate(tmp_path / "run", *STUDY)
    assert go_on(tmp_path / "run").code == 0
    for file in ("turns.jsonl", "metrics.json", "per_user.parquet", "proposals.jsonl", "scenario.yaml"):
        assert (tmp_path / "run" / file).read_bytes() == whole.bytes_of(file), file


def test_a_run_goes_on_with_the_arms_it_was_begun_with(tmp_path):
    run = simulate(tmp_path / "run", "arms={b: {}, a: {prompts.feedback: template_a}}")
    (run.path / "summary.json").unlink()
    for change, said in (
        ("arms={b: {}}", "begun with the arms b, a, and b are asked for now"),
        ("arms={b: {}, a: {}}", "prompts.feedback = 'template_a' of arm 'a'"),
        ("arms=null", "begun with the arms b, a, and none are asked for now"),
    ):
        refused = go_on(run.path, "--set", change)
        assert (refused.code, said in refused.err) == (2, True), refused.err
    assert go_on(run.path, "--set", "users.concurrency=3").code == 0


def test_its_record_is_verified_packed_and_unpacked(whole, tmp_path, capsys):
    from simulator.transcript.__main__ import main as transcript

    assert transcript(["verify", str(whole.path)]) == 0
    assert transcript(["export", str(whole.path), str(tmp_path / "packed"), "--weights"]) == 0
    assert transcript(["import", str(tmp_path / "packed"), "--out", str(tmp_path / "unpacked")]) == 0
    assert transcript(["diff", str(whole.path), str(tmp_path / "unpacked")]) == 0
    assert (tmp_path / "unpacked/recommenders/2/recommender.pt").is_file()
    capsys.readouterr()
    turns = whole.bytes_of("turns.jsonl").splitlines(keepends=True)
    swapped = turns[-1].replace(b'"arm":"other, ', b'"arm":"a, ')
    (tmp_path / "unpacked/turns.jsonl").write_bytes(b"".join([*turns[:-1], swapped]))
    assert transcript(["verify", str(tmp_path / "unpacked")]) == 1
    assert f"the turn of {NAMES[2]}, test, replicate 1, round 2" in capsys.readouterr().out


def test_lengths_multiply_the_arms_each_against_the_reference_of_its_length(tmp_path):
    run = simulate(tmp_path / "run", "sweep={refinement.weight: [0.0, 1.0]}")
    first, second = (
        [f"weight={weight}, history-{length}" for length in (5, 10)] for weight in ("0.0", "1.0")
    )
    assert list(run.metrics) == first + second
    found = run.summary["against_reference"]
    assert {arm: entry["reference"] for arm, entry in found.items()} == dict(zip(second, first, strict=True))
    assert len(run.calls) == 24, "what is asked does not depend on the weight"
    lists = run.metrics["weight=0.0, history-5"]
    assert lists["refined"]["ndcg@5"]["mean"] == lists["recommender"]["ndcg@5"]["mean"]


def test_arms_may_be_histories_of_which_each_has_one_length(tmp_path):
    arms = "arms={long: {cold_start.lengths: null}, short: {cold_start.lengths: [5]}}"
    run = simulate(tmp_path / "run", arms)
    assert list(run.metrics) == ["long", "short, history-5"]
    assert run.summary["against_reference"]["short, history-5"]["reference"] == "long"


def test_replicates_need_no_arms(tmp_path):
    run = simulate(tmp_path / "run", "replicates=3", "cold_start.lengths=[5]")
    assert [turn["replicate"] for turn in run.turns] == [number for number in range(3) for _ in range(12)]
    once = simulate(tmp_path / "once", "cold_start.lengths=[5]")
    assert run.turns[:12] == once.turns
    assert (run.path / "recommender.pt").is_file()


BASE = SCENARIO.read_text()
LINE = BASE.count("\n") + 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arms: {}", f"mine.yaml:{LINE}: arms should name one arm at least"),
        (
            "arms: {a: {}}\nsweep: {refinement.weight: [0.1]}",
            f"mine.yaml:{LINE + 1}: sweep should be left out where there are arms",
        ),
        ("arms:\n  a:\n    data.core: 3", f"mine.yaml:{LINE + 2}: arms.a.data.core should be a dotted key below"),
        ("arms:\n  a: {n: 3}", f"mine.yaml:{LINE + 1}: arms.a.n should be a dotted key below"),
        ("arms:\n  a: {}\n  b: {users.count: 3}", f"mine.yaml:{LINE + 2}: arms.b.users.count should stand outside"),
        (
            "arms:\n  a: {}\n  b: {prompts.fedback: template_a}",
            f"mine.yaml:{LINE + 2}: unknown key 'prompts.fedback'; did you mean 'prompts.feedback'?",
        ),
        (
            "arms:\n  a: {}\n  b: {prompts.feedback: template_z}",
            f"mine.yaml:{LINE + 2}: arm 'b': ",
        ),
        ("arms:\n  a: {}\n  b: {users.client: openai}", f"mine.yaml:{LINE + 2}: arm 'b': "),
        (
            "arms:\n  a: {}\n  b: {recommender.model: uim, recommender.params.intersts: 3}",
            f"mine.yaml:{LINE + 2}: arm 'b': recommender.params: uim has no parameter 'intersts'",
        ),
        (
            "arms:\n  a: {}\n  b: {users.params.api_key: x}",
            f"mine.yaml:{LINE + 2}: users.params should not hold 'api_key'",
        ),
        ("sweep: {refinement.weight: [0.5, 2]}", f"mine.yaml:{LINE}: refinement.weight should be"),
        ("sweep: {refinement.weight: [0.5, 0.5]}", f"mine.yaml:{LINE}: arm 'weight=0.5' would be recorded as"),
        ("replicates: 0", f"mine.yaml:{LINE}: replicates should be greater than or equal to 1"),
        ("replicats: 2", f"mine.yaml:{LINE}: unknown key 'replicats'; did you mean 'replicates'?"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line_before_anything_is_made(text, message, tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text(f"{BASE}{text}\n")
    assert main([str(tmp_path / "mine.yaml"), "--out", str(tmp_path / "run")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_names_in_brackets_stand_whole_on_the_terminal(tmp_path, capsys):
    names = ("UiM [k=3]", "[/x]", "a :smile:")
    arms = f"arms={{'{names[0]}': {{}}, '{names[1]}': {{prompts.feedback: template_a}}, '{names[2]}': {{}}}}"
    run = simulate(tmp_path / "[bold]", arms, "cold_start.lengths=null")
    assert run.code == 0, run.err
    for name in names:
        assert f"\n{name}: 12 users" in run.out
        assert f"\n{name}, test" in run.out
    assert "difference to UiM [k=3]: paired over users" in run.out
    assert compare_main([str(run.path)]) == 0
    printed = capsys.readouterr().out
    assert "difference to UiM [k=3]: paired over users" in printed
    assert "\n[/x]" in printed
