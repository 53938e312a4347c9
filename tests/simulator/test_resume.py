"""A run that was stopped goes on to the same end, pays for nothing twice, and refuses to become another run."""

import json

import pytest
from small_runs import SCENARIO, go_on, replay, said, simulate, study

from agents.testing.openai_server import Fault
from simulator import outcome, proposing, recommenders
from simulator.run import main
from simulator.transcript.journal import CallJournal
from simulator.transcript.turns import TurnWriter

TWO_ROUNDS = ("rounds=2", "refinement.weight=validation", "refinement.validation_share=0.3")


class PowerCut(BaseException):
    """Nobody catches it, as nobody catches SIGKILL."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run as it is without any interruption."""
    run = simulate(tmp_path_factory.mktemp("whole") / "run", *TWO_ROUNDS, "recommender.model=bprmf", *EPOCHS)
    assert run.code == 0, run.err
    return run


EPOCHS = ("recommender.training.max_epochs=3",)


def cut(monkeypatch, owner, name, when):
    """The `when`-th call of `owner.name` does half of its work at most, and the power fails."""
    real, calls = getattr(owner, name), []

    def failing(*args, **kwargs):
        calls.append(name)
        if len(calls) == when:
            raise PowerCut
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, failing)


POINTS = [
    (recommenders, "train_recommender", 1),
    (recommenders, "describe", 1),
    (recommenders, "save", 1),
    (recommenders, "write_json", 1),  # training.json
    (proposing, "append_proposals", 1),
    (proposing, "append_proposals", 4),
    (CallJournal, "append", 1),
    (CallJournal, "append", 3),
    (TurnWriter, "write", 1),
    (TurnWriter, "write", 2),
    (outcome, "write_json", 1),  # metrics.json
    (outcome, "summarise", 1),
    (outcome, "write_json", 2),  # manifest.json
    (outcome, "write_json", 3),  # summary.json
]


@pytest.mark.parametrize(
    ("owner", "name", "when"), POINTS, ids=[f"{owner.__name__}-{name}-{when}" for owner, name, when in POINTS]
)
def test_cut_off_anywhere_it_goes_on_to_the_same_end(whole, tmp_path, monkeypatch, owner, name, when):
    with monkeypatch.context() as patch:
        cut(patch, owner, name, when)
        with pytest.raises(PowerCut):
            simulate(tmp_path / "run", *TWO_ROUNDS, "recommender.model=bprmf", *EPOCHS)
    assert not (tmp_path / "run" / "summary.json").exists()
    assert main(["--resume", str(tmp_path / "run")]) == 0
    for file in ("turns.jsonl", "metrics.json", "per_user.parquet", "proposals.jsonl", "scenario.yaml"):
        assert (tmp_path / "run" / file).read_bytes() == whole.bytes_of(file), file
    assert not list((tmp_path / "run").glob("*.part"))
    assert not (tmp_path / "run" / "run.lock").exists()


def test_a_torn_last_line_is_proposed_or_asked_again(whole, tmp_path):
    run = simulate(tmp_path / "run", *TWO_ROUNDS, "recommender.model=bprmf", *EPOCHS)
    (run.path / "summary.json").unlink()
    for name in ("proposals.jsonl", "calls.jsonl"):
        content = run.bytes_of(name)
        (run.path / name).write_bytes(content[:-100])
    assert go_on(run.path).code == 0
    assert run.bytes_of("turns.jsonl") == whole.bytes_of("turns.jsonl")
    assert run.bytes_of("proposals.jsonl") == whole.bytes_of("proposals.jsonl")


def test_what_is_complete_stays_as_it_is(tmp_path):
    run = simulate(tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in run.path.iterdir()}
    again = go_on(run.path)
    assert again.code == 0
    assert "complete already" in again.err
    assert "null: oracle" in again.out, "the tables are shown again"
    assert {path: path.stat().st_mtime_ns for path in run.path.iterdir()} == before


@pytest.fixture
def stopped(tmp_path):
    """A run that lacks its end."""
    run = simulate(tmp_path / "run")
    (run.path / "summary.json").unlink()
    return run


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("users.count=13", "users.count"),
        ("users.standin.noise=0.4", "users.standin.noise"),
        ("rounds=3", "rounds"),
        ("prompts.feedback=template_a", "prompts.feedback"),
        ("seed=9", "seed"),
    ],
)
def test_a_flag_that_would_make_it_another_run_is_refused(stopped, change, key):
    refused = go_on(stopped.path, "--set", change)
    assert refused.code == 2
    assert f"the run was begun with {key} = " in refused.err
    assert "start a new one" in refused.err
    assert not (stopped.path / "summary.json").exists()


