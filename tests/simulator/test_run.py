"""A whole run: what it leaves behind, and that its numbers follow from its turns."""

import json
import math
import re
from collections import Counter, defaultdict

import pandas as pd
import pyarrow.parquet as pq
import pytest
from small_runs import simulate

FILES = (
    "scenario.yaml manifest.json calls.jsonl proposals.jsonl recommender.pt training.json turns.jsonl metrics.json "
    "per_user.parquet items.parquet users.parquet summary.json"
).split()
FIELDS = (
    "arm replicate round user_id slate scores shown status ranking accepted rejected undecided missing duplicate unknown "
    "ambiguous final templates request"
).split()
LISTS = [
    "recommender",
    "refined",
    "refined_parsed_only",
    "audience_alone",
    "echo",
    "random",
    "popularity",
    "oracle",
]
LISTS += ["upper_bound"]
ARMS = ["history-5", "history-10"]
CUTOFFS = (1, 3, 5)
N = 5


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    finished = simulate(tmp_path_factory.mktemp("runs") / "first", "users.concurrency=64")
    assert finished.code == 0, finished.err
    return finished


@pytest.fixture(scope="module")
def chosen(tmp_path_factory):
    """Weight chosen on validation turns, --json."""
    out = tmp_path_factory.mktemp("runs") / "chosen"
    return simulate(
        out, "refinement.weight=validation", "refinement.validation_share=0.5", options=["--json"]
    )


@pytest.fixture(scope="module")
def replaced(tmp_path_factory):
    """The oracle answers, its order decides, candidates are shown best first."""
    out = tmp_path_factory.mktemp("runs") / "replaced"
    return simulate(out, "users.client=oracle", "refinement.policy=replace", "prompts.shown=slate")


def test_the_directory_is_complete(run):
    assert sorted(file.name for file in run.path.iterdir()) == sorted(FILES)
    assert str(run.path) in run.out


def test_every_planned_turn_is_there_once_in_fixed_order(run):
    places = [(t["arm"], t["phase"], t["replicate"], t["round"], t["user_id"]) for t in run.turns]
    users = list(dict.fromkeys(t["user_id"] for t in run.turns))
    assert len(users) == 12
    assert places == [(arm, "test", 0, 1, user) for arm in ARMS for user in users]


def test_validation_turns_are_recorded_too(chosen):
    turns = Counter((t["arm"], t["phase"], t["round"]) for t in chosen.turns)
    assert turns == {(arm, "validation", 0): 6 for arm in ARMS} | {(arm, "test", 1): 12 for arm in ARMS}
    assert chosen.summary["refinement"]["validation_turns"] == 12
    curve = dict(chosen.summary["refinement"]["curve"])
    assert chosen.summary["refinement"]["weight"] == max(curve, key=lambda weight: (curve[weight], -weight))
    assert len(chosen.calls) == 36 == chosen.summary["calls"]["calls"]


def test_a_turn_has_the_fields_of_the_design(run):
    keys = {call["key"] for call in run.calls}
    for turn in run.turns:
        assert set(FIELDS) <= turn.keys()
        assert len(turn["slate"]) == len(turn["scores"]) == len(set(turn["slate"])) == 2 * N
        assert turn["scores"] == sorted(turn["scores"], reverse=True)
        assert sorted(turn["shown"]) == sorted(turn["slate"]) == sorted(turn["ranking"])
        assert sorted(turn["accepted"] + turn["rejected"] + turn["undecided"]) == sorted(turn["slate"])
        assert turn["status"] == "ok"
        assert turn["templates"].keys() == {"system", "profile", "memory", "feedback"}
        assert turn["request"] in keys


def test_a_call_has_the_fields_of_the_design(run):
    for call in run.calls:
        assert {
            "key",
            "request",
            "attempts",
            "completion",
            "usage",
            "started",
            "seconds",
            "sha256",
        } <= call.keys()


