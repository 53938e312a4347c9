"""The same study against a real HTTP server of the OpenAI protocol, in good and in bad health."""

import hashlib
import html
import json
import socket

import pytest
from small_runs import CANARY, KEY_VARIABLE, replay, said, study

from agents.testing.openai_server import Fault, seeded_faults
from simulator.report.html.page import write_page

pytestmark = pytest.mark.usefixtures("endpoint_environment")


@pytest.fixture
def cache(endpoint_environment):
    return endpoint_environment


def means(run):
    return {arm: {name: {m: v["mean"] for m, v in entry.items()} for name, entry in lists.items()}
            for arm, lists in run.metrics.items()}  # fmt: skip


def test_faults_of_every_kind_lose_nothing_and_invent_nothing(audience, openai_server, tmp_path):
    well = openai_server(audience, delay=0.01)
    ill = openai_server(audience, delay=0.01, faults=seeded_faults(0.3, seed=1))
    healthy = study(tmp_path / "healthy", well.base_url)
    faulty = study(tmp_path / "faulty", ill.base_url, "users.attempts=9")
    assert (healthy.code, faulty.code) == (0, 0), faulty.err
    assert well.requests == well.answered == 24
    assert well.most_at_once > 4
    assert ill.requests > 24
    assert sum(len(call["attempts"]) for call in faulty.calls) == ill.requests
    assert len(faulty.turns) == len({(t["arm"], t["user_id"]) for t in faulty.turns}) == 24
    assert {turn["status"] for turn in faulty.turns} == {"ok"}
    assert said(faulty) == said(healthy)
    assert means(faulty) == means(healthy)
    assert faulty.turns[0]["client"] == f"OpenAI-compatible server at {ill.base_url}"
    body = well.received[0].body
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("test-model", 0.7, 900)
    assert well.received[0].authorization == f"Bearer {CANARY}"


def test_the_record_replays_without_server_and_key_and_the_cache_pays_nothing_twice(
    audience, openai_server, tmp_path, cache, monkeypatch
):
    server = openai_server(audience)
    first = study(tmp_path / "first", server.base_url, "cold_start.lengths=[5]")
    again = study(tmp_path / "again", server.base_url, "cold_start.lengths=[5]")
    assert server.requests == 12
    assert {call["source"] for call in again.calls} == {"cache"}
    assert again.bytes_of("turns.jsonl") == first.bytes_of("turns.jsonl")
    assert any(cache.rglob("*"))
    monkeypatch.delenv(KEY_VARIABLE)
    replayed = replay(first, tmp_path / "replayed")
    assert replayed.code == 0, replayed.err
    assert server.requests == 12
    assert replayed.bytes_of("turns.jsonl") == first.bytes_of("turns.jsonl")


def test_a_server_that_is_down_ends_the_run_at_once_and_loses_nothing(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: whoever connects is refused
        down = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        run = study(tmp_path / "run", down, "users.attempts=2", "users.concurrency=4")
    assert run.code == 2
    assert f"no connection to {down}" in run.err
    assert f"--resume {run.path}" in run.err
    assert "Traceback" not in run.err
    assert 1 <= len(run.calls) <= 4, "those that were under way, and no more"
    assert all(call["halting"] and "no connection" in call["error"] for call in run.calls)


@pytest.mark.parametrize(
    ("overrides", "as_what"),
    [
        ((), "count with the recommender's own list"),
        (
            ("slates={source: held_out, size: 4}", "refinement={policy: replace}"),
            "count as answers that prefer and accept nothing",
        ),
    ],
)
def test_failures_are_told_as_what_they_count(overrides, as_what, openai_server, tmp_path):
    server = openai_server(faults=[Fault.ERROR_500] * 1000)
    arms = ("arms={a: {}, b: {prompts.feedback: template_a}}", "cold_start.lengths=null")
    run = study(tmp_path / "run", server.base_url, "users.attempts=1", *arms, *overrides)
    assert run.code == 3
    assert f"; they {as_what}. Calls that failed" in run.err
    page = html.unescape(write_page(run.path).read_text())
    assert f"24 of 24 turns (100.0%) brought no usable answer; they {as_what}." in page
    assert f"and calls that failed, do not, and {as_what}." in page


def test_a_server_that_answers_nothing_leaves_a_complete_record_of_failures(openai_server, tmp_path):
    server = openai_server(faults=[Fault.ERROR_500] * 1000)
    run = study(tmp_path / "run", server.base_url, "users.attempts=2")
    assert run.code == 3
    assert "100.0% of the turns brought no usable answer" in run.err
    assert "Traceback" not in run.err
    assert len(run.turns) == 24
    for turn in run.turns:
        assert (turn["status"], turn["fallback"], turn["ranking"]) == ("failed", True, [])
        assert turn["final"] == turn["slate"][:5]
        assert "HTTP 500" in turn["error"]
    for lists in means(run).values():
        assert lists["refined"] == lists["recommender"]
        assert "refined_parsed_only" not in lists
        assert lists["oracle"] == lists["upper_bound"]
    assert run.summary["calls"]["failed"] == 24
    replayed = replay(run, tmp_path / "replayed")
    assert replayed.code == 3
    assert replayed.bytes_of("turns.jsonl") == run.bytes_of("turns.jsonl")


GARBAGE = {
    "": "unparseable",
    "Lovely weather \ud800 today \u2028 isn't it?": "unparseable",
    "As an AI language model, I cannot simulate a person.": "refused",
}


def test_garbage_is_counted_falls_back_and_is_left_out_of_parsed_only(audience, openai_server, tmp_path):
    texts, planned = list(GARBAGE), {}

    def answer(body):
        prompt = json.dumps(body["messages"])
        kind = int(hashlib.sha256(prompt.encode()).hexdigest(), 16) % 6
        planned[prompt] = GARBAGE[texts[kind]] if kind < len(texts) else "ok"
        return texts[kind] if kind < len(texts) else audience(body)

    server = openai_server(answer)
    run = study(tmp_path / "run", server.base_url)
    bad = sum(status != "ok" for status in planned.values())
    assert 3 < bad < 21
    statuses = [turn["status"] for turn in run.turns]
    assert sorted(statuses) == sorted(planned.values())
    assert run.code == 3
    counted = run.summary["replies"]
    assert sum(entry["fallback"] for entry in counted.values()) == bad
    assert sum(entry["planned"] for entry in counted.values()) == 24
    for arm, lists in run.metrics.items():
        turns = [turn for turn in run.turns if turn["arm"] == arm]
        kept = [turn for turn in turns if not turn["fallback"]]
        assert all(turn["final"] == turn["slate"][:5] for turn in turns if turn["fallback"])
        assert lists["refined"]["hr@5"]["users"] == 12
        assert lists["refined_parsed_only"]["hr@5"]["users"] == len(kept)
        hits = [bool(set(turn["final"]) & set(turn["targets"])) for turn in kept]
        assert lists["refined_parsed_only"]["hr@5"]["mean"] == pytest.approx(sum(hits) / len(hits))


def test_replies_cut_by_the_length_limit_are_truncated_and_tolerance_is_the_scenarios(
    audience, openai_server, tmp_path
):
    server = openai_server(audience, faults=[Fault.LENGTH] * 3)
    run = study(tmp_path / "run", server.base_url, "cold_start.lengths=[5]", "tolerance.failed=0.25")
    assert run.code == 0, run.err
    assert [turn["status"] for turn in run.turns].count("truncated") == 3
    assert run.summary["replies"]["history-5, test"]["statuses"] == {"ok": 9, "truncated": 3}
