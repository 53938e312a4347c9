"""The key is in no byte that is written or shown: whole runs, faults, crashes, and a server that quotes it everywhere.

What a killed process leaves behind is searched in tests/benchmarks/test_kill_resume.py.
"""

import html
import json
import traceback
from base64 import b64encode
from urllib.parse import quote

import pytest
from small_runs import KEY_VARIABLE, files, go_on, replay, study

from agents.testing.faults import ANSWERS, TRANSIENT, Fault
from simulator import proposing
from simulator.cast import Cast
from simulator.transcript.journal import CallJournal

KEY = 'sk-canary/5Xq9+never=to"be\\written'
SPELLINGS = {
    KEY,
    quote(KEY),
    quote(KEY, safe=""),
    html.escape(KEY),
    json.dumps(KEY)[1:-1],
    json.dumps(json.dumps(KEY))[3:-3],
    json.dumps(KEY)[1:-1].replace("/", "\\/"),
    b64encode(KEY.encode()).decode(),
}
EVERYTHING = (*TRANSIENT, *(fault for fault in ANSWERS if fault is not None))


@pytest.fixture(autouse=True)
def cache(endpoint_environment, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    return endpoint_environment


def quoting(completion):
    """The answer of a server that has the key on its tongue."""
    said = f"You sent Bearer {KEY}, that is {quote(KEY, safe='')} or {json.dumps(KEY)}."
    completion |= {"model": f"model of {KEY}", "system_fingerprint": KEY, "id": KEY}
    for choice in completion["choices"]:
        message = choice["message"]
        choice["finish_reason"] = f"{choice['finish_reason']} {KEY}"
        message["reasoning_content"] = said
        for name in ("content", "refusal"):
            if message[name] is not None:
                message[name] = f"{said}\n{message[name]}"
        token = {"token": KEY, "logprob": -0.1, "top_logprobs": [{"token": quote(KEY), "logprob": -0.1}]}
        choice["logprobs"] = {"content": [token]}
    return completion


@pytest.fixture
def server(openai_server, audience):
    headers = {"X-Echo": f"Bearer {KEY}", "Retry-After": KEY, "Set-Cookie": f"key={quote(KEY)}"}

    def make(**kwargs):
        return openai_server(
            audience, refuse=lambda body: f"Not with {KEY}.", alter=quoting, headers=headers, **kwargs
        )

    return make


def nowhere(*places, shown=()):
    """No spelling of the key in any file of these folders, in the names of files, nor in these texts."""
    written = {path: content for place in places for path, content in files(place).items()}
    assert written
    for spelling in SPELLINGS:
        for path, content in written.items():
            assert spelling.encode() not in content, path
            assert spelling not in str(path)
        for text in shown:
            assert spelling not in text


def test_a_whole_run_its_resumption_and_its_replay(server, tmp_path, cache, capfd):
    endpoint = server()
    size = ("cold_start.lengths=[5]", "rounds=2")
    run = study(tmp_path / "run", endpoint.base_url, *size, options=["--max-calls", "15"])
    assert run.code == 4
    again = go_on(run.path)
    assert again.code == 0, again.err
    replayed = replay(again, tmp_path / "replayed")
    assert replayed.code == 0, replayed.err
    assert endpoint.received[0].authorization == f"Bearer {KEY}"
    assert "[key]" in (run.path / "calls.jsonl").read_text()
    shown = [text for each in (run, again, replayed) for text in (each.out, each.err)]
    nowhere(tmp_path, cache, shown=[*shown, *capfd.readouterr()])


def test_faults_of_every_kind(server, tmp_path, cache, capfd):
    endpoint = server(faults=EVERYTHING, fault_wait=0.1)
    run = study(tmp_path / "run", endpoint.base_url, "users.attempts=9", "tolerance.failed=1")
    assert run.code == 0, run.err
    assert {sent.fault for sent in endpoint.sent} == {*EVERYTHING, None}
    nowhere(tmp_path, cache, shown=[run.out, run.err, *capfd.readouterr()])


@pytest.mark.parametrize("fault", [Fault.BAD_REQUEST, Fault.BAD_KEY, Fault.NO_MODEL, Fault.NO_QUOTA])
def test_refusals(server, tmp_path, cache, fault, capfd):
    run = study(tmp_path / "run", server(faults=[fault] * 1000).base_url)
    assert run.code == 2
    nowhere(tmp_path, cache, shown=[run.out, run.err, *capfd.readouterr()])


@pytest.mark.parametrize(
    ("owner", "name"), [(CallJournal, "append"), (Cast, "_turn"), (proposing, "append_proposals")]
)
def test_a_program_that_breaks(server, tmp_path, cache, monkeypatch, owner, name, capfd):
    def breaks(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(owner, name, breaks)
    with pytest.raises(ZeroDivisionError) as caught:
        study(tmp_path / "run", server().base_url)
    trace = traceback.TracebackException.from_exception(caught.value)
    nowhere(tmp_path, cache, shown=[*trace.format(), repr(caught.value), *capfd.readouterr()])