def test_a_scenario_file_beside_it_may_only_say_the_same(stopped, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(SCENARIO.read_text().replace("n: 5", "n: 4").replace("3, 5]", "3, 4]"))
    refused = go_on(stopped.path, other)
    assert refused.code == 2
    assert "n = 5" in refused.err
    assert go_on(stopped.path, SCENARIO).code == 0


def test_what_changes_no_answer_may_change(stopped):
    assert go_on(stopped.path, "--set", "users.concurrency=2", "--set", "tolerance.failed=0.5").code == 0


def test_other_data_other_templates_and_another_endpoint_are_refused(stopped):
    manifest = json.loads(stopped.bytes_of("manifest.json"))

    def with_(change):
        told = json.loads(json.dumps(manifest))
        change(told)
        (stopped.path / "manifest.json").write_text(json.dumps(told))
        return go_on(stopped.path)

    refused = with_(lambda told: told["hashes"].update(data="0" * 64))
    assert (refused.code, "made on other data" in refused.err) == (2, True)
    refused = with_(lambda told: told["hashes"]["prompts"].update(feedback="0" * 64))
    assert (refused.code, "has changed since the run was begun" in refused.err) == (2, True)
    refused = with_(lambda told: told["endpoint"].update(provider="another"))
    assert (refused.code, "the run was begun with another" in refused.err) == (2, True)
    done = with_(lambda told: told.update(python="3.10.0"))
    assert done.code == 0
    after = json.loads(stopped.bytes_of("manifest.json"))
    assert after["python"] == "3.10.0"
    assert [each["python"] for each in after["continued_with"]] == [manifest["python"]]


def test_only_one_process_is_at_a_run(stopped):
    from simulator.transcript.directory import RunDirectory

    with RunDirectory(stopped.path).held():
        refused = go_on(stopped.path)
    assert refused.code == 2
    assert "another process is at this run" in refused.err
    assert go_on(stopped.path).code == 0


def test_a_folder_in_which_no_run_was_begun(tmp_path):
    refused = go_on(tmp_path)
    assert refused.code == 2
    assert "no run was begun here" in refused.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--resume", "x", "--out", "y"], "leave --out out"),
        (["s.yaml", "--retry-errors"], "--retry-errors belongs to --resume"),
        (["--replay", "x", "--max-cost", "1"], "costs nothing"),
        (["--replay", "x", "--dry-run"], "costs nothing"),
        (["--replay", "x", "--resume", "y"], "not allowed with"),
        (["s.yaml", "--max-cost", "much"], "no amount of US dollars"),
        (["s.yaml", "--max-calls", "-1"], "no whole number"),
        ([], "a scenario file is needed"),
    ],
)
def test_options_that_contradict_each_other(options, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("endpoint_environment")
def test_failed_calls_are_made_again_only_if_asked_for(audience, openai_server, tmp_path):
    healthy = study(tmp_path / "healthy", openai_server(audience).base_url, "rounds=2")
    # Of the 24 calls of the first round five fail, each after two tries.
    server = openai_server(audience, faults=[Fault.ERROR_500] * 10)
    run = study(tmp_path / "run", server.base_url, "rounds=2", "users.attempts=2", "users.concurrency=1")
    assert run.code == 3
    assert "--retry-errors" in run.err
    assert [turn["round"] for turn in run.turns if turn["status"] == "failed"] == [1] * 5
    asked = server.requests
    assert go_on(run.path).code == 0
    assert server.requests == asked
    again = go_on(run.path, "--retry-errors")
    assert again.code == 0, again.err
    assert said(again) == said(healthy)
    # The five, and those of their second round, whose prompts rest on the first.
    assert 5 <= server.requests - asked <= 10
    replayed = replay(again, tmp_path / "replayed")
    assert replayed.code == 0, replayed.err
    assert replayed.bytes_of("turns.jsonl") == again.bytes_of("turns.jsonl")


@pytest.mark.usefixtures("endpoint_environment")
def test_what_a_recommender_learnt_without_the_failed_calls_is_learnt_anew(audience, openai_server, tmp_path):
    learning = ("rounds=3", "learning.retrain_every=1", "recommender.model=itemknn", "cold_start.lengths=[5]")
    healthy = study(tmp_path / "healthy", openai_server(audience).base_url, *learning)
    server = openai_server(audience, faults=[Fault.ERROR_500] * 5)
    more = ("users.attempts=1", "users.concurrency=1")
    run = study(tmp_path / "run", server.base_url, *learning, *more)
    assert [turn["round"] for turn in run.turns if turn["status"] == "failed"] == [1] * 5
    again = go_on(run.path, "--retry-errors")
    assert again.code == 0, again.err
    # Users whose calls had not failed have other slates too: the recommender had learnt from other answers.
    assert [turn["slate"] for turn in again.turns] == [turn["slate"] for turn in healthy.turns]
    assert said(again) == said(healthy)


@pytest.mark.usefixtures("endpoint_environment")
def test_a_refused_key_ends_the_run_which_goes_on_when_it_is_mended(audience, openai_server, tmp_path):
    healthy = study(tmp_path / "healthy", openai_server(audience).base_url)
    server = openai_server(audience, faults=[Fault.BAD_KEY] * 2)
    run = study(tmp_path / "run", server.base_url, "users.concurrency=2")
    assert run.code == 2
    assert "the server refuses the key it was given" in run.err
    assert f"--resume {run.path}" in run.err
    assert "Traceback" not in run.err
    assert server.requests <= 2
    assert len(run.calls) == server.requests, "what was refused is in the journal"
    again = go_on(run.path)
    assert again.code == 0, again.err
    assert said(again) == said(healthy)
    assert server.answered == 24
    assert again.summary["calls"]["failed"] == 0
