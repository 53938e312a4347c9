"""A world of many rounds: populations that come and go, recommenders that learn, and what was planted found again."""

import json
from collections import defaultdict

import narrow_models
import pandas as pd
import pytest
from small_runs import go_on, replay, simulate

from simulator.transcript.verifying import verify

LIVING = (
    "cold_start.lengths=null",
    "rounds=6",
    "replicates=2",
    "population={pages: 2, activity: 0.8, fatigue: 0.3, churn: 0.4, newcomers: 2}",
)
LEARNING = (
    *LIVING,
    "recommender={model: bprmf, training: {max_epochs: 2, learning_rate: 0.02}}",
    "arms={frozen: {learning.retrain_every: null}, learning: {learning.retrain_every: 2}}",
)


def finished(out, *overrides, options=()):
    run = simulate(out, *overrides, options=options)
    assert run.code == 0, run.err
    return run


@pytest.fixture(scope="module")
def learning(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("runs") / "learning", *LEARNING)


def slates(run, arm, rounds):
    found = {}
    for turn in run.turns:
        if turn["arm"] == arm and turn["round"] in rounds:
            found[turn["replicate"], turn["round"], turn["user_id"]] = turn["slate"]
    return found


def test_a_run_whose_population_comes_and_goes_is_whole_and_replays_to_the_same_bytes(learning, tmp_path):
    found = verify(learning.path)
    assert found.faults == []
    assert any("the world over rounds" in held for held in found.checked)
    again = replay(learning, tmp_path / "again")
    assert again.code == 0, again.err
    for name in ("turns.jsonl", "metrics.json", "users.parquet"):
        assert again.bytes_of(name) == learning.bytes_of(name)
    assert again.summary["sessions"] == learning.summary["sessions"]


def test_a_turn_of_somebody_who_was_absent_is_found_out(learning, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in learning.path.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    lines = learning.bytes_of("turns.jsonl").splitlines(keepends=True)
    (copy / "turns.jsonl").write_bytes(b"".join(lines[:-1]))
    assert any("is missing" in str(fault) for fault in verify(copy).faults)


def test_newcomers_have_a_short_past_and_no_part_in_training(tmp_path):
    narrow_models.TRAINED_ON.clear()
    run = finished(
        tmp_path / "run", *LIVING, "recommender.model=narrow_models:Popular", "population.newcomer_history=2"
    )
    users = pd.read_parquet(run.path / "users.parquet")
    newcomers = set(users["user_id"][users["newcomer"]])
    assert len(newcomers) == 4
    came = {turn["user_id"] for turn in run.turns} & newcomers
    assert came
    first = {}
    for turn in run.turns:
        if turn["user_id"] in newcomers:
            first.setdefault(turn["user_id"], turn)
            assert turn["round"] > 2
    requests = {call["key"]: call["request"] for call in run.calls}
    for turn in first.values():
        told = requests[turn["request"]]["messages"][1]["content"].split("Now the recommender")[0]
        assert told.count("(3)") + told.count("(4)") + told.count("(5)") == 2, told
    # Of 120 users in the data all but the four were trained on.
    assert [len(each) for each in narrow_models.TRAINED_ON] == [116]


def test_the_twin_is_the_same_until_the_other_learns(learning):
    until, after = range(1, 3), range(3, 7)
    assert slates(learning, "frozen", until) == slates(learning, "learning", until)
    frozen, learnt = slates(learning, "frozen", after), slates(learning, "learning", after)
    assert frozen.keys() & learnt.keys()
    assert frozen != learnt


def test_what_was_accepted_and_nothing_else_was_learnt(learning):
    accepted = defaultdict(set)
    dealt = 0
    users = {
        user: row for row, user in enumerate(pd.read_parquet(learning.path / "users.parquet")["user_id"])
    }
    assert users
    for folder in sorted((learning.path / "retrained" / "2").glob("1-*/*")):
        told = json.loads((folder / "retraining.json").read_bytes())
        replicate, before = told["replicate"], told["before_round"]
        accepted = [
            item
            for turn in learning.turns
            if (turn["arm"], turn["replicate"]) == ("learning", replicate) and turn["round"] < before
            for item in turn["final"]
            if item in turn["accepted"]
        ]
        assert (
            told["simulated_interactions"]
            == len(accepted)
            == len(pd.read_parquet(folder / "feedback.parquet"))
        )
        dealt += 1
    assert dealt == 4, "two replicates learn before rounds 3 and 5"


@pytest.mark.parametrize("lost", [False, True])
def test_a_run_that_was_stopped_goes_on_to_the_same_turns(learning, tmp_path, lost):
    part = simulate(tmp_path / "part", *LEARNING, options=["--max-calls", "80"])
    assert part.code == 4, part.err
    retrained = part.path / "retrained"
    if lost:
        for file in [*retrained.rglob("retraining.json")]:
            file.unlink()
    whole = go_on(part.path)
    assert whole.code == 0, whole.err
    assert whole.bytes_of("turns.jsonl") == learning.bytes_of("turns.jsonl")


def test_a_model_that_only_counts_counts_anew(tmp_path):
    run = finished(
        tmp_path / "run",
        "cold_start.lengths=null",
        "rounds=4",
        "users.count=40",
        "recommender.model=popularity",
        "arms={frozen: {learning.retrain_every: null}, learning: {learning.retrain_every: 1}}",
    )
    assert slates(run, "frozen", [1]) == slates(run, "learning", [1])
    assert slates(run, "frozen", [4]) != slates(run, "learning", [4])


def test_users_who_have_seen_everything_leave_and_the_run_ends_well(tmp_path):
    run = finished(
        tmp_path / "run", "cold_start.lengths=null", "rounds=90", "users.count=3", "users.client=echo",
        "refinement={policy: replace}",
    )  # fmt: skip
    last = {turn["user_id"]: turn["round"] for turn in run.turns}
    assert any(number < 90 for number in last.values()), "nobody ran out of films, so nothing was tested"
    assert all(turn["slate"] for turn in run.turns)
    assert run.summary["sessions"]["history-all"]["retention"][-1]["mean"] < 1
    assert verify(run.path).faults == []


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["rounds=3", "population.pages=2"], "pages that divide the rounds"),
        (["population.activity=0"], "population.activity"),
        (["rounds=40", "population.newcomers=10"], "390 join them"),
        (
            ["slates.source=held_out", "refinement={policy: replace}", "learning.retrain_every=2"],
            "no recommender to train",
        ),
        (["arms={a: {}, b: {population.newcomers: 2}}"], "share it"),
    ],
)
def test_worlds_that_cannot_be_are_refused(tmp_path, overrides, said):
    run = simulate(tmp_path / "run", *overrides)
    assert run.code == 2
    assert said in " ".join(run.err.split())


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return finished(
        tmp_path_factory.mktemp("runs") / "planted",
        "cold_start.lengths=null",
        "rounds=6",
        "users.count=40",
        "replicates=2",
        "refinement={policy: replace}",
        "arms={scattered: {recommender.model: 'narrow_models:Scattered'}, "
        "popular: {recommender.model: 'narrow_models:Popular'}, narrow: {recommender.model: 'narrow_models:Narrow'}}",
    )