def test_lists_are_subsets_of_the_slate_without_repeats(run, chosen, replaced):
    for turn in run.turns + chosen.turns + replaced.turns:
        for final in [turn["final"], turn["alone"], *turn["nulls"].values()]:
            assert len(final) == len(set(final)) == N
            assert set(final) <= set(turn["slate"])


def naive(turns):
    """metrics.json's means, from turns alone: arm -> list -> metric -> mean over users."""
    found = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for turn in turns:
        if turn["phase"] != "test":
            continue
        wanted = set(turn["targets"])
        lists = {"recommender": turn["slate"][:N], "refined": turn["final"], "audience_alone": turn["alone"]}
        lists |= turn["nulls"]
        lists["refined_parsed_only"] = turn["final"]
        lists["upper_bound"] = [i for i in turn["slate"] if i in wanted] + [
            i for i in turn["slate"] if i not in wanted
        ]
        for name, items in lists.items():
            for n in CUTOFFS:
                hits = [item in wanted for item in items[:n]]
                gain = sum(hit / math.log2(place + 2) for place, hit in enumerate(hits))
                ideal = sum(1 / math.log2(place + 2) for place in range(min(n, len(wanted))))
                found[turn["arm"]][name][f"hr@{n}"].append(float(any(hits)))
                found[turn["arm"]][name][f"ndcg@{n}"].append(gain / ideal)
    return {
        arm: {name: {m: sum(v) / len(v) for m, v in metrics.items()} for name, metrics in lists.items()}
        for arm, lists in found.items()
    }


@pytest.mark.parametrize("which", ["run", "chosen", "replaced"])
def test_metrics_are_those_of_the_turns(which, request):
    finished = request.getfixturevalue(which)
    expected = naive(finished.turns)
    assert list(finished.metrics) == ARMS
    for arm in ARMS:
        assert sorted(finished.metrics[arm]) == sorted(LISTS)
        for name in LISTS:
            entry = finished.metrics[arm][name]
            assert {metric: value["mean"] for metric, value in entry.items()} == pytest.approx(
                expected[arm][name]
            )
            for value in entry.values():
                assert value["users"] == 12, "users planned are users reported"
                assert value["low"] <= value["mean"] <= value["high"]


@pytest.mark.parametrize("which", ["run", "chosen", "replaced"])
def test_no_reranking_beats_the_best_possible_one(which, request):
    for turn in request.getfixturevalue(which).turns:
        wanted = set(turn["targets"])
        for items in [turn["slate"], turn["final"], turn["alone"], *turn["nulls"].values()]:
            for n in CUTOFFS:
                hit = bool(wanted & set(items[:n]))
                assert hit <= bool(wanted & set(turn["slate"]))
    for lists in request.getfixturevalue(which).metrics.values():
        for entry in lists.values():
            for metric, value in entry.items():
                assert value["mean"] <= lists["upper_bound"][metric]["mean"] + 1e-12


def test_the_oracle_reaches_the_upper_bound_and_echo_the_recommender(replaced):
    for lists in replaced.metrics.values():
        for metric, bound in lists["upper_bound"].items():
            for name in ("refined", "oracle", "audience_alone"):
                assert lists[name][metric]["mean"] == bound["mean"]
            assert lists["echo"][metric]["mean"] == lists["recommender"][metric]["mean"]
        assert lists["oracle"]["ndcg@5"]["mean"] > lists["echo"]["ndcg@5"]["mean"]


def test_an_echo_audience_shown_the_best_first_changes_nothing(tmp_path):
    finished = simulate(
        tmp_path / "run", "users.client=echo", "prompts.shown=slate", "cold_start.lengths=[5]"
    )
    assert len(finished.turns) == 12
    assert all(turn["final"] == turn["slate"][:N] for turn in finished.turns)
    assert all(turn["accepted"] == turn["slate"] for turn in finished.turns)


def test_the_shown_order_is_drawn_per_user_and_is_the_same_in_every_arm(run):
    orders = defaultdict(set)
    for turn in run.turns:
        orders[turn["user_id"]].add(tuple(turn["slate"].index(item) for item in turn["shown"]))
    assert all(len(seen) == 1 for seen in orders.values())
    assert len(set.union(*orders.values())) == 12


