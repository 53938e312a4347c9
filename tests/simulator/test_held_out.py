from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_runs import go_on, lines, replay, simulate

from recommender import data
from simulator.audience import make_members
from simulator.held_out import HeldOutProposer, ItemSets, able_users, nearest_ranks
from simulator.measures.fidelity import auc
from simulator.party import Party
from simulator.scenario import ScenarioError, load
from simulator.study import Study
from simulator.transcript.verifying import verify

SCENARIO = Path(__file__).parents[2] / "scenarios" / "fidelity.yaml"
EMBEDDED = ("data.source=embedded", "users.count=40", "slates.size=8")
ALONE = (*EMBEDDED, "arms=null")
ARMS = "arms={matched: {}, random: {slates.others: random}, disliked: {slates.others: disliked}, nine: {slates.size: 10, slates.m: 9}}"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    finished = simulate(tmp_path_factory.mktemp("held out") / "run", *EMBEDDED, ARMS, scenario=SCENARIO)
    assert finished.code == 0, finished.err
    return finished


@pytest.fixture(scope="module")
def prepared(silent_stages):
    return Study.of(load(SCENARIO, ALONE), silent_stages).prepared


def arm(run, name):
    return [turn for turn in run.turns if turn["arm"] == name]


def stars():
    """Every rating of the embedded data by user and item."""
    read = data.load("embedded", None, 0)
    inter = read.interactions
    users, items = read.users["user_id"].to_numpy(), read.items["item_id"].to_numpy()
    return dict(
        zip(zip(users[inter.user], items[inter.item], strict=True), inter.rating.tolist(), strict=True)
    )


def test_slates_are_what_their_arm_asks_for(run):
    rated = stars()
    for name, liked_count, others_count in (
        ("matched", 4, 4),
        ("random", 4, 4),
        ("disliked", 4, 4),
        ("nine", 1, 9),
    ):
        for turn in arm(run, name):
            liked = [item for item in turn["slate"] if item in turn["targets"]]
            others = [item for item in turn["slate"] if item not in turn["targets"]]
            assert (len(liked), len(others), len({*turn["slate"]})) == (
                liked_count,
                others_count,
                len(turn["slate"]),
            )
            real = [rated.get((turn["user_id"], item)) for item in others]
            assert all(rated[turn["user_id"], item] >= 3 for item in liked)
            assert all(value < 3 for value in real) if name == "disliked" else real == [None] * others_count
            assert turn["ratings"] == {
                item: rated[turn["user_id"], item]
                for item in turn["slate"]
                if (turn["user_id"], item) in rated
            }


def test_the_same_users_meet_the_same_liked_items_in_every_arm(run):
    users = [
        [turn["user_id"] for turn in arm(run, name)] for name in ("matched", "random", "disliked", "nine")
    ]
    assert users == users[:1] * 4
    for one, *others in zip(
        *(arm(run, name) for name in ("matched", "random", "disliked", "nine")), strict=True
    ):
        wanted = {*one["slate"]} & {*one["targets"]}
        assert [{*other["slate"]} & {*other["targets"]} for other in others[:2]] == [wanted] * 2
        assert {*others[2]["slate"]} & {*others[2]["targets"]} < wanted


def test_neither_scores_nor_order_tell_the_liked_items(run):
    places = []
    for turn in run.turns:
        assert set(turn["scores"]) == {0.0}
        if turn["arm"] == "matched":
            places += [place for place, item in enumerate(turn["slate"]) if item in turn["targets"]]
    # 160 places from 0 to 7: the mean of so many is within .6 of 3.5 but for one time in a thousand.
    assert np.mean(places) == pytest.approx(3.5, abs=0.6)


def test_no_memory_holds_an_item_that_may_be_asked_about(silent_stages):
    study = Study.of(load(SCENARIO, ALONE), silent_stages)
    split = study.prepared.split
    titles = dict(zip(split.dataset.items["item_id"], split.dataset.items["title"], strict=True))
    shared = {title for title in titles.values() if list(titles.values()).count(title) > 1}
    members = make_members(study.scenario, study.prepared, study.conditions[0].audience, "test")
    for member in members:
        told = {seen.title for seen in member.memory.experiences} - shared
        assert told
        assert not told & {titles[item] for item in (*member.targets, *member.ratings)}
        assert {*member.targets} <= member.ratings.keys()


def test_popularity_knows_nothing_in_matched_sets_and_much_in_random_ones(prepared):
    """Over all users who have enough, without an audience."""
    split = prepared.split
    counts = np.bincount(split.train.item, minlength=len(split.dataset.items))
    found = {}
    for others in ("matched", "random"):
        scenario = load(SCENARIO, [*ALONE, f"slates.others={others}"])
        sets, users = ItemSets(scenario, prepared), split.dataset.users["user_id"]
        drawn = [sets.drawn(row, users[row]) for row in np.flatnonzero(able_users(scenario, prepared))]
        assert len(drawn) > 200
        truth = np.array([[True] * 4 + [False] * 4] * len(drawn))
        scores = np.array([counts[liked + other] for liked, other in drawn], dtype=np.float64)
        found[others] = auc(truth, scores).mean()
    assert found["matched"] == pytest.approx(0.5, abs=0.03)
    assert found["random"] > 0.7


