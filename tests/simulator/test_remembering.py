"""What a prompt of a later round tells of the earlier ones: nothing, what was accepted, or all."""

import re
from collections import defaultdict

import pytest
from small_runs import replay, said, simulate, study

from agents.llm.tokens import estimate_tokens
from prompts import inline
from recommender.pipeline import prepare_data
from simulator.scenario import load

SMALL = ("rounds=3", "users.count=6", "cold_start.lengths=[5]")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return {
        remember: simulate(folder / remember, *SMALL, f"prompts.remember={remember}")
        for remember in ("none", "accepted", "all")
    }


@pytest.fixture(scope="module")
def titles(runs):
    items = prepare_data(load(runs["all"].path / "scenario.yaml")).split.dataset.items
    return {item: inline(title) for item, title in zip(items["item_id"], items["title"], strict=True)}


def prompts(run):
    """The user's message of each turn, by (user, round)."""
    requests = {call["key"]: call["request"]["messages"][1]["content"] for call in run.calls}
    return {(turn["user_id"], turn["round"]): requests[turn["request"]] for turn in run.turns}


def turns(run):
    found = defaultdict(dict)
    for turn in run.turns:
        found[turn["user_id"]][turn["round"]] = turn
    return found


def watched(prompt):
    return prompt.split("\n\n")[0]


def test_the_first_round_knows_no_other_and_is_asked_alike(runs):
    first = [{key: text for key, text in prompts(run).items() if key[1] == 1} for run in runs.values()]
    assert first[0] == first[1] == first[2]
    hashes = [run.turns[0]["templates"] for run in runs.values()]
    assert hashes[0] == hashes[1]
    assert hashes[2] == {**hashes[1], "rounds": hashes[2]["rounds"]}


def test_nothing_is_told_of_earlier_rounds_where_none_is_remembered(runs):
    told = prompts(runs["none"])
    assert {watched(told[user, 3]) for user, _ in told} == {watched(told[user, 1]) for user, _ in told}


def test_all_that_was_shown_is_told_by_what_was_decided(runs, titles):
    run = runs["all"]
    told = prompts(run)
    for user, rounds in turns(run).items():
        for now in (2, 3):
            _, earlier, _ = told[user, now].split("\n\n")
            assert len(earlier.splitlines()) == now - 1
            for turn, line in zip(rounds.values(), earlier.splitlines(), strict=False):
                assert line.startswith(
                    f"In round {turn['round']} the recommender showed you {len(turn['slate'])} "
                )
                for word, items in (("accepted", turn["accepted"]), ("did not accept", turn["rejected"])):
                    listed = ", ".join(titles[item] for item in turn["shown"] if item in items)
                    assert (f"You {word} {listed}." in line) is bool(items)
                assert all(titles[item] in line for item in turn["slate"])


def test_the_history_names_as_watched_no_held_out_item_that_was_not_accepted(runs, titles):
    shown_before = 0
    for run in (runs["accepted"], runs["all"]):
        told = prompts(run)
        for user, rounds in turns(run).items():
            accepted, shown = set(), set()
            for number, turn in rounds.items():
                history = watched(told[user, number])
                for item in rounds[1]["targets"]:
                    named = re.search(rf"(^|[,)] |rating\) ){re.escape(titles[item])}(,|$)", history)
                    assert bool(named) == (item in accepted)
                    shown_before += item in shown
                accepted |= set(turn["final"]) & set(turn["accepted"])
                shown |= set(turn["slate"])
    assert shown_before, "no held-out item was met again"


def test_the_stand_in_takes_what_it_rejected_for_no_history(runs):
    """Its noise is that of the draw, so the same slates are decided alike with and without the rounds."""
    one, other = turns(runs["accepted"]), turns(runs["all"])
    assert [one[u][2]["accepted"] for u in one] == [other[u][2]["accepted"] for u in other]


def test_history_and_rounds_stay_in_the_budget_together(tmp_path):
    run = simulate(tmp_path / "run", *SMALL, "prompts.remember=all", "prompts.memory_tokens=300")
    cut = 0
    for prompt in prompts(run).values():
        *past, _ = prompt.split("\n\n")
        text = re.sub(r"^As .*?\(in sequence, followed by your rating\) ", "", "".join(past))
        cut += "left out)" in text
        # Beyond it, no more than the note of a cut history.
        assert estimate_tokens(text) <= 300 + estimate_tokens(" (99 more of the past left out)")
    assert cut


def test_the_same_bytes_at_any_concurrency_and_replayed(
    audience, openai_server, endpoint_environment, tmp_path
):
    chosen = (*SMALL, "prompts.remember=all", "users.cache=false")
    server = openai_server(audience, delay=0.005)
    one = study(tmp_path / "one", server.base_url, *chosen, "users.concurrency=1")
    many = study(tmp_path / "many", server.base_url, *chosen, "users.concurrency=100")
    again = replay(many, tmp_path / "again")
    assert (one.code, many.code, again.code) == (0, 0, 0), one.err + again.err
    assert one.bytes_of("turns.jsonl") == many.bytes_of("turns.jsonl") == again.bytes_of("turns.jsonl")
    assert said(one) == said(many)
