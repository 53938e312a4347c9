"""Runs in actors of Ray are, byte for byte, runs in one process; whoever dies, whatever is capped, wherever they go on."""

import os
import signal
from collections import Counter
from itertools import count

import pytest
from small_runs import CANARY, KEY_VARIABLE, files, go_on, replay, simulate, study

from agents.testing.openai_server import Fault
from simulator.cluster import connecting
from simulator.transcript.verifying import verify

OTHER = "{prompts.family: numbered, users.client: gullible:make, refinement.policy: replace}"
LIVING = (
    "users.count=9",
    "cold_start.lengths=null",
    "rounds=4",
    "replicates=2",
    "refinement={policy: fuse, weight: validation}",
    "population={pages: 2, activity: 0.8, fatigue: 0.3, churn: 0.4, newcomers: 2}",
    "recommender={model: bprmf, training: {max_epochs: 2, learning_rate: 0.02}}",
    f"arms={{frozen: {{learning.retrain_every: null}}, learning: {{learning.retrain_every: 2}}, other: {OTHER}}}",
)
SMALL = ("users.cache=false", "users.count=8", "cold_start.lengths=[5]", "rounds=2")
NOTE = "I like quiet films and no noise."


def ray(actors):
    return ("engine.kind=ray", f"engine.actors={actors}")


def finished(run):
    assert run.code == 0, run.err
    return run


def same(run, other):
    for name in ("turns.jsonl", "metrics.json", "proposals.jsonl"):
        assert run.bytes_of(name) == other.bytes_of(name), name


@pytest.fixture(scope="module")
def living(tmp_path_factory):
    return finished(simulate(tmp_path_factory.mktemp("living") / "local", *LIVING))


@pytest.mark.parametrize("actors", [1, 2, 4])
def test_worlds_of_many_rounds_arms_and_replicates_come_to_the_same_bytes(cluster, living, tmp_path, actors):
    run = finished(simulate(tmp_path / "run", *LIVING, *ray(actors)))
    same(run, living)
    assert {call["key"] for call in run.calls} == {call["key"] for call in living.calls}
    assert len(run.calls) == len(living.calls)
    told, expected = ({**each.summary["calls"], "call_seconds": 0} for each in (run, living))
    assert told == expected
    assert run.summary["sessions"] == living.summary["sessions"]
    assert not (run.path / "shards").exists()
    if actors == 2:
        assert verify(run.path).faults == []
        same(finished(replay(run, tmp_path / "replayed")), living)


@pytest.fixture
def server(audience, openai_server, monkeypatch):
    """A factory of servers that count, whose users also sum up; `at` is told the number of each answer before it is sent."""
    monkeypatch.setenv(KEY_VARIABLE, CANARY)

    def make(at=lambda number: None, **kwargs):
        numbers = count(1)

        def answer(body):
            at(next(numbers))
            text = body["messages"][-1]["content"]
            return NOTE if "write down for yourself" in text else audience(body)

        return openai_server(answer, **kwargs)

    return make


def paid_again(server):
    """How many requests were sent that had been sent before."""
    counted = Counter(repr(each.body) for each in server.received)
    return sum(counted.values()) - len(counted)


REMEMBERING = ("prompts.remember=all", "prompts.reflect_every=2", "rounds=4")


def test_an_actor_that_is_killed_midway_changes_no_byte_and_what_was_answered_is_not_asked_again(
    server, tmp_path, processes
):
    """Twice: in the first round, and in the last, when users have memories and notes that the next actor has to come to."""
    killed = []

    def at(number):
        if number in (6, 33) and processes:
            victim = processes[len(killed)]
            killed.append(victim)
            os.kill(victim, signal.SIGKILL)

    endpoint = server(at, delay=0.02)
    caps = ["--max-calls", "60"]
    run = finished(
        study(
            tmp_path / "run",
            endpoint.base_url,
            *SMALL,
            *REMEMBERING,
            *ray(2),
            "users.concurrency=4",
            options=caps,
        )
    )
    assert len(killed) == 2
    assert "died" in run.err
    assert 0 < paid_again(endpoint) <= 2 * 2  # in flight at the two deaths
    sent = endpoint.requests
    local = finished(study(tmp_path / "local", endpoint.base_url, *SMALL, *REMEMBERING))
    same(run, local)
    assert len(run.calls) == len(local.calls) == endpoint.requests - sent == 8 * 5
    assert verify(run.path).faults == []