def test_per_user_values_average_to_the_metrics(run):
    table = pd.read_parquet(run.path / "per_user.parquet")
    assert len(table) == len(ARMS) * len(LISTS) * 12
    means = table.groupby(["arm", "list"])[["hr@5", "ndcg@5"]].mean()
    for (arm, name), row in means.iterrows():
        for metric in ("hr@5", "ndcg@5"):
            assert run.metrics[arm][name][metric]["mean"] == pytest.approx(row[metric])


def texts(run):
    """Every output of a run as text, by name: files (those that are no text as values), the table."""
    for file in run.path.iterdir():
        if file.suffix == ".parquet":
            yield file.name, pq.read_table(file).to_pandas().to_csv()
        elif file.suffix != ".pt":
            yield file.name, file.read_text(encoding="utf-8")
    yield "standard output", run.out


def test_every_output_says_that_the_data_are_synthetic(run, chosen):
    for finished in (run, chosen):
        for name, text in texts(finished):
            if name == "standard output" and finished is run:
                assert "history-5: 12 users, embedded (synthetic)" in text
            assert "synthetic" in text, name
    for name in ("turns.jsonl", "calls.jsonl", "proposals.jsonl"):
        for line in run.bytes_of(name).decode().splitlines():
            assert json.loads(line)["data"] == "embedded (synthetic)", name


def test_every_output_of_the_audience_calls_the_stand_in_what_it_is(run, chosen):
    silent = {
        "scenario.yaml",
        "training.json",
        "proposals.jsonl",
        "items.parquet",
        "users.parquet",
    }  # where the audience has no part
    for finished in (run, chosen):
        for name, text in texts(finished):
            if name not in silent:
                assert re.search("stand-in .*not a language model", text), name


def test_json_is_one_document_and_nothing_else(chosen):
    document = json.loads(chosen.out)
    assert document == {"path": str(chosen.path / "metrics.json"), "metrics": chosen.metrics}
    assert "synthetic" in chosen.err
    assert "not a language model" in chosen.err
    assert chosen.code == 0


def test_the_table_holds_the_numbers_whole_when_piped(run):
    for arm in ARMS:
        for metric in ("hr@5", "ndcg@5"):
            value = f"{run.metrics[arm]['refined'][metric]['mean']:.3f}".removeprefix("0")
            assert value in run.out
    assert "…" not in run.out, "a cell of the table is cut"
    assert "\x1b" not in run.out


def test_the_manifest_says_with_what(run):
    manifest = json.loads(run.bytes_of("manifest.json"))
    assert manifest["hashes"].keys() >= {"scenario", "data", "prompts"}
    assert manifest["seeds"] == {"scenario": 0, "data": 0}
    assert manifest["packages"]["torch"]
    assert manifest["replay_of"] is None
    assert manifest["models_returned"] == [manifest["client"]]
    assert manifest["hashes"]["prompts"] == run.turns[0]["templates"]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_study(run, tmp_path):
    assert "concurrency: 64" in run.bytes_of("scenario.yaml").decode()
    again = simulate(tmp_path / "again", "users.concurrency=1")
    for name in ("turns.jsonl", "metrics.json", "proposals.jsonl"):
        assert again.bytes_of(name) == run.bytes_of(name)
    other = simulate(tmp_path / "other", "seed=1", "users.client=echo", "cold_start.lengths=[5]")
    assert {t["user_id"] for t in other.turns} != {t["user_id"] for t in run.turns}


@pytest.mark.parametrize("switch", ["content=false", "noise=0"])
def test_a_switch_of_the_stand_in_reaches_it(run, tmp_path, switch):
    other = simulate(tmp_path / "other", f"users.standin.{switch}")
    assert [turn["slate"] for turn in other.turns] == [turn["slate"] for turn in run.turns]
    assert [turn["ranking"] for turn in other.turns] != [turn["ranking"] for turn in run.turns]
