"""Runs that ask pointwise and permuted: over HTTP, stopped and gone on with, replayed, forecast, sent in batches, checked."""

import hashlib
import json
import math
from contextlib import ExitStack

import pytest
from small_runs import CANARY, KEY_VARIABLE, go_on, replay, simulate, study

from agents.testing.batch_server import BatchServer
from agents.testing.openai_server import Fault, OpenAIServer
from simulator.transcript.journal import CallJournal
from simulator.transcript.verifying import verify

pytestmark = pytest.mark.usefixtures("endpoint_environment")
POINTWISE = ("prompts.ask=pointwise", "prompts.family=pointwise", "prompts.feedback=yes_no")
PERMUTED = ("prompts.ask=permuted", "prompts.permutations=3")
FEW = ("users.count=4", "cold_start.lengths=[5]")
LISTWISE = ()
CALLS = {POINTWISE: 4 * 10, PERMUTED: 4 * 3, LISTWISE: 4}
WAYS = pytest.mark.parametrize("way", [POINTWISE, PERMUTED], ids=["pointwise", "permuted"])
LAST_WORDS = "wants to recommend: "


def title(body):
    return body["messages"][-1]["content"].rpartition(LAST_WORDS)[2]


def planted(text):
    """A probability of yes for each title."""
    return (1 + int(hashlib.sha256(text.encode()).hexdigest(), 16) % 998) / 1000


def word(body):
    return "yes" if planted(title(body)) > 0.5 else "no"


def spelled(body, text):
    """The planted probability in pieces: spellings, and what else could be said."""
    yes = planted(title(body)) * 0.8
    no = 0.8 - yes
    shares = {" Yes": yes / 2, "yes": yes / 4, "YES": yes / 4, " no": no / 2, "No": no / 2, "Well": 0.2}
    first = " Yes" if text == "yes" else " no"
    return [{name: math.log(shares[name]) for name in sorted(shares, key=lambda name: name != first)}]


@pytest.fixture
def yes_server(openai_server):
    """A factory of servers that answer yes or no with the planted probabilities."""
    return lambda **more: openai_server(word, **{"logprobs": spelled, **more})


@pytest.fixture
def server_of(yes_server, openai_server, audience):
    """A server that answers a way of asking."""
    return lambda way, **more: yes_server(**more) if way is POINTWISE else openai_server(audience, **more)


@pytest.fixture(scope="module")
def runs(audience, tmp_path_factory):
    """A run in each way and what its server saw; no test changes them."""
    found = {}
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setenv(KEY_VARIABLE, CANARY)
        for way in (POINTWISE, PERMUTED, LISTWISE):
            answer, logprobs = (word, spelled) if way is POINTWISE else (audience, None)
            server = stack.enter_context(OpenAIServer(answer, logprobs=logprobs))
            out = tmp_path_factory.mktemp("ways") / "run"
            run = study(out, server.base_url, *way, *FEW, "prompts.threshold=0.7", "users.cache=false")
            assert run.code == 0, run.err
            assert server.requests == server.answered == len(run.calls) == CALLS[way]
            found[way] = run, server.received[0].body
    return found


def names(run):
    """Title by item id, from the prompts of the calls and the parts of the turns."""
    asked = {call["key"]: title({"messages": call["request"]["messages"]}) for call in run.calls}
    return {part["shown"][0]: asked[part["request"]] for turn in run.turns for part in turn["parts"]}


def test_pointwise_ranks_and_accepts_as_planted_from_one_call_for_each_candidate(runs):
    run, body = runs[POINTWISE]
    titles = names(run)
    for turn in run.turns:
        truth = {item: planted(titles[item]) for item in turn["slate"]}
        assert turn["ranking"] == sorted(turn["slate"], key=lambda item: -truth[item])
        assert turn["accepted"] == [item for item in turn["ranking"] if truth[item] > 0.7]
        assert {*turn["rejected"]} == {*turn["slate"]} - {*turn["accepted"]}
        assert (turn["status"], turn["missing"], turn["threshold"]) == ("ok", 0, 0.7)
        assert [part["shown"] for part in turn["parts"]] == [[item] for item in turn["slate"]]
        for part in turn["parts"]:
            assert part["probability"] == pytest.approx(truth[part["shown"][0]])
            assert part["mass"] == pytest.approx(0.8)
    assert (body["logprobs"], body["top_logprobs"], body["max_tokens"]) == (True, 20, 4)
    assert verify(run.path).faults == []