def at_end(run, arm, measure):
    return run.summary["sessions"][arm][measure][-1]["mean"]


def test_a_recommender_that_narrows_shows_in_diversity_and_entropy(planted):
    for measure in ("diversity", "entropy_shown", "entropy_accepted"):
        assert at_end(planted, "narrow", measure) < at_end(planted, "scattered", measure)
    found = planted.summary["sessions_against_reference"]["narrow"]["entropy_shown"]
    assert found["mean"]["high"] < 0


def test_one_that_shows_popular_items_shows_in_lift_gini_coverage_and_novelty(planted):
    first = {
        arm: {measure: points[0]["mean"] for measure, points in measures.items()}
        for arm, measures in planted.summary["sessions"].items()
    }
    popular, scattered = first["popular"], first["scattered"]
    assert popular["popularity_lift"] > 1 > scattered["popularity_lift"]
    assert popular["novelty"] < scattered["novelty"]
    found = planted.summary["sessions_against_reference"]["popular"]
    assert found["popularity_lift"]["mean"]["low"] > 0


def test_a_satisfied_population_stays_and_a_bored_one_leaves(tmp_path):
    run = finished(
        tmp_path / "run",
        "cold_start.lengths=null",
        "rounds=5",
        "users={count: 40, client: random}",
        "refinement={policy: fuse, weight: 0.0}",
        "population={churn: 0.9, satisfaction_rate: 1}",
        "arms={served: {population.expects: 0.2}, unserved: {population.expects: 1.0}}",
    )
    served, unserved = (run.summary["sessions"][arm] for arm in ("served", "unserved"))
    assert served["satisfaction"][-1]["mean"] > unserved["satisfaction"][0]["mean"]
    assert served["retention"][-1]["mean"] > 0.9 > unserved["retention"][-1]["mean"]


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("arms={one: {}, two: {prompts.feedback: template_a}}",),
        ("refinement.weight=validation",),
        ("slates={source: held_out, size: 4}", "refinement={policy: replace}"),
    ],
)
def test_a_run_to_which_nobody_comes_says_so(overrides, tmp_path):
    few = ("cold_start.lengths=null", "users.count=3", "population={activity: 0.001}")
    run = simulate(tmp_path / "run", *few, *overrides)
    assert run.code == 2
    assert "scenario.yaml: nobody came to any round" in run.err
    assert "Traceback" not in run.err