def test_oracle_random_and_echo_are_where_they_must_be(run):
    for name in ("matched", "random", "disliked"):
        lists = run.metrics[name]
        assert all(
            lists["oracle"][metric]["mean"] == 1
            for metric in ("auc", "accuracy", "precision", "recall", "f1")
        )
        for null in ("random", "echo"):
            assert lists[null]["auc"]["low"] - 0.05 < 0.5 < lists[null]["auc"]["high"] + 0.05
        assert lists["echo"]["recall"]["mean"] == 1
        assert lists["echo"]["precision"]["mean"] == 0.5
    assert run.metrics["nine"]["echo"]["precision"]["mean"] == pytest.approx(0.1)


def test_the_verdict_ends_the_output_and_is_in_the_summary(run):
    told = run.summary["fidelity"]
    question, *answers, last = run.out.strip().splitlines()[-len(told["verdicts"]) - 2 :]
    assert question == told["question"]
    assert answers == [f"  {name}: {verdict['text']}" for name, verdict in told["verdicts"].items()]
    assert last.startswith("run directory: ")
    for name, verdict in told["verdicts"].items():
        lists = run.metrics[name]
        nulls = {null: lists[null]["auc"]["mean"] for null in ("random", "popularity", "echo")}
        assert verdict["best_null"] == max(nulls, key=nulls.get)
        pair = run.summary["differences"][name][f"audience - {verdict['best_null']}"]["auc"]
        assert (verdict["difference"], verdict["low"], verdict["high"]) == (
            pair["mean"],
            pair["low"],
            pair["high"],
        )
    assert {"1", "2"} <= told["by_rating"]["disliked"]["audience"].keys()
    assert "unrated" not in told["by_rating"]["disliked"]["audience"]


@pytest.mark.parametrize("client", ["echo", "random", "oracle"])
def test_null_users_as_clients_get_the_verdict_that_is_known(tmp_path, client):
    known = simulate(tmp_path / "run", *ALONE, f"users.client={client}", scenario=SCENARIO)
    assert known.code == 0, known.err
    (verdict,) = known.summary["fidelity"]["verdicts"].values()
    if client == "oracle":
        assert (verdict["answer"], verdict["auc"]) == ("yes", 1)
    else:
        # It is one of those that it is held against, so it cannot be better than the best of them.
        assert verdict["answer"] != "yes"
        assert verdict["difference"] <= 0


def test_a_run_is_whole_and_replayed_to_the_same_bytes(run, tmp_path):
    assert verify(run.path).whole
    again = replay(run, tmp_path / "again")
    assert again.code == 0, again.err
    for name in ("turns.jsonl", "metrics.json", "proposals.jsonl"):
        assert again.bytes_of(name) == run.bytes_of(name)
    assert again.summary["fidelity"] == run.summary["fidelity"]


def test_a_dry_run_counts_the_very_calls_and_is_gone_on_with(run, tmp_path):
    out = tmp_path / "run"
    begun = simulate(out, *EMBEDDED, ARMS, options=("--dry-run",), scenario=SCENARIO)
    assert begun.code == 0, begun.err
    assert f"calls to make: {len(run.calls)}" in begun.out
    assert not (out / "recommender.pt").exists()
    assert lines(out / "calls.jsonl") == []
    resumed = go_on(out)
    assert resumed.code == 0, resumed.err
    assert resumed.bytes_of("turns.jsonl") == run.bytes_of("turns.jsonl")


def test_a_slate_does_not_depend_on_who_else_is_asked(prepared):
    scenario = load(SCENARIO, ALONE)
    users = prepared.split.dataset.users["user_id"][able_users(scenario, prepared)].tolist()[:6]

    def slates(asked):
        proposer = HeldOutProposer(scenario, prepared, {}, None)
        proposals = proposer.propose(Party("a", "test", 0, 1, asked, {}, {}))
        return {proposal.user_id: proposal.items for proposal in proposals}

    together = slates(users)
    assert {user: slates([user])[user] for user in reversed(users)} == together


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=40).map(sorted),
    st.integers(0, 30),
    st.integers(1, 40),
    st.integers(0, 2**32),
)
def test_matches_are_next_to_the_item_as_many_above_as_below(counts, count, m, seed):
    found = nearest_ranks(np.array(counts), count, m, np.random.default_rng(seed)).tolist()
    assert found == list(range(found[0], found[0] + len(found)))
    assert len(found) == min(m, len(counts))
    below = sum(counts[place] < count for place in found)
    above = sum(counts[place] > count for place in found)
    if found[0] > 0 and found[-1] < len(counts) - 1:
        assert max(below, above) <= (m + 1) // 2


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("refinement.policy=fuse", "policy: replace"),
        ("rounds=2", "one slate of held-out items"),
        ("slates.size=3", "one liked item and its m = 9 others"),
        ("slates.others=hated", "slates.others"),
        ("arms={a: {slates.source: recommender}}", "should stand outside of the arms"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(override, said):
    with pytest.raises(ScenarioError, match=r"fidelity\.yaml|--set") as refused:
        load(SCENARIO, ["slates.m=9", "slates.size=20", "arms=null", override])
    assert said in str(refused.value)


def test_too_few_users_for_the_slates_says_what_to_lower(tmp_path):
    refused = simulate(tmp_path / "run", *ALONE, "slates.size=200", scenario=SCENARIO)
    assert refused.code == 2
    assert "100 liked and 100 matched others" in refused.err
    assert "slates.size" in refused.err
