"""A run that sends whole rounds through the Batch API: the same turns as call by call, and nothing submitted twice."""

import json
import os
import signal
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path

import pytest
from small_runs import CANARY, files, go_on, said, simulate, study

from agents.testing.batch_server import BatchServer
from agents.testing.openai_server import Fault

pytestmark = pytest.mark.usefixtures("endpoint_environment")
QUICK = ("users.send=batch", "users.batch_poll_s=0.01", "users.cache=false")
TWO_ROUNDS = ("rounds=2", "refinement.weight=validation", "refinement.validation_share=0.3")
PRICES = "users.prices={input: 2.0, output: 8.0}"


@pytest.fixture
def batch_server(audience, openai_server):
    """A factory of servers whose Batch API behaves as asked."""
    return lambda **behaviour: openai_server(audience, batches=BatchServer(**behaviour))


@pytest.fixture(scope="module")
def healthy(audience, tmp_path_factory):
    """What the audience says where nothing goes wrong, without what names the address."""
    from agents.testing.openai_server import OpenAIServer

    with OpenAIServer(audience) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCREENTEST_TEST_KEY", CANARY)
        return said(study(tmp_path_factory.mktemp("healthy") / "run", server.base_url, "users.cache=false"))


def once_each(server, calls):
    """Whether every call was answered, and paid for, exactly once by the server's own count."""
    return len(server.batches.answered) == calls and set(server.batches.answered.values()) == {1}


def test_the_turns_are_those_of_sending_call_by_call(batch_server, tmp_path):
    server = batch_server()
    singly = study(tmp_path / "singly", server.base_url, *TWO_ROUNDS, "users.cache=false")
    asked = server.requests
    together = study(tmp_path / "together", server.base_url, *TWO_ROUNDS, *QUICK)
    assert (singly.code, together.code) == (0, 0), together.err
    assert server.requests == asked, "nothing was sent call by call"
    for name in ("turns.jsonl", "metrics.json", "per_user.parquet"):
        assert together.bytes_of(name) == singly.bytes_of(name), name
    assert server.batches.sizes == [8, 24, 24]
    assert once_each(server, 56)
    assert "batch_3: 24 calls sent" in together.err


KILLED = """
import os, signal, sys
sys.path.append(sys.argv[1])
from agents.llm.batch.ledger import BatchLedger
from small_runs import study

if sys.argv[2] == "created":
    BatchLedger.submitted = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
study(sys.argv[3], sys.argv[4], *sys.argv[5:])
"""


@pytest.mark.parametrize("where", ["created", "polled"])
def test_killed_while_it_waits_or_before_it_could_note_the_batch_it_goes_on_to_the_same_end(
    batch_server, tmp_path, healthy, where
):
    process = None

    def kill(looks):
        if where == "polled" and looks == 2:
            os.kill(process.pid, signal.SIGKILL)

    server = batch_server(statuses=["validating", *["in_progress"] * 3, "completed"], on_look=kill)
    tests = Path(__file__).parents[1]
    arguments = [str(tests), where, str(tmp_path / "run"), server.base_url, *QUICK]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *arguments], cwd=tests.parent)
    assert process.wait() == -signal.SIGKILL
    assert server.batches.sizes == [24]
    assert not server.batches.answered
    run = go_on(tmp_path / "run")
    assert run.code == 0, run.err
    assert said(run) == healthy
    assert server.batches.sizes == [24], "nothing was submitted twice"
    assert once_each(server, 24)
    assert "batch_1 was sent before: 24 of its calls are waited for" in run.err


def test_an_interrupt_leaves_the_batch_to_the_server_and_says_so(batch_server, tmp_path, healthy):
    main = threading.main_thread().ident

    def press(looks):
        if looks == 2:
            signal.pthread_kill(main, signal.SIGINT)

    server = batch_server(statuses=["validating", *["in_progress"] * 40, "completed"], on_look=press)
    run = study(tmp_path / "run", server.base_url, *QUICK)
    assert run.code == 130
    assert "batch batch_1 (24 calls) goes on at the server" in run.err
    assert f"--resume {run.path}" in run.err
    assert run.calls == []
    again = go_on(run.path)
    assert again.code == 0, again.err
    assert said(again) == healthy
    assert once_each(server, 24)
    assert server.batches.sizes == [24]


def test_a_batch_that_expires_keeps_what_was_answered_and_the_rest_is_made_again_if_asked(
    batch_server, tmp_path, healthy
):
    server = batch_server(statuses=["in_progress", "expired"], carried_out=5)
    run = study(tmp_path / "run", server.base_url, *QUICK, PRICES)
    assert run.code == 3
    failed = [call["error"] for call in run.calls if call["completion"] is None]
    assert len(failed) == len(run.calls) - 5 == 19
    assert set(failed) == {
        "batch batch_1 expired before this call was made, which costs nothing; to make it again: --resume with --retry-errors"
    }
    paid = run.summary["cost"]["usd"]
    assert paid == pytest.approx(cost_of(run))
    server.batches.statuses = ["completed"]
    again = go_on(run.path, "--retry-errors")
    assert again.code == 0, again.err
    assert said(again) == healthy
    assert server.batches.sizes == [24, 19]
    assert once_each(server, 24)
    assert again.summary["cost"]["usd"] == pytest.approx(cost_of(again))
    assert cost_of(again) > paid


