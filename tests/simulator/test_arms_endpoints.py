"""Arms that are answered by different models or addresses: each asked what is its own, within one budget and one record."""

import json
from decimal import Decimal

import pytest
from small_runs import KEY_VARIABLE, go_on, replay, simulate, study

from agents.testing.batch_server import BatchServer

pytestmark = pytest.mark.usefixtures("endpoint_environment")
SIZE = ("cold_start.lengths=[5]", "cutoffs=[5]")
USERS = 12


def arms(**changes):
    """An override that gives these arms, by name the YAML of what each changes."""
    return "arms={" + ", ".join(f"{name}: {{{change}}}" for name, change in changes.items()) + "}"


def models(server):
    return [received.body["model"] for received in server.received]


def test_each_arm_is_asked_at_its_own_address_and_the_manifest_says_which(audience, openai_server, tmp_path):
    one, two = openai_server(audience), openai_server(audience)
    compared = arms(
        one="",
        two=f"users.base_url: '{two.base_url}'",
        also="users.model: other",
        nobody="users.client: echo",
    )
    run = study(tmp_path / "run", one.base_url, compared, *SIZE)
    assert run.code == 0, run.err
    assert (models(one), models(two)) == (["test-model"] * USERS + ["other"] * USERS, ["test-model"] * USERS)
    manifest = json.loads(run.bytes_of("manifest.json"))
    assert {name: arm["endpoint"]["base_url"] for name, arm in manifest["arms"].items()} == {
        "one": one.base_url,
        "two": two.base_url,
        "also": one.base_url,
        "nobody": "",
    }
    assert manifest["arms"]["nobody"]["client"].startswith("echo (null user")
    assert manifest["arms"]["also"]["model_requested"] == "other"
    by_arm = {
        name: {turn["request"] for turn in run.turns if turn["arm"] == f"{name}, history-5"}
        for name in manifest["arms"]
    }
    assert len(set().union(*by_arm.values())) == 4 * USERS, "no answer of one model is taken for another's"
    assert "audience of nobody: echo" in run.out
    replayed = replay(run, tmp_path / "replayed")
    assert replayed.code == 0, replayed.err
    assert replayed.bytes_of("turns.jsonl") == run.bytes_of("turns.jsonl")
    from simulator.transcript.__main__ import main as transcript

    assert transcript(["verify", str(run.path)]) == 0


def test_arms_that_ask_the_same_ask_once_and_the_cache_is_shared(audience, openai_server, tmp_path):
    server = openai_server(audience)
    first = study(tmp_path / "first", server.base_url, *SIZE)
    assert server.requests == USERS
    second = study(tmp_path / "second", server.base_url, arms(b="", again=""), *SIZE)
    assert (first.code, second.code, server.requests) == (0, 0, USERS)
    assert second.summary["calls"]["sources"] == {"cache": USERS}


def test_an_arm_more_is_a_new_run_that_pays_for_the_new_arm_only(audience, openai_server, tmp_path):
    server = openai_server(audience)
    size = (*SIZE, "users.cache=false")
    first = study(tmp_path / "first", server.base_url, arms(b=""), *size)
    more = arms(b="", a="prompts.feedback: template_a")
    second = study(tmp_path / "second", server.base_url, more, *size, options=["--record", first.path])
    assert second.code == 0, second.err
    assert server.requests == 2 * USERS
    assert second.summary["calls"]["sources"] == {"client": USERS, "recording": USERS}
    assert second.turns[:USERS] == first.turns


PRICED = arms(
    cheap="users.prices: {input: 1, output: 2}",
    dear="users.model: dear-model, users.prices: {input: 10, output: 20}",
)


def paid(calls):
    """US dollars of these calls, by the server's own count."""
    price = {"test-model": 1, "dear-model": 10}
    return sum(
        Decimal(price[call["request"]["model"]])
        * (call["usage"]["prompt_tokens"] + 2 * call["usage"]["completion_tokens"])
        / 10**6
        for call in calls
    )


