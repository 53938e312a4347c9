import io
import json
import sys

import pytest
from small_runs import CANARY, KEY_VARIABLE, files, simulate, study

from agents.testing.openai_server import Fault
from simulator.interview.__main__ import main

pytestmark = pytest.mark.usefixtures("endpoint_environment")


@pytest.fixture
def interview(capsys, monkeypatch):
    def run(path, *options, typed=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        capsys.readouterr()
        try:
            code = main([str(path), *options])
        except SystemExit as left:
            code = left.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def finished(audience, openai_server, tmp_path):
    """A run of a model that also answers questions, by counting them, and its server."""

    def answer(body):
        asked = sum(message["role"] == "assistant" for message in body["messages"])
        return f"Answer {asked}: I liked it." if asked else audience(body)

    server = openai_server(answer)
    return study(tmp_path / "run", server.base_url), server


def test_a_user_is_asked_with_persona_memory_and_decision_as_they_were(finished, interview):
    run, server = finished
    turn = run.turns[3]
    call = next(call for call in run.calls if call["key"] == turn["request"])
    sent = server.requests
    code, out, _ = interview(run.path, "--user", turn["user_id"], "--ask", "Why?", "--ask", "And {name}?")
    assert code == 0
    assert "> Why?\n\nAnswer 1: I liked it." in out
    assert "> And {name}?\n\nAnswer 2: I liked it." in out
    first, second = (received.body["messages"] for received in server.received[sent:])
    assert first[:-2] == call["request"]["messages"]
    assert first[-2] == {"role": "assistant", "content": call["completion"]["text"]}
    assert first[-1]["role"] == "user"
    assert first[-1]["content"].endswith("say so where you do not know.\n\nWhy?")
    assert ("You accepted" in first[-1]["content"]) is bool(turn["accepted"])
    assert second == [
        *first,
        {"role": "assistant", "content": "Answer 1: I liked it."},
        {"role": "user", "content": "And {name}?"},
    ]
    assert server.received[-1].body["temperature"] == 0.7


def test_the_same_question_costs_nothing_again_and_replays_without_server_and_key(
    finished, interview, monkeypatch
):
    run, server = finished
    before = files(run.path)
    user = run.turns[0]["user_id"]
    options = ("--user", user, "--json")
    code, out, _ = interview(run.path, *options, typed="Why?\n\n  What else?  \n")
    told = json.loads(out)
    assert (code, [each["question"] for each in told["answers"]]) == (0, ["Why?", "What else?"])
    sent = server.requests
    again = json.loads(interview(run.path, *options, typed="Why?\nWhat else?\n")[1])
    assert [each["source"] for each in again["answers"]] == ["journal", "journal"]
    assert (again["path"], again["messages"]) == (told["path"], told["messages"])
    monkeypatch.delenv(KEY_VARIABLE)
    code, out, _ = interview(run.path, *options, "--replay", "--ask", "Why?")
    assert (code, json.loads(out)["answers"][0]["answer"]) == (0, "Answer 1: I liked it.")
    code, _, err = interview(run.path, *options, "--replay", "--ask", "Why not?")
    assert code == 5
    assert "replay miss" in err
    assert server.requests == sent
    after = files(run.path)
    assert {path: after[path] for path in before} == before
    new = {path.relative_to(run.path).parts[0] for path in after.keys() - before.keys()}
    assert new == {"interviews"}
    assert not [path for path, content in after.items() if CANARY.encode() in content]
    kept = (run.path / "interviews").glob("*.txt")
    assert any(told["messages"][0]["content"] in path.read_text() for path in kept)


def test_another_model_may_answer_and_the_transcript_says_so(finished, interview, openai_server):
    run, _ = finished
    other = openai_server(lambda body: f"I am {body['model']}.")
    user = run.turns[0]["user_id"]
    changes = ("--model", "other-model", "--base-url", other.base_url)
    code, out, _ = interview(run.path, "--user", user, *changes, "--ask", "Who?")
    assert (code, other.requests) == (0, 1)
    assert "I am other-model." in out
    assert f"other-model, OpenAI-compatible server at {other.base_url} (in the run OpenAI" in out
    assert interview(run.path, "--user", user, *changes, "--ask", "Who?", "--replay")[0] == 0
    assert other.requests == 1
    code, _, err = interview(run.path, "--user", user, "--base-url", "nowhere", "--ask", "Who?")
    assert (code, "--base-url: base_url should be a whole address" in err) == (2, True), err


def test_a_question_that_fails_is_told_and_is_asked_again_the_next_time(finished, interview, openai_server):
    run, _ = finished
    other = openai_server(lambda body: "Because.", faults=[Fault.BAD_REQUEST])
    options = ("--user", run.turns[0]["user_id"], "--base-url", other.base_url, "--ask", "Why?")
    code, out, _ = interview(run.path, *options)
    assert (code, "no answer came" in out) == (3, True), out
    code, out, _ = interview(run.path, *options)
    assert (code, "Because." in out) == (0, True)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--user", "{user}x"), "did you mean '{user}'"),
        (("--user", "{user}", "--arm", "history-7"), "those of the run are 'history-5', 'history-10'"),
        (("--user", "{user}", "--replicate", "1"), "the run has 1, from 0 to 0"),
        (("--user", "{user}", "--set", "users.count=3"), "the run was begun with users.count = 12"),
        (("--user", "{user}", "--set", "data.max_users=110"), "the run was begun with data.max_users"),
    ],
)
def test_what_cannot_be_asked_is_told(stood_in, interview, options, expected):
    user = stood_in.turns[0]["user_id"]
    code, _, err = interview(stood_in.path, *(each.format(user=user) for each in options), "--ask", "Why?")
    assert code == 2
    assert expected.format(user=user) in err