@pytest.mark.parametrize(
    ("first", "then"), [(ray(3), ("engine.kind=local",)), (("engine.kind=local",), ray(2))]
)
def test_a_cap_holds_for_all_actors_together_and_either_engine_goes_on_with_the_other_s_run(
    cluster, server, tmp_path, first, then
):
    endpoint = server(delay=0.01)
    run = study(tmp_path / "run", endpoint.base_url, *SMALL, *first, options=["--max-calls", "7"])
    assert run.code == 4, run.err
    assert "7 of 7 calls are spent" in run.err
    assert f"--resume {run.path}" in run.err
    assert len(run.calls) == endpoint.requests == 7
    assert not (run.path / "shards").exists()
    again = finished(go_on(run.path, *[word for key in then for word in ("--set", key)]))
    assert len(again.calls) == endpoint.requests == 16
    assert again.summary["calls"]["sources"] == {"client": 9, "journal": 7}
    same(again, finished(study(tmp_path / "local", endpoint.base_url, *SMALL)))


def test_a_death_passes_no_cap(server, tmp_path, processes):
    """What was in flight counts as spent, since nobody heard whether it was answered."""
    endpoint = server(lambda number: number == 2 and os.kill(processes[0], signal.SIGKILL), delay=0.05)
    overrides = (*SMALL, *ray(2), "users.concurrency=4")
    run = study(tmp_path / "run", endpoint.base_url, *overrides, options=["--max-tokens", "12000"])
    assert run.code == 4, run.err
    assert "tokens are spent" in run.err
    assert not (run.path / "turns.jsonl").exists()
    assert sum(sent.prompt_tokens + sent.completion_tokens for sent in endpoint.sent) <= 12000


def test_a_server_that_refuses_ends_the_run_as_it_does_locally(cluster, server, tmp_path):
    endpoint = server(faults=[Fault.BAD_KEY] * 100)
    run = study(tmp_path / "run", endpoint.base_url, *SMALL, *ray(2), "users.concurrency=2")
    assert run.code == 2
    assert run.err.count("error: ") == 1
    assert KEY_VARIABLE in run.err
    assert "Traceback" not in run.err
    assert endpoint.requests <= 2


def test_an_interrupted_run_keeps_what_was_answered(cluster, server, tmp_path):
    endpoint = server(lambda number: number == 9 and os.kill(os.getpid(), signal.SIGINT), delay=0.2)
    run = study(tmp_path / "run", endpoint.base_url, *SMALL, *ray(2), "users.concurrency=4")
    assert run.code == 130
    assert len(run.calls) >= 5
    again = finished(go_on(run.path, "--set", "engine.kind=local"))
    assert endpoint.requests <= len(again.calls) + 4


def test_the_key_is_in_no_file_of_the_run_nor_of_the_cluster(cluster, server, tmp_path):
    endpoint = server(alter=lambda completion: completion | {"model": f"model of {CANARY}"})
    run = finished(study(tmp_path / "run", endpoint.base_url, *SMALL, *ray(2)))
    assert endpoint.received[0].authorization == f"Bearer {CANARY}"
    logs = cluster._private.worker._global_node.get_logs_dir_path()
    for path, content in {**files(run.path), **files(logs)}.items():
        assert CANARY.encode() not in content, path
    assert CANARY not in run.out + run.err


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("engine.actors=40", "users.concurrency=64"), "the Ray cluster has 4 processors"),
        (("engine.actors=3", "users.concurrency=2"), "each needs one; raise the first"),
        (("users.send=batch",), "engine.kind local, or users.send single"),
    ],
)
def test_what_cannot_be_shared_is_told_before_anything_is_trained(cluster, server, tmp_path, overrides, told):
    run = study(tmp_path / "run", server().base_url, *SMALL, "engine.kind=ray", *overrides)
    assert run.code == 2
    assert told in run.err
    assert not (run.path / "recommender.pt").exists()


def test_without_ray_it_is_named_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(connecting, "find_spec", lambda name: None)
    run = simulate(tmp_path / "run", *ray(2))
    assert run.code == 2
    assert "pip install 'screentest[ray]'" in run.err
    assert not run.path.exists()


def test_an_address_from_outside_of_the_cluster_is_refused(tmp_path):
    run = simulate(tmp_path / "run", *ray(2), "engine.address=ray://10.0.0.5:10001")
    assert run.code == 2
    assert "engine.address" in run.err
    assert "such as 10.0.0.5:6379" in run.err