def test_each_arm_costs_its_own_price_and_the_forecast_says_so(audience, openai_server, tmp_path):
    server = openai_server(audience)
    dry = study(tmp_path / "run", server.base_url, PRICED, *SIZE, options=["--dry-run", "--json"])
    told = json.loads(dry.out)["forecast"]
    assert (told["calls"], server.requests) == (2 * USERS, 0)
    run = go_on(dry.path)
    assert run.code == 0, run.err
    assert run.summary["cost"]["usd"] == pytest.approx(float(paid(run.calls)))
    prompts, replies = told["prompt_tokens"] / 2, USERS * 900
    assert told["usd"]["high"] == pytest.approx((1 + 10) * (prompts + 2 * replies) / 10**6)


def test_one_cap_holds_for_all_arms_and_a_resumed_run_remembers_what_each_spent(
    audience, openai_server, tmp_path
):
    server = openai_server(audience)
    whole = study(tmp_path / "whole", server.base_url, PRICED, *SIZE, "users.cache=false")
    limit = paid(whole.calls) / 2
    run = study(
        tmp_path / "run",
        server.base_url,
        PRICED,
        *SIZE,
        "users.cache=false",
        options=["--max-cost", str(limit)],
    )
    assert (run.code, "US dollars are spent" in run.err) == (4, True)
    assert 0 < paid(run.calls) <= limit
    assert {call["request"]["model"] for call in run.calls} == {"test-model", "dear-model"}
    asked = server.requests
    assert go_on(run.path, "--max-cost", str(limit)).code == 4
    assert paid(run.calls) <= limit
    again = go_on(run.path, "--max-cost", "1")
    assert again.code == 0, again.err
    assert len(again.calls) == 2 * USERS
    assert server.requests - asked <= USERS
    assert again.bytes_of("turns.jsonl") == whole.bytes_of("turns.jsonl")


def test_all_arms_of_a_model_go_in_one_batch_and_other_models_in_their_own(audience, openai_server, tmp_path):
    server = openai_server(audience, batches=BatchServer())
    compared = arms(b="", a="prompts.feedback: template_a", other="users.model: other")
    quick = ("users.send=batch", "users.batch_poll_s=0.01", "users.cache=false", "rounds=2")
    together = study(tmp_path / "together", server.base_url, compared, *SIZE, *quick)
    assert together.code == 0, together.err
    assert server.batches.sizes == [2 * USERS, USERS] * 2
    singly = study(tmp_path / "singly", server.base_url, compared, *SIZE, "users.cache=false", "rounds=2")
    assert singly.bytes_of("turns.jsonl") == together.bytes_of("turns.jsonl")
    (together.path / "summary.json").unlink()
    asked = len(server.batches.sizes)
    assert go_on(together.path).code == 0
    assert len(server.batches.sizes) == asked


def test_arms_that_differ_only_in_how_they_ask_are_refused(openai_server, audience, tmp_path):
    server = openai_server(audience)
    run = study(tmp_path / "run", server.base_url, arms(a="", b="users.timeout_s: 3"), *SIZE)
    assert run.code == 2
    assert "arms 'a' and 'b' ask the same model at the same address, so users.timeout_s" in run.err
    assert not run.path.exists()


def test_a_stand_in_of_each_arm_is_set_up_as_the_arm_says(tmp_path):
    run = simulate(tmp_path / "run", "sweep={users.standin.noise: [0.0, 3.0]}", "replicates=2", *SIZE)
    orders = {
        arm: [
            [turn["ranking"] for turn in run.turns if turn["arm"] == arm and turn["replicate"] == number]
            for number in (0, 1)
        ]
        for arm in run.metrics
    }
    still, noisy = orders.values()
    assert still[0] == still[1]
    assert noisy[0] != noisy[1]


def test_a_key_of_each_address(audience, openai_server, tmp_path, monkeypatch):
    monkeypatch.setenv("SCREENTEST_OTHER_KEY", "sk-other")
    one, two = openai_server(audience), openai_server(audience)
    other = f"users.base_url: '{two.base_url}', users.api_key_env: SCREENTEST_OTHER_KEY, users.concurrency: 2"
    run = study(tmp_path / "run", one.base_url, arms(one="", two=other), *SIZE)
    assert run.code == 0, run.err
    assert {received.authorization for received in two.received} == {"Bearer sk-other"}
    assert "Bearer sk-other" not in {received.authorization for received in one.received}
    assert KEY_VARIABLE in run.bytes_of("scenario.yaml").decode()
    for file in run.path.rglob("*"):
        assert file.is_dir() or b"sk-other" not in file.read_bytes()
