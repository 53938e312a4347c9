"""Several rounds: what was shown is gone, what was accepted is remembered by user and recommender."""

from collections import defaultdict

import pytest
from small_runs import replay, simulate

from prompts import inline
from recommender.pipeline import prepare_data
from simulator.scenario import load


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "rounds"
    # This one reads the history, so what joins it can be seen in the slates.
    finished = simulate(out, "rounds=3", "users.count=8", "recommender.model=history_model:Alike")
    assert finished.code == 0, finished.err
    return finished


@pytest.fixture(scope="module")
def titles(run):
    items = prepare_data(load(run.path / "scenario.yaml")).split.dataset.items
    return {item: inline(title) for item, title in zip(items["item_id"], items["title"], strict=True)}


@pytest.fixture(scope="module")
def stories(run):
    """The turns of each (arm, user), by round."""
    told = defaultdict(list)
    for turn in run.turns:
        told[turn["arm"], turn["user_id"]].append(turn)
    return told


def memory_of(run, turn):
    """What the prompt of a turn says was watched."""
    request = next(call["request"] for call in run.calls if call["key"] == turn["request"])
    return request["messages"][1]["content"].split("Now the recommender wants to recommend")[0]


def test_every_user_has_a_turn_in_every_round(run, stories):
    assert len(stories) == 16
    assert all([turn["round"] for turn in turns] == [1, 2, 3] for turns in stories.values())
    assert len(run.calls) == 48
    assert [entry["planned"] for entry in run.summary["replies"].values()] == [24, 24]
    assert all(value["users"] == 8 for lists in run.metrics.values() for value in lists["refined"].values())


def test_what_was_shown_is_never_offered_again(stories):
    for turns in stories.values():
        for earlier, later in ((0, 1), (0, 2), (1, 2)):
            assert not set(turns[earlier]["final"]) & set(turns[later]["slate"])
    # What was proposed but not shown may come back.
    assert any(set(a["slate"]) & set(b["slate"]) for a, b, _ in stories.values())


def test_targets_shown_once_are_no_targets_later(stories):
    met = 0
    for turns in stories.values():
        left = turns[0]["targets"]
        for turn in turns:
            assert turn["targets"] == left
            met += len(set(left) & set(turn["final"]))
            left = [item for item in left if item not in turn["final"]]
    assert met, "no held-out item was shown at all, so nothing was tested"


def test_what_was_accepted_is_in_the_next_prompt_and_nothing_else_is(run, stories, titles):
    joined = 0
    for turns in stories.values():
        for before, after in ((0, 1), (1, 2)):
            then, now = memory_of(run, turns[before]), memory_of(run, turns[after])
            new = [item for item in turns[before]["final"] if item in turns[before]["accepted"]]
            joined += len(new)
            assert now.strip() == then.strip() + "".join(f", {titles[item]}" for item in new)
    assert joined > 20


def test_held_out_items_are_remembered_only_if_accepted(run, stories, titles):
    for turns in stories.values():
        accepted = set()
        for turn in turns:
            memory = memory_of(run, turn)
            for item in turns[0]["targets"]:
                assert (f"{titles[item]}," in memory or memory.rstrip().endswith(titles[item])) == (
                    item in accepted
                )
            accepted |= set(turn["final"]) & set(turn["accepted"])


def test_the_recommender_learns_what_was_accepted(tmp_path):
    """Shown the same, an audience that accepts all of it and one that is picky get other slates afterwards."""
    arguments = ("rounds=2", "recommender.model=history_model:Alike", "refinement.weight=0")
    willing = simulate(tmp_path / "willing", *arguments, "users.client=echo", "cold_start.lengths=[5]")
    picky = simulate(tmp_path / "picky", *arguments, "users.client=oracle", "cold_start.lengths=[5]")
    pairs = list(zip(willing.turns, picky.turns, strict=True))
    assert all(a["slate"] == b["slate"] for a, b in pairs if a["round"] == 1)
    assert all(a["final"] == b["final"] for a, b in pairs if a["round"] == 1)
    assert any(a["slate"] != b["slate"] for a, b in pairs if a["round"] == 2)


def test_replays_are_identical(run, tmp_path):
    again = replay(run, tmp_path / "replayed")
    assert again.code == 0, again.err
    assert again.bytes_of("turns.jsonl") == run.bytes_of("turns.jsonl")
    assert again.bytes_of("metrics.json") == run.bytes_of("metrics.json")