def test_all_candidates_of_a_user_share_the_prompt_up_to_the_last_word(runs):
    run, _ = runs[POINTWISE]
    prompts, titles = {}, {*names(run).values()}
    for call in run.calls:
        system, user = (message["content"] for message in call["request"]["messages"])
        before, _, last = user.rpartition(LAST_WORDS)
        prompts.setdefault(call["request"]["draw"]["user"], set()).add((system, before))
        assert last in titles
    assert [len(shared) for shared in prompts.values()] == [1] * 4


def test_permuted_merges_several_orders_of_the_same_question(runs):
    run, _ = runs[PERMUTED]
    for turn in run.turns:
        shown = [tuple(part["shown"]) for part in turn["parts"]]
        assert len({*shown, tuple(turn["shown"]), tuple(turn["slate"])}) == 5, "no order is another's"
        assert {tuple(sorted(order)) for order in shown} == {tuple(sorted(turn["slate"]))}
        mean = {item: sum(part["ranking"].index(item) for part in turn["parts"]) for item in turn["slate"]}
        assert [mean[item] for item in turn["ranking"]] == sorted(mean.values())
        votes = {item: sum(item in part["accepted"] for part in turn["parts"]) for item in turn["slate"]}
        assert {*turn["accepted"]} == {item for item, count in votes.items() if count >= 2}
    assert verify(run.path).faults == []


class PowerCut(BaseException):
    """Nobody catches it, as nobody catches SIGKILL."""


@WAYS
def test_killed_in_the_middle_of_a_turn_it_goes_on_to_the_same_end_and_pays_for_nothing_twice(
    way, server_of, tmp_path, monkeypatch
):
    server = server_of(way, delay=0.002)
    settings = (*way, *FEW, "rounds=2", "users.concurrency=3", "users.cache=false")
    whole = study(tmp_path / "whole", server.base_url, *settings)
    assert len(whole.turns) == 8
    assert server.answered == len(whole.calls) == 2 * CALLS[way]
    appended, real = [], CallJournal.append

    def failing(journal, records):
        if len(appended) > 4:
            raise PowerCut
        appended.extend(records)
        return real(journal, records)

    with monkeypatch.context() as patch:
        patch.setattr(CallJournal, "append", failing)
        with pytest.raises(PowerCut):
            study(tmp_path / "run", server.base_url, *settings)
    kept = len(appended)
    assert 4 < kept < CALLS[way]
    run = go_on(tmp_path / "run")
    assert run.code == 0, run.err
    assert run.summary["calls"]["sources"] == {"client": 2 * CALLS[way] - kept, "journal": kept}
    assert len(run.calls) == len({call["key"] for call in run.calls}) == 2 * CALLS[way]
    for name in ("turns.jsonl", "metrics.json", "per_user.parquet"):
        assert run.bytes_of(name) == whole.bytes_of(name), name


@WAYS
def test_a_replay_makes_no_call_and_the_same_turns(way, runs, tmp_path, monkeypatch):
    run, _ = runs[way]  # its server is gone
    monkeypatch.delenv(KEY_VARIABLE)
    again = replay(run, tmp_path / "again")
    assert again.code == 0, again.err
    assert again.bytes_of("turns.jsonl") == run.bytes_of("turns.jsonl")
    assert again.summary["asking"] == run.summary["asking"]


@WAYS
def test_a_dry_run_counts_the_calls_that_are_made_and_a_cap_stops_between_them(way, server_of, tmp_path):
    server = server_of(way)
    dry = study(tmp_path / "run", server.base_url, *way, *FEW, options=["--dry-run", "--json"])
    forecast = json.loads(dry.out)["forecast"]
    assert (forecast["calls"], server.requests) == (CALLS[way], 0)
    capped = go_on(tmp_path / "run", "--max-calls", CALLS[way] - 1)
    assert (capped.code, server.answered) == (4, CALLS[way] - 1)
    assert go_on(tmp_path / "run").code == 0
    assert server.answered == CALLS[way]
    if way is POINTWISE:
        assert forecast["reply_tokens"]["high"] == 4 * CALLS[way]
        assert forecast["reply_tokens"]["low"] < 2 * CALLS[way]