@pytest.fixture(scope="module")
def stood_in(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("runs") / "run")


def test_the_stand_in_is_no_language_model_and_shows_what_it_was_told_instead(stood_in, interview):
    turn = stood_in.turns[-1]
    guest = ("--user", turn["user_id"], "--arm", turn["arm"])
    code, _, err = interview(stood_in.path, *guest, "--ask", "Why?")
    assert code == 2
    assert "users.client standin is a behavioural model of choice, no language model" in err
    code, out, _ = interview(stood_in.path, *guest, "--show")
    call = next(call for call in stood_in.calls if call["key"] == turn["request"])
    assert code == 0
    assert call["request"]["messages"][1]["content"] in out
    assert call["completion"]["text"] in out
    assert not (stood_in.path / "interviews").exists()


def test_an_unfinished_run_is_to_be_finished_first(stood_in, interview, tmp_path):
    for name in ("scenario.yaml", "manifest.json", "calls.jsonl", "proposals.jsonl", "training.json"):
        (tmp_path / name).write_bytes(stood_in.bytes_of(name))
    code, _, err = interview(tmp_path, "--user", "1", "--ask", "Why?")
    assert code == 2
    assert f"not finished; finish it first: python -m simulator.run --resume {tmp_path}" in err


def test_a_user_whose_call_failed_has_no_decision_to_ask_about(openai_server, interview, tmp_path):
    server = openai_server(faults=[Fault.BAD_REQUEST] * 100)
    run = study(
        tmp_path / "run", server.base_url, "users.count=2", "cold_start.lengths=[5]", "users.attempts=1"
    )
    code, _, err = interview(run.path, "--user", run.turns[0]["user_id"], "--ask", "Why?")
    assert (code, "gave no answer in round 1" in err) == (2, True), err


def test_a_cap_on_cost_ends_the_interview_before_the_question_is_sent(finished, interview):
    run, server = finished
    sent = server.requests
    prices = ("--set", "users.prices={input: 1.0, output: 1.0}")
    options = ("--user", run.turns[0]["user_id"], *prices, "--max-cost", "0.00001", "--ask", "Why?")
    code, _, err = interview(run.path, *options)
    assert (code, server.requests, "budget reached" in err) == (4, sent, True), err
