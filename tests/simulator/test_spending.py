"""What a run may cost, what it would cost, what it did cost, and where answers come from that cost nothing."""

import json
from decimal import Decimal

import pytest
from small_runs import go_on, replay, said, simulate, study

from agents.testing.openai_server import Fault

pytestmark = pytest.mark.usefixtures("endpoint_environment")
PRICES = "users.prices={input: 2.0, output: 8.0, as_of: 2026-11-01 contract}"


def test_a_cap_on_calls_stops_the_run_and_a_higher_one_lets_it_go_on(audience, openai_server, tmp_path):
    server = openai_server(audience, delay=0.01)
    run = study(tmp_path / "run", server.base_url, options=["--max-calls", "7"])
    assert run.code == 4
    assert "7 of 7 calls are spent" in run.err
    assert f"--resume {run.path}" in run.err
    assert server.answered == server.requests == len(run.calls) == 7
    assert not (run.path / "turns.jsonl").exists()
    assert go_on(run.path, "--max-calls", "7").code == 4
    assert server.answered == 7
    again = go_on(run.path, "--max-calls", "24")
    assert again.code == 0, again.err
    assert server.answered == 24
    healthy = study(tmp_path / "healthy", openai_server(audience).base_url)
    assert said(again) == said(healthy)


def test_money_is_never_overspent_by_the_servers_count_and_told_to_the_cent(
    audience, openai_server, tmp_path
):
    server = openai_server(audience)
    capped = study(tmp_path / "capped", server.base_url, PRICES, options=["--max-cost", "0.03"])
    assert capped.code == 4
    assert "US dollars are spent" in capped.err
    usage = [call["usage"] for call in capped.calls]
    paid = sum(Decimal(2) * u["prompt_tokens"] + Decimal(8) * u["completion_tokens"] for u in usage) / 10**6
    assert 0 < paid <= Decimal("0.03")
    assert len(usage) == server.answered
    whole = go_on(capped.path, "--max-cost", "1")
    assert whole.code == 0, whole.err
    usage = [call["usage"] for call in whole.calls]
    paid = sum(Decimal(2) * u["prompt_tokens"] + Decimal(8) * u["completion_tokens"] for u in usage) / 10**6
    told = whole.summary["cost"]
    assert told["usd"] == pytest.approx(float(paid), abs=1e-12)
    assert told["prices"] == "users.prices, 2026-11-01 contract"
    assert "cost: $" in whole.out
    assert server.answered == 24


def test_an_unknown_price_is_unknown_and_never_nothing(audience, openai_server, tmp_path):
    server = openai_server(audience)
    run = study(tmp_path / "run", server.base_url)
    assert run.summary["cost"]["usd"] is None
    assert "cost: unknown" in run.out
    refused = study(tmp_path / "refused", server.base_url, options=["--max-cost", "1"])
    assert refused.code == 2
    assert "give your own as users.prices" in refused.err
    unlimited = study(
        tmp_path / "unlimited", server.base_url, "users.params={}", PRICES, options=["--max-cost", "1"]
    )
    assert unlimited.code == 2
    assert "max_tokens" in unlimited.err
    assert server.requests == 24


def forecast(run):
    return json.loads(run.out)["forecast"]


def test_a_dry_run_sends_nothing_and_the_run_it_began_costs_what_it_said(audience, openai_server, tmp_path):
    server = openai_server(audience)
    model = ("users.model=gpt-4o-mini", PRICES)
    dry = study(tmp_path / "run", server.base_url, *model, options=["--dry-run", "--json"])
    assert dry.code == 0, dry.err
    assert server.requests == 0
    assert not (dry.path / "turns.jsonl").exists()
    told = forecast(dry)
    assert (told["calls"], told["estimated_calls"], told["at_hand"]) == (24, 0, {})
    assert told["token_counts"] == "o200k_base"
    for each in (told["reply_tokens"], told["usd"]):
        assert 0 < each["low"] < each["expected"] < each["high"]
    assert told["reply_tokens"]["high"] == 24 * 900
    real = go_on(dry.path)
    assert real.code == 0, real.err
    assert server.requests == 24
    from agents.llm import Message, token_counter

    count = token_counter("gpt-4o-mini")
    prompts = sum(
        count.prompt([Message(**each) for each in call["request"]["messages"]]) for call in real.calls
    )
    assert told["prompt_tokens"] == prompts
    price = Decimal(2) * prompts + Decimal(8) * 24 * 900
    assert told["usd"]["high"] == pytest.approx(float(price / 10**6))


def test_a_dry_run_takes_off_what_is_at_hand(audience, openai_server, tmp_path):
    server = openai_server(audience)
    study(tmp_path / "first", server.base_url, "cold_start.lengths=[5]")
    dry = study(
        tmp_path / "second", server.base_url, "cold_start.lengths=[5, 10]", options=["--dry-run", "--json"]
    )
    assert forecast(dry)["at_hand"] == {"cache": 12}
    assert forecast(dry)["calls"] == 12
    assert forecast(dry)["usd"] is None
    partly = study(tmp_path / "third", server.base_url, "users.cache=false", options=["--max-calls", "9"])
    rest = go_on(partly.path, "--dry-run", "--json")
    assert forecast(rest)["at_hand"] == {"journal": 9}
    assert forecast(rest)["calls"] == 15
    done = go_on(partly.path)
    assert done.code == 0
    assert "nothing is left to pay for" in go_on(partly.path, "--dry-run").err