def cost_of(run):
    usage = [call["usage"] for call in run.calls if call["usage"] is not None]
    return float(
        sum(Decimal(2) * u["prompt_tokens"] + Decimal(8) * u["completion_tokens"] for u in usage) / 10**6
    )


def test_a_batch_that_is_rejected_as_a_whole_ends_the_run_in_the_servers_words(
    batch_server, tmp_path, healthy
):
    words = "Enqueued token limit reached for test-model in organization org-1"
    server = batch_server(errors=[{"code": "token_limit_exceeded", "message": words, "line": 7}])
    run = study(tmp_path / "run", server.base_url, *QUICK, PRICES)
    assert run.code == 2
    assert f"line 7: token_limit_exceeded {words}" in run.err
    assert "wait until batches under way have ended" in run.err
    assert "Traceback" not in run.err
    assert all(call["halting"] for call in run.calls)
    server.batches.errors.clear()
    again = go_on(run.path)
    assert again.code == 0, again.err
    assert said(again) == healthy
    assert server.batches.sizes == [24, 24]
    assert once_each(server, 24)
    assert again.summary["cost"]["usd"] == pytest.approx(cost_of(again)), "what was rejected cost nothing"


def test_a_server_without_the_batch_api_is_named_with_what_to_do(audience, openai_server, tmp_path):
    server = openai_server(audience)
    run = study(tmp_path / "run", server.base_url, *QUICK)
    assert run.code == 2
    assert f"{server.base_url} has no Batch API" in run.err
    assert "users.send: single" in run.err
    assert server.requests == 0


def test_the_key_is_written_nowhere_whatever_is_refused(batch_server, tmp_path, capfd):
    server = batch_server(
        faults=[Fault.BAD_KEY], refuse=lambda body: (400, f"I was given {CANARY} and {body['model']}")
    )
    runs = [study(tmp_path / "run", server.base_url, *QUICK, "cold_start.lengths=[5]", "users.count=6")]
    runs.append(go_on(tmp_path / "run"))
    server.batches.refuse = lambda body: None
    runs.append(go_on(tmp_path / "run", "--retry-errors"))
    assert [run.code for run in runs] == [2, 3, 0]
    assert "the server refuses the key it was given" in runs[0].err
    assert any("I was given [key]" in (call["error"] or "") for call in runs[2].calls)
    assert once_each(server, 6)
    written = files(tmp_path)
    assert any(path.name == "batches.jsonl" for path in written)
    for name, content in written.items():
        assert CANARY.encode() not in content, name
    for text in (*(part for run in runs for part in (run.out, run.err)), *capfd.readouterr()):
        assert CANARY not in text
        assert "Traceback" not in text


def test_a_cap_sends_as_much_as_fits_and_a_higher_one_the_rest(batch_server, tmp_path, healthy):
    server = batch_server()
    run = study(tmp_path / "run", server.base_url, *QUICK, options=["--max-calls", "7"])
    assert run.code == 4
    assert "7 of 7 calls are spent" in run.err
    assert server.batches.sizes == [7]
    assert len(run.calls) == 7
    again = go_on(run.path, "--max-calls", "24")
    assert again.code == 0, again.err
    assert server.batches.sizes == [7, 17]
    assert said(again) == healthy


def test_a_dry_run_shows_the_price_of_the_batch_and_sends_nothing(tmp_path):
    def forecast(name, *overrides):
        run = study(
            tmp_path / name,
            "https://api.openai.com/v1",
            "users.model=gpt-4o-mini",
            *overrides,
            options=["--dry-run", "--json"],
        )
        assert run.code == 0, run.err
        return json.loads(run.out)["forecast"]

    singly, together = forecast("singly"), forecast("together", "users.send=batch")
    assert together["usd"]["high"] == pytest.approx(singly["usd"]["high"] / 2)
    assert together["usd"]["low"] > 0
    assert together["prices"].startswith("OpenAI's batch price of gpt-4o-mini")


def test_batches_are_for_endpoints_and_a_run_stays_with_how_it_was_begun(batch_server, tmp_path):
    refused = simulate(tmp_path / "standin", "users.send=batch")
    assert refused.code == 2
    assert "users.send" in refused.err
    assert "batches are for client openai, and client is 'standin'" in refused.err
    run = study(tmp_path / "run", batch_server().base_url, *QUICK, options=["--max-calls", "3"])
    changed = go_on(run.path, "--set", "users.send=single")
    assert changed.code == 2
    assert "the run was begun with users.send = 'batch'" in changed.err