def test_batches_bring_the_turns_of_single_calls(yes_server, tmp_path):
    """Both at one address, which is part of a key."""
    server = yes_server(batches=BatchServer())
    quick = ("users.send=batch", "users.batch_poll_s=0.01", "users.cache=false")
    singly = study(tmp_path / "singly", server.base_url, *POINTWISE, *FEW, "users.cache=false")
    together = study(tmp_path / "together", server.base_url, *POINTWISE, *FEW, *quick)
    assert server.batches.sizes == [40]
    assert together.bytes_of("turns.jsonl") == singly.bytes_of("turns.jsonl")


def test_a_single_call_that_fails_or_says_neither_is_kept_and_counted(yes_server, tmp_path):
    def odd(body, text):
        return [{"Hm": -0.1, "Well": -3.0}] if planted(title(body)) > 0.8 else spelled(body, text)

    server = yes_server(logprobs=odd, faults=[None, *[Fault.ERROR_500] * 3])
    run = study(
        tmp_path / "run", server.base_url, *POINTWISE, *FEW, "users.attempts=1", "users.concurrency=1"
    )
    assert run.code == 0, run.err
    titles, hit = names(run), 0
    for turn in run.turns:
        failed = {part["shown"][0] for part in turn["parts"] if part["status"] == "failed"}
        neither = {item for item in turn["slate"] if planted(titles[item]) > 0.8} - failed
        assert {part["shown"][0] for part in turn["parts"] if part["status"] == "unparseable"} == neither
        assert all(("error" in part) is (part["status"] == "failed") for part in turn["parts"])
        assert {*turn["undecided"]} == failed | neither == {*turn["slate"]} - {*turn["ranking"]}
        assert turn["missing"] == len(failed | neither)
        assert turn["status"] == ("partial" if failed | neither else "ok")
        assert not turn["fallback"]
        hit += len(failed)
    assert hit == 3
    told = run.summary["asking"]["history-5, test"]
    assert told["statuses"]["failed"] == 3
    assert sum(told["statuses"].values()) == told["calls"] == 40
    assert verify(run.path).faults == []
    assert go_on(run.path, "--retry-errors").code == 0
    assert (
        "failed"
        not in json.loads((run.path / "summary.json").read_bytes())["asking"]["history-5, test"]["statuses"]
    )


def test_a_server_without_log_probabilities_ends_the_run_before_many_calls_are_paid(yes_server, tmp_path):
    server = yes_server(logprobs=None, delay=0.01)
    run = study(tmp_path / "run", server.base_url, *POINTWISE, *FEW, "users.concurrency=4")
    assert run.code == 2
    assert "gives no log probabilities" in run.err
    assert "prompts.probability to text" in run.err
    assert server.requests <= 4
    assert not (run.path / "turns.jsonl").exists()
    again = go_on(run.path)
    assert again.code == 2, "what ended the run is asked again"


def test_a_batch_server_without_log_probabilities_ends_the_run_after_its_first_batch(yes_server, tmp_path):
    server = yes_server(logprobs=None, batches=BatchServer())
    quick = ("users.send=batch", "users.batch_poll_s=0.01", "rounds=2")
    run = study(tmp_path / "run", server.base_url, *POINTWISE, *FEW, *quick)
    assert run.code == 2
    assert "gives no log probabilities" in run.err
    assert server.batches.submitted == 1


def test_the_text_alone_is_taken_where_the_scenario_says_so(yes_server, tmp_path):
    server = yes_server(logprobs=None)
    run = study(tmp_path / "run", server.base_url, *POINTWISE, *FEW, "prompts.probability=text")
    assert run.code == 0, run.err
    titles = names(run)
    for turn in run.turns:
        yes = {item for item in turn["slate"] if planted(titles[item]) > 0.5}
        assert {part["probability"] for part in turn["parts"]} <= {0.0, 1.0}
        # Equal ones stand in the drawn order, which is not the recommender's.
        assert turn["ranking"] == [i for i in turn["shown"] if i in yes] + [
            i for i in turn["shown"] if i not in yes
        ]
        assert turn["accepted"] == turn["ranking"][: len(yes)]
    assert any(turn["shown"] != turn["slate"] for turn in run.turns)
    body = server.received[0].body
    assert "logprobs" not in body
    assert body["max_tokens"] == 900


