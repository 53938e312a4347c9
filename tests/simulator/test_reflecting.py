"""Users that sum up between rounds: one call more, told in later rounds in the place of what it sums up, recorded and replayed."""

import pytest
from small_runs import CANARY, KEY_VARIABLE, go_on, replay, simulate, study

from simulator.transcript.verifying import verify

CHOSEN = (
    "rounds=4",
    "users.count=6",
    "cold_start.lengths=[5]",
    "prompts.remember=all",
    "prompts.reflect_every=2",
    "users.cache=false",
)
NOTE = "I like quiet films and no noise."


def answering(audience, silent=()):
    """As `audience`, and a note where one is asked for, but for the users whose name is in `silent`."""

    def answer(body):
        text = body["messages"][-1]["content"]
        if "write down for yourself" in text:
            return "" if any(name in body["messages"][0]["content"] for name in silent) else NOTE
        return audience(body)

    return answer


@pytest.fixture(scope="module")
def run(audience, tmp_path_factory):
    from agents.testing.openai_server import OpenAIServer

    with pytest.MonkeyPatch.context() as patch, OpenAIServer(answering(audience)) as server:
        patch.setenv(KEY_VARIABLE, CANARY)
        patch.setenv("SCREENTEST_CACHE", str(tmp_path_factory.mktemp("cache")))
        run = study(tmp_path_factory.mktemp("reflecting") / "run", server.base_url, *CHOSEN)
    assert run.code == 0, run.err
    return run


def prompts(run):
    said = {call["key"]: call["request"]["messages"][-1]["content"] for call in run.calls}
    return {(turn["user_id"], turn["round"]): said[turn["request"]] for turn in run.turns}


def test_users_are_asked_once_after_every_second_round_and_not_after_the_last(run):
    asked = [call for call in run.calls if call["request"]["draw"].get("part") == -1]
    assert len(asked) == 6
    assert {call["request"]["draw"]["round"] for call in asked} == {2}
    for call in asked:
        text = call["request"]["messages"][-1]["content"]
        assert "In round 1 the recommender showed you" in text
        assert "In round 2 the recommender showed you" in text
        assert text.endswith("Write only that.")
    keys = {call["key"] for call in asked}
    for turn in run.turns:
        assert (turn.get("reflection") in keys) is (turn["round"] == 2)
    assert run.summary["replies"]["history-5, test"]["reflections"] == {"asked": 6, "noted": 6}
    assert "6 of 6 times that a user was to sum up it did" in run.out


def test_the_note_stands_in_the_place_of_the_rounds_it_sums_up(run):
    for (_, number), text in prompts(run).items():
        assert (f"What you noted for yourself after round 2: {NOTE}" in text) is (number > 2)
        told = [earlier for earlier in range(1, 5) if f"In round {earlier} the recommender" in text]
        assert told == {1: [], 2: [1], 3: [], 4: [3]}[number]


def test_it_is_verified_replayed_and_gone_on_with(run, tmp_path):
    found = verify(run.path)
    assert found.whole, found.faults
    assert not any("belong to no turn" in note for note in found.notes)
    again = replay(run, tmp_path / "again")
    assert again.code == 0, again.err
    assert again.bytes_of("turns.jsonl") == run.bytes_of("turns.jsonl")
    assert go_on(run.path).code == 0


def test_a_user_that_notes_nothing_keeps_its_rounds_and_is_counted(
    audience, openai_server, endpoint_environment, run, tmp_path
):
    first = run.turns[0]["user_id"]
    system = next(call for call in run.calls if call["request"]["draw"]["user"] == first)["request"][
        "messages"
    ][0]["content"]
    name = system.split("user called ")[1].split(" (")[0]
    server = openai_server(answering(audience, silent=(f"user called {name} ",)))
    quiet = study(tmp_path / "run", server.base_url, *CHOSEN)
    assert quiet.summary["replies"]["history-5, test"]["reflections"]["noted"] < 6
    told = prompts(quiet)
    assert "What you noted" not in told[first, 3]
    assert all(f"In round {earlier} the recommender" in told[first, 4] for earlier in (1, 2, 3))
    assert verify(quiet.path).whole


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ("prompts.remember=all", "prompts.reflect_every=1"),
            "users.client standin is embedded and has no words of its own to sum up with",
        ),
        (("prompts.reflect_every=1",), "should be null unless prompts.remember is all"),
        (("prompts.remember=all", "prompts.reflect_every=0"), "prompts.reflect_every"),
    ],
)
def test_what_cannot_sum_up_is_refused(tmp_path, overrides, message):
    told = simulate(tmp_path / "out", *overrides)
    assert told.code == 2
    assert message in told.err
