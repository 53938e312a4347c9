"""Other forms of prompts and replies from end to end: numbers, JSON, no titles."""

import json

import pandas as pd
import pytest
from small_runs import simulate

from simulator.transcript.verifying import verify


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forms")
    return {
        family: simulate(folder / family, f"prompts.family={family}")
        for family in ("paper", "numbered", "json", "title_blind")
    }


def decisions(run):
    """What the audience and the null users decided, without what names the templates."""
    return [
        {
            name: turn[name]
            for name in (
                "user_id",
                "arm",
                "slate",
                "shown",
                "ranking",
                "accepted",
                "final",
                "nulls",
                "nulls_accepted",
            )
        }
        for turn in run.turns
    ]


@pytest.mark.parametrize("family", ["numbered", "json"])
def test_by_number_the_same_is_decided_as_by_title(runs, family):
    assert {turn["status"] for turn in runs[family].turns} == {"ok"}
    assert decisions(runs[family]) == decisions(runs["paper"])


def test_without_titles_no_prompt_names_one_and_the_oracle_still_knows(runs):
    run = runs["title_blind"]
    assert {turn["status"] for turn in run.turns} == {"ok"}
    titles = _titles(run)
    for call in run.calls:
        text = "\n".join(message["content"] for message in call["request"]["messages"])
        assert not [title for title in titles if title in text]
    sighted = {(turn["user_id"], turn["arm"]): turn["nulls"]["oracle"] for turn in runs["paper"].turns}
    for turn in run.turns:
        assert turn["nulls"]["oracle"] == sighted[turn["user_id"], turn["arm"]]


def _titles(run):
    return [title.rsplit(" (", 1)[0] for title in pd.read_parquet(run.path / "items.parquet")["title"]]


@pytest.mark.parametrize("family", ["numbered", "json", "title_blind"])
def test_it_is_whole_and_replayed_to_the_same_bytes(runs, family, tmp_path):
    assert verify(runs[family].path).whole
    again = simulate(tmp_path / "again", f"prompts.family={family}", options=("--replay", runs[family].path))
    assert again.code == 0
    assert again.bytes_of("turns.jsonl") == runs[family].bytes_of("turns.jsonl")


def test_the_schema_of_the_reply_goes_with_each_call(tmp_path, runs):
    run = simulate(tmp_path / "held", "prompts.family=json", "prompts.constrain=true")
    assert run.code == 0, run.err
    schema = run.calls[0]["request"]["params"]["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["accept", "ranking"]
    assert schema["properties"]["ranking"]["items"]["enum"] == list(range(1, 11))
    assert schema["properties"]["ranking"]["maxItems"] == 10, (
        "a list without an end is written to the limit of tokens"
    )
    assert decisions(run) == decisions(runs["json"])


def test_a_schema_for_a_reply_in_prose_is_refused(tmp_path):
    run = simulate(tmp_path / "wrong", "prompts.constrain=true")
    assert run.code == 2
    assert "does not ask for JSON; take one of form json, such as prompts.family json" in run.err


def test_the_data_say_what_their_items_are_called(tmp_path):
    run = simulate(tmp_path / "books", "data.domain=books")
    said = "\n".join(message["content"] for message in run.calls[0]["request"]["messages"])
    assert " books" in said
    assert "you have read (in sequence, followed by your rating)" in said
    assert json.loads((run.path / "manifest.json").read_bytes())["domain"]["name"] == "books"
    assert verify(run.path).whole
    assert not any("differ here" in note for note in verify(run.path).notes)
    wrong = simulate(tmp_path / "wrong", "data.domain=bokos")
    assert wrong.code == 2
    assert "data.domain" in wrong.err