@pytest.mark.parametrize("client", ["standin", "echo", "random", "popularity", "oracle"])
def test_every_embedded_user_answers_one_item_at_a_time(client, tmp_path):
    run = simulate(tmp_path / "run", f"users.client={client}", *POINTWISE, *FEW)
    assert run.code == 0, run.err
    assert {turn["status"] for turn in run.turns} == {"ok"}
    lists = run.metrics["history-5"]
    if client != "standin":
        assert _means(lists["audience_alone"]) == _means(lists[client])
    for turn in run.turns:
        probability = {part["shown"][0]: part["probability"] for part in turn["parts"]}
        assert turn["nulls"]["echo"] == turn["shown"][:5], "all are equal, and stand as drawn"
        if client == "oracle":
            assert {*turn["accepted"]} == {*turn["slate"]} & {*turn["targets"]}
        elif client == "echo":
            assert {*turn["accepted"]} == {*turn["slate"]}
        else:
            assert len({*probability.values()}) > 5
    assert "yes or no" in run.out


def _means(entry):
    return {name: value["mean"] for name, value in entry.items()}


def test_what_each_way_took_is_told_for_a_turn(runs):
    for way, calls in (("pointwise", 10), ("permuted", 3), ("listwise", 1)):
        run = {"pointwise": runs[POINTWISE], "permuted": runs[PERMUTED], "listwise": runs[LISTWISE]}[way][0]
        told = run.summary["asking"]["history-5, test"]
        usage = [call["usage"] for call in run.calls]
        assert (told["ask"], told["turns"], told["per_turn"]["calls"]) == (way, 4, calls)
        assert told["prompt_tokens"] == sum(count["prompt_tokens"] for count in usage)
        assert told["completion_tokens"] == sum(count["completion_tokens"] for count in usage)
        assert told["per_turn"]["prompt_tokens"] == pytest.approx(told["prompt_tokens"] / 4, abs=0.051)
        assert f"history-5, test {way}" in " ".join(run.out.split())
    assert runs[POINTWISE][0].summary["asking"]["history-5, test"]["yes_no_mass"] == pytest.approx(0.8)
    assert not {"ask", "threshold", "parts"} & runs[LISTWISE][0].turns[0].keys(), (
        "one call is written as it always was"
    )


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda turn: turn["parts"][0].update(probability=0.123), "'ranking' of|'accepted' of|'rejected' of"),
        (lambda turn: turn["parts"][1].update(status="unparseable", probability=None), "'status' of"),
        (lambda turn: turn["parts"][1].update(shown=turn["parts"][0]["shown"]), "do not ask about its slate"),
        (lambda turn: turn["parts"].pop(), "do not ask about its slate"),
        (lambda turn: turn["parts"][2].update(error="lost"), "error 'lost', and its call has None"),
        (lambda turn: turn["parts"][0].update(request=turn["parts"][1]["request"]), "points at the call of"),
        (lambda turn: turn.update(accepted=[]), "'accepted' of"),
        (lambda turn: turn.update(ask="permuted"), "do not ask about its slate"),
        (lambda turn: turn["parts"][3].update(status="odd"), "cannot be combined"),
    ],
)
def test_turns_that_their_parts_do_not_give_are_found(runs, change, fault):
    run, _ = runs[POINTWISE]
    path = run.path / "turns.jsonl"
    written, turns = path.read_bytes(), run.turns
    change(turns[0])
    try:
        first = json.dumps(turns[0], separators=(",", ":")).encode() + b"\n"
        path.write_bytes(first + b"".join(written.splitlines(keepends=True)[1:]))
        faults = verify(run.path).faults
    finally:
        path.write_bytes(written)
    assert [fault_ for fault_ in faults if any(part in fault_ for part in fault.split("|"))], faults
    assert all(f"{path}:1: " in fault_ for fault_ in faults)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["prompts.ask=pointwise"],
            "prompts.ask is pointwise, which the template 'template_b' of family 'paper' does not",
        ),
        (
            POINTWISE[1:],
            "prompts.ask is listwise, which the template 'yes_no' of family 'pointwise' does not",
        ),
        ([*PERMUTED, "prompts.shown=slate"], "permuted has no one order to show"),
        (["prompts.permutations=1"], "prompts.permutations"),
        (["prompts.threshold=1"], "prompts.threshold"),
        (["prompts.ask=pairwise"], "listwise"),
    ],
)
def test_what_does_not_fit_together_is_said_before_anything_is_begun(overrides, message, tmp_path):
    run = simulate(tmp_path / "run", *overrides)
    assert run.code == 2
    assert message in run.err
    assert not run.path.exists()
