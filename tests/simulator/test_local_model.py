"""A run that a local model answers: recorded through HTTP, replayed without the engine. The first test asks the real one."""

import subprocess
import sys
from pathlib import Path

import pytest
from local_engine import needs_model
from small_runs import files, go_on, replay, simulate

CONTENT = b"GGUF and so on"
WITHOUT_ENGINE = """
import sys
sys.modules["xllamacpp"] = None
import socket
socket.socket.connect = None
from simulator.run import main
code = main(["--replay", sys.argv[1], "--out", sys.argv[2]])
assert not [name for name in sys.modules if name.startswith(("agents.local", "openai"))]
sys.exit(code)
"""


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "folder" / "mine.gguf"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


def local(out, model, *overrides, options=()):
    return simulate(
        out,
        "users.client=local",
        f"users.model={model}",
        "cold_start.lengths=[5]",
        *overrides,
        options=options,
    )


@needs_model
def test_the_shipped_scenario_runs_with_a_language_model_and_replays_without_the_engine(tmp_path):
    run = simulate(
        tmp_path / "run",
        "users.count=1",
        "users.params={temperature: 0, max_tokens: 12, logprobs: true, top_logprobs: 2}",
        scenario=Path("scenarios/local_model.yaml"),
    )
    assert run.code == 0, run.err
    assert len(run.turns) == len(run.calls) == 1
    for call in run.calls:
        assert call["error"] is None
        assert call["completion"]["model"] == "smollm2"
        assert 1 <= call["usage"]["completion_tokens"] <= 12
        assert call["usage"]["prompt_tokens"] > 200
        logprobs = call["completion"]["logprobs"]
        assert len(logprobs) == call["usage"]["completion_tokens"]
        assert all(value <= 0 and len(top) == 2 for _, value, top in logprobs)
    assert {turn["client"] for turn in run.turns} == {
        "local model smollm2 by llama.cpp, SmolLM2-135M: a toy of a model"
    }
    assert "a toy of a model" in run.out
    again = tmp_path / "again"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ENGINE, run.path, again], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (again / "turns.jsonl").read_bytes() == run.bytes_of("turns.jsonl")
    assert (again / "metrics.json").read_bytes() == run.bytes_of("metrics.json")


def test_the_record_is_the_model_s_and_not_the_machine_s(engine, audience, model, tmp_path):
    double = engine(audience)
    run = local(tmp_path / "run", model)
    assert run.code == 0, run.err
    assert (len(double.servers), double.serving) == (1, 0)
    assert double.servers[0].answered == len(run.calls) == 12
    assert {turn["status"] for turn in run.turns} == {"ok"}
    assert {turn["client"] for turn in run.turns} == {"local model mine.gguf by llama.cpp"}
    assert {call["request"]["model"] for call in run.calls} == {"mine.gguf"}
    assert {call["request"]["params"]["max_tokens"] for call in run.calls} == {800}
    assert run.summary["cost"]["usd"] == 0.0
    address = double.servers[0].base_url.removeprefix("http://")
    for name, content in files(run.path).items():
        assert address.encode() not in content, name
        assert str(model).encode() not in content or name.name == "scenario.yaml", name
    double.close()
    model.unlink()
    replayed = replay(run, tmp_path / "replayed")
    assert replayed.code == 0, replayed.err
    assert replayed.bytes_of("turns.jsonl") == run.bytes_of("turns.jsonl")


def test_the_same_file_elsewhere_is_the_same_model(engine, audience, model, tmp_path):
    double = engine(audience)
    run = local(tmp_path / "run", model)
    moved = tmp_path / "mine.gguf"
    model.rename(moved)
    again = local(tmp_path / "again", moved, options=["--record", run.path])
    assert again.code == 0, again.err
    assert {call["source"] for call in again.calls} == {"recording"}
    assert len(double.servers) == 1, "none is started where nothing has to be asked"


def test_a_stopped_run_goes_on_with_other_threads_but_not_with_other_weights(
    engine, audience, model, tmp_path
):
    engine(audience)
    stopped = local(tmp_path / "run", model, options=["--max-calls", 5])
    assert stopped.code == 4, stopped.err
    model.write_bytes(CONTENT + b".")
    refused = go_on(stopped.path)
    assert refused.code == 2
    assert "start a new run" in refused.err
    model.write_bytes(CONTENT)
    done = go_on(stopped.path, "--set", "users.local.threads=3", "--set", "users.local.slots=1")
    assert done.code == 0, done.err
    assert len(done.calls) == 12


def test_a_dry_run_starts_no_server(engine, model, tmp_path):
    double = engine()
    run = local(tmp_path / "run", model, options=["--dry-run"])
    assert run.code == 0, run.err
    assert "calls to make: 12" in run.out
    assert double.params == []


def test_a_server_that_does_not_come_up_ends_the_run_and_says_how_to_go_on(engine, audience, model, tmp_path):
    engine(refuses=True)
    run = local(tmp_path / "run", model)
    assert run.code == 2
    assert f"llama.cpp cannot serve {model}" in run.err
    assert f"--resume {run.path}" in run.err
    assert "Traceback" not in run.err
    engine(audience)
    assert go_on(run.path).code == 0


def test_what_is_missing_shows_before_anything_is_written(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    run = local(tmp_path / "run", model)
    assert (run.code, run.path.exists()) == (2, False)
    assert "xllamacpp, which is not installed" in run.err


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("users.base_url=http://127.0.0.1:8000/v1", "starts a server of its own"),
        ("users.local.slots=0", "users.local.slots"),
        ("users.local.gpu=true", "users.local.gpu"),
    ],
)
def test_settings_that_make_no_sense_are_refused(model, tmp_path, override, why):
    run = local(tmp_path / "run", model, override)
    assert run.code == 2
    assert why in run.err


def test_a_reply_limit_of_one_s_own_stands(engine, audience, model, tmp_path):
    double = engine(audience)
    run = local(tmp_path / "run", model, "users.params={max_completion_tokens: 300}", "users.count=2")
    assert run.code == 0, run.err
    bodies = [received.body for received in double.servers[0].received]
    assert [body.get("max_completion_tokens") for body in bodies] == [300, 300]
    assert not any("max_tokens" in body for body in bodies)