def test_later_rounds_are_estimated_and_say_so(audience, openai_server, tmp_path):
    server = openai_server(audience)
    dry = study(tmp_path / "run", server.base_url, "rounds=3", options=["--dry-run", "--max-calls", "30"])
    assert dry.code == 0, dry.err
    assert "calls to make: 72; the prompts of 48 of them depend on answers" in dry.out
    assert "approximate" in dry.out
    assert "--max-calls 30 will stop this run" in dry.out
    # What the dry run rendered for the later rounds is in no record.
    assert go_on(dry.path).code == 0
    straight = study(tmp_path / "straight", openai_server(audience).base_url, "rounds=3")
    proposals = (dry.path / "proposals.jsonl").read_bytes().splitlines()
    assert proposals == (straight.path / "proposals.jsonl").read_bytes().splitlines()


def test_an_embedded_audience_costs_nothing_and_can_be_capped_all_the_same(tmp_path):
    run = simulate(tmp_path / "run")
    assert run.summary["cost"]["usd"] == 0
    capped = simulate(tmp_path / "capped", options=["--max-calls", "5"])
    assert capped.code == 4
    assert len(capped.calls) == 5
    assert go_on(capped.path).code == 0


def test_record_takes_answers_of_another_run_and_asks_for_the_rest(audience, openai_server, tmp_path):
    server = openai_server(audience)
    small = study(tmp_path / "small", server.base_url, "cold_start.lengths=[5]", "users.cache=false")
    assert server.requests == 12
    large = study(tmp_path / "large", server.base_url, "users.cache=false", options=["--record", small.path])
    assert large.code == 0, large.err
    assert server.requests == 24
    assert large.summary["calls"]["sources"] == {"client": 12, "recording": 12}
    assert replay(large, tmp_path / "replayed").code == 0
    fresh = study(tmp_path / "fresh", server.base_url, "users.cache=false")
    assert large.bytes_of("turns.jsonl") == fresh.bytes_of("turns.jsonl")


def test_a_run_from_a_recording_goes_on_from_it(audience, openai_server, tmp_path):
    server = openai_server(audience)
    small = study(tmp_path / "small", server.base_url, "cold_start.lengths=[5]", "users.cache=false")
    options = ["--record", small.path, "--max-calls", "3"]
    large = study(tmp_path / "large", server.base_url, "users.cache=false", options=options)
    assert large.code == 4
    assert go_on(large.path).code == 0
    assert server.requests == 24


def test_record_needs_a_run(openai_server, tmp_path):
    server = openai_server()
    refused = study(tmp_path / "run", server.base_url, options=["--record", tmp_path / "nowhere"])
    assert refused.code == 2
    assert "nowhere" in refused.err
    assert server.requests == 0


def test_refresh_asks_anew_and_the_cache_has_the_new_answers(audience, openai_server, tmp_path):
    server = openai_server(lambda body: "I would accept these recommendations: none of them")
    overrides = (server.base_url, "cold_start.lengths=[5]")
    study(tmp_path / "old", *overrides)
    server.answer = audience
    assert study(tmp_path / "cached", *overrides).summary["calls"]["sources"] == {"cache": 12}
    fresh = study(tmp_path / "fresh", *overrides, options=["--refresh"])
    assert fresh.summary["calls"]["sources"] == {"client": 12}
    assert server.requests == 24
    cached = study(tmp_path / "cached again", *overrides)
    assert cached.summary["calls"]["sources"] == {"cache": 12}
    assert cached.bytes_of("turns.jsonl") == fresh.bytes_of("turns.jsonl")


def test_limits_of_a_minute_are_kept_or_refused(audience, openai_server, tmp_path):
    server = openai_server(audience)
    refused = study(tmp_path / "run", server.base_url, "users.tokens_per_minute=100")
    assert refused.code == 2
    assert "users.tokens_per_minute" in refused.err
    assert server.requests == 0


def test_faults_cost_what_the_server_may_have_counted(audience, openai_server, tmp_path):
    """A cut answer may have been paid for; one that was turned away was not."""
    server = openai_server(audience, faults=[Fault.CUT_BODY, Fault.ERROR_503, Fault.RATE_BARE])
    run = study(
        tmp_path / "run",
        server.base_url,
        "cold_start.lengths=[5]",
        "users.concurrency=1",
        options=["--max-calls", "13"],
    )
    assert run.code == 0, run.err
    again = study(
        tmp_path / "again",
        openai_server(audience, faults=[Fault.CUT_BODY]).base_url,
        "cold_start.lengths=[5]",
        options=["--max-calls", "12"],
    )
    assert again.code == 4
