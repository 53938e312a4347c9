"""What simulated users are told, and what must be kept from them."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from small_runs import SCENARIO, simulate

from agents.embedded.reading import PromptReader
from agents.llm import Message
from prompts import inline
from recommender.features.economy import find_state
from recommender.features.profile import ECONOMIC_STATUS, LEVELS
from recommender.pipeline import prepare_data
from simulator.audience import choose_audience, make_client, make_members, make_nulls, make_reader
from simulator.scenario import load

VALIDATED = ("refinement.weight=validation", "refinement.validation_share=0.5")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("runs") / "told", *VALIDATED)


@pytest.fixture(scope="module")
def prepared():
    return prepare_data(load(SCENARIO, VALIDATED))


@pytest.fixture(scope="module")
def titles(prepared):
    items = prepared.split.dataset.items
    return {item: inline(title) for item, title in zip(items["item_id"], items["title"], strict=True)}


def asked(run):
    """(turn, its messages)."""
    requests = {call["key"]: call["request"]["messages"] for call in run.calls}
    for turn in run.turns:
        yield turn, requests[turn["request"]]


def parts(messages):
    """Everything before the candidates, the candidates, everything after them."""
    text = "\n".join(message["content"] for message in messages)
    before, offer = text.split("Now the recommender wants to recommend ")
    candidates, after = offer.split(", and your task is")
    return before, candidates, after


def test_candidates_are_listed_as_the_turn_says(run, titles):
    for turn, messages in asked(run):
        assert parts(messages)[1] == ", ".join(titles[item] for item in turn["shown"])


def test_no_held_out_item_is_named_outside_the_candidates(run, prepared, titles):
    """Exact titles: one that is part of another is found by the reader that knows the whole catalogue."""
    reader = PromptReader(list(titles.values()))
    number = {item: n for n, item in enumerate(titles)}
    user_ids = prepared.split.dataset.users["user_id"].tolist()
    items = list(titles)
    checked = 0
    for turn, messages in asked(run):
        before, _, after = parts(messages)
        row = user_ids.index(turn["user_id"])
        later = [prepared.split.test] + ([prepared.split.validation] if turn["phase"] == "validation" else [])
        hidden = {items[n] for part in later for n in part.item[part.user == row]}
        assert set(turn["targets"]) <= hidden
        read = reader.read(tuple(Message(m["role"], m["content"]) for m in messages))
        assert len(read.history) == int(turn["arm"].removeprefix("history-"))
        assert not {number[item] for item in hidden} & {seen.item for seen in read.history}
        remaining = before
        for seen in read.history:
            remaining = remaining.replace(titles[items[seen.item]], "")
        for item in hidden:
            assert titles[item] not in remaining
            assert titles[item] not in after
            checked += 1
    assert checked > 100


def test_the_memory_is_the_newest_of_the_history_with_its_ratings(run, prepared, titles):
    split, items = prepared.split, list(titles)
    user_ids = split.dataset.users["user_id"].tolist()
    for turn, messages in asked(run):
        history = split.history(turn["phase"])
        own = history.take(history.user == user_ids.index(turn["user_id"]))
        newest = slice(-int(turn["arm"].removeprefix("history-")), None)
        told = ", ".join(
            f"{titles[items[item]]} ({rating:g})"
            for item, rating in zip(own.item[newest].tolist(), own.rating[newest].tolist(), strict=True)
        )
        assert parts(messages)[0].rstrip().endswith(f"followed by your rating) {told}")


def test_the_persona_is_that_of_the_data(run, prepared):
    users = prepared.split.dataset.users.set_index("user_id")
    for turn, messages in asked(run):
        record = users.loc[turn["user_id"]]
        assert f"user called {record['name']} ({record['age']}, lives in" in messages[0]["content"]
        assert f"my ranking as {record['name']} would be" in messages[1]["content"]


def test_the_persona_tells_the_state_and_the_economic_status_that_the_recommender_knows(prepared):
    scenario = load(SCENARIO)
    audience = choose_audience(scenario, prepared)
    split, labels = prepared.split, prepared.labels
    column = [field.name for field in labels.fields].index(ECONOMIC_STATUS)
    levels = dict(
        zip(split.dataset.users["user_id"], labels.labels(split.train)[:, column].tolist(), strict=True)
    )
    codes = dict(zip(split.dataset.users["user_id"], split.dataset.users["zip"], strict=True))
    members = make_members(scenario, prepared, audience, "test")
    assert {LEVELS[levels[member.user_id]] for member in members} >= {"low", "medium", "high"}
    for member in members:
        assert member.persona.location.endswith(f" in {find_state(codes[member.user_id]).name}")
        level, told = LEVELS[levels[member.user_id]], member.persona.behaviour or ""
        assert ("household income" in told) == (level != "medium")
        assert (f"comparatively {level} household income" in told) == (level != "medium")


def without(prepared, *fields):
    """The same data with these fields of every user unknown."""
    dataset = prepared.split.dataset
    bare = replace(dataset, users=dataset.users.assign(**dict.fromkeys(fields)))
    return replace(prepared, split=replace(prepared.split, dataset=bare))


@pytest.mark.parametrize(
    ("field", "attribute"),
    [("gender", "gender"), ("age", "age"), ("zip", "location"), ("occupation", "occupation")],
)
def test_what_is_not_known_is_not_told(prepared, field, attribute):
    scenario = load(SCENARIO)
    audience = choose_audience(scenario, prepared)
    members = make_members(scenario, without(prepared, field), audience, "test")
    assert members
    assert {getattr(member.persona, attribute) for member in members} == {None}
    told = make_members(scenario, prepared, audience, "test")
    assert len({getattr(member.persona, attribute) for member in told} - {None}) > 1


def test_the_audience_is_drawn_by_the_seed_among_users_with_enough_history(prepared):
    scenario = load(SCENARIO)
    one, again = choose_audience(scenario, prepared), choose_audience(scenario, prepared)
    assert one.users.tolist() == again.users.tolist()
    other = choose_audience(load(SCENARIO, ["seed=5"]), prepared)
    assert one.users.tolist() != other.users.tolist()
    count = np.bincount(prepared.split.train.user)
    assert all(count[one.users] >= 10)
    validated = choose_audience(load(SCENARIO, VALIDATED), prepared)
    assert len(validated.validation_users) == 6
    assert set(validated.validation_users) <= set(validated.users)


def client_for(prepared):
    scenario = load(SCENARIO)
    reader = make_reader(prepared)
    audience = choose_audience(scenario, prepared)
    return make_client(scenario, prepared, audience, reader, make_nulls(scenario, prepared, reader)), audience


def corrupted(prepared, rows, parts_):
    """The same data with other items and ratings for these users in these parts of the split."""
    split = prepared.split
    changed = {}
    for name in parts_:
        part = getattr(split, name)
        own = np.isin(part.user, rows)
        item, rating = part.item.copy(), part.rating.copy()
        item[own], rating[own] = 0, 1
        changed[name] = replace(part, item=item, rating=rating)
    return replace(prepared, split=replace(split, **changed))


def test_what_the_stand_in_knows_of_items_comes_from_train_rows_of_others(prepared):
    client, audience = client_for(prepared)
    everyone = np.arange(len(prepared.split.dataset.users))
    others = np.setdiff1d(everyone, audience.users)
    played = corrupted(prepared, audience.users, ["train", "validation", "test"])
    assert client_for(played)[0].provider == client.provider
    later = corrupted(prepared, everyone, ["validation", "test"])
    assert client_for(later)[0].provider == client.provider
    assert client_for(corrupted(prepared, others[:20], ["train"]))[0].provider != client.provider


def test_a_family_without_persona_changes_the_answers(run, tmp_path):
    family = tmp_path / "bare"
    shutil.copytree(str(files("prompts") / "families" / "paper"), family)
    (family / "template_1.txt").write_text("You are going to simulate a user called {name}.\n")
    metadata = (family / "family.yaml").read_text()
    fields = "fields: [name, gender, age, location, occupation, behaviour, interests]"
    assert fields in metadata
    (family / "family.yaml").write_text(metadata.replace(fields, "fields: [name]"))
    bare = simulate(tmp_path / "run", f"prompts.family={family}", *VALIDATED)
    assert bare.code == 0, bare.err
    assert not re.search("male|years|Drama", bare.calls[0]["request"]["messages"][0]["content"])
    assert [t["slate"] for t in bare.turns] == [t["slate"] for t in run.turns]
    assert [t["ranking"] for t in bare.turns] != [t["ranking"] for t in run.turns]
    assert bare.turns[0]["templates"]["profile"] != run.turns[0]["templates"]["profile"]
    assert bare.turns[0]["templates"]["memory"] == run.turns[0]["templates"]["memory"]


def test_a_memory_cut_to_its_budget_says_so_and_changes_the_answers(run, tmp_path):
    short = simulate(tmp_path / "run", "prompts.memory_tokens=40", *VALIDATED)
    memories = [parts(messages)[0] for _, messages in asked(short)]
    assert all(re.search(r"\(\d+ more of the past left out\)\s*$", memory) for memory in memories)
    assert [t["ranking"] for t in short.turns] != [t["ranking"] for t in run.turns]


def test_ten_of_the_past_and_five_are_told_apart_by_the_audience(run):
    tested = [turn for turn in run.turns if turn["phase"] == "test"]
    fives, tens = ([t["ranking"] for t in tested if t["arm"] == arm] for arm in ("history-5", "history-10"))
    assert fives != tens


def test_every_request_is_for_its_user_and_round(run):
    draws = {call["key"]: call["request"]["draw"] for call in run.calls}
    for turn in run.turns:
        assert draws[turn["request"]] == {"user": turn["user_id"], "round": turn["round"], "replicate": 0}
    assert json.loads(run.bytes_of("manifest.json"))["endpoint"]["provider"].startswith("stand-in:")


_ELSEWHERE = """
import sys
from pathlib import Path
from recommender.features.economy import find_state
from recommender.features.profile import ECONOMIC_STATUS, LEVELS
from simulator.audience import choose_audience, make_client, make_nulls, make_reader
from recommender.pipeline import prepare_data
from simulator.scenario import load
scenario = load(Path(sys.argv[1]))
prepared = prepare_data(scenario)
reader = make_reader(prepared)
nulls = make_nulls(scenario, prepared, reader)
print(make_client(scenario, prepared, choose_audience(scenario, prepared), reader, nulls).provider)
"""


def test_the_stand_in_is_the_same_in_every_process(prepared):
    """The order of a set, and with it of a sum, differs between processes; it must not reach what is known."""
    done = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE, str(SCENARIO)],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == client_for(prepared)[0].provider


def test_a_held_out_item_is_never_told_as_watched(prepared):
    scenario = load(SCENARIO, VALIDATED)
    audience = choose_audience(scenario, prepared)
    assert make_members(scenario, prepared, audience, "test")
    leaking = replace(prepared, split=replace(prepared.split, test=prepared.split.validation))
    with pytest.raises(RuntimeError, match="a held-out item stands in the history"):
        make_members(scenario, leaking, audience, "test")
