"""Personas from a file: told instead of the data's, kept by hash, and the same file again for a replay."""

import hashlib
import json

import pytest
from small_runs import go_on, replay, simulate

SMALL = ("users.count=6", "cold_start.lengths=[5]")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("runs") / "plain", *SMALL)


def users(run):
    return sorted({turn["user_id"] for turn in run.turns})


def profiles(run):
    """The end of the system message, by user."""
    return {
        call["request"]["draw"]["user"]: call["request"]["messages"][0]["content"].split("\n\n")[1]
        for call in run.calls
    }


@pytest.fixture
def file(plain, tmp_path):
    path = tmp_path / "personas.csv"
    rows = [f"{user},P{user},baker of {user}" for user in users(plain)]
    path.write_text("\n".join(["user_id,name,occupation", *rows]) + "\n")
    return path


def test_users_are_drawn_among_those_with_a_row_and_told_it_instead_of_the_data(plain, file, tmp_path):
    run = simulate(tmp_path / "run", *SMALL, f"users.personas={file}")
    assert run.code == 0, run.err
    assert users(run) == users(plain), "all that have a row"
    assert profiles(run) == {
        user: f"You are going to simulate a user called P{user} (works/studies as baker of {user})."
        for user in users(plain)
    }
    histories = [
        {c["request"]["draw"]["user"]: c["request"]["messages"][1]["content"].split("rating)")[1].split("\n")[0]
         for c in each.calls} for each in (plain, run)
    ]  # fmt: skip
    assert histories[0] == histories[1]
    hashes = json.loads(run.bytes_of("manifest.json"))["hashes"]
    assert hashes["personas"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert "personas" not in json.loads(plain.bytes_of("manifest.json"))["hashes"]


def test_a_replay_takes_the_same_file_from_anywhere_and_no_other(file, tmp_path):
    run = simulate(tmp_path / "run", *SMALL, f"users.personas={file}")
    moved = tmp_path / "moved.csv"
    file.rename(moved)
    again = replay(run, tmp_path / "again", f"users.personas={moved}")
    assert again.code == 0, again.err
    assert again.bytes_of("turns.jsonl") == run.bytes_of("turns.jsonl")
    moved.write_text(moved.read_text().replace("baker", "cook"))
    for refused in (
        replay(run, tmp_path / "other", f"users.personas={moved}"),
        _unfinished(run, moved),
    ):
        assert refused.code == 2
        assert "the personas of the run were a file with hash" in refused.err


def _unfinished(run, moved):
    (run.path / "summary.json").unlink()
    return go_on(run.path, "--set", f"users.personas={moved}")


def test_arms_may_have_personas_or_none_and_ask_the_same_users(plain, file, tmp_path):
    arms = f"{{data: {{}}, file: {{users.personas: {file}}}}}"
    run = simulate(tmp_path / "run", *SMALL, f"arms={arms}")
    assert run.code == 0, run.err
    named = {
        arm: {t["user_id"] for t in run.turns if t["arm"] == arm} for arm in {t["arm"] for t in run.turns}
    }
    assert named == {arm: set(users(plain)) for arm in ("data, history-5", "file, history-5")}
    told = json.loads(run.bytes_of("manifest.json"))["arms"]
    assert "personas" not in told["data"]
    assert len(told["file"]["personas"]) == 64


def test_a_user_that_the_data_lack_and_too_few_rows_are_told(plain, file, tmp_path):
    one, *_ = users(plain)
    file.write_text(f"user_id\n{one}\nnobody\n")
    run = simulate(tmp_path / "unknown", *SMALL, f"users.personas={file}")
    assert run.code == 2
    assert f"{file}:3: user 'nobody' is not in" in run.err
    file.write_text(f"user_id\n{one}\n")
    run = simulate(tmp_path / "few", *SMALL, f"users.personas={file}")
    assert run.code == 2
    assert (
        "has 1 users with at least 5 train interactions and held-out items and a row in users.personas"
        in run.err
    )
    run = simulate(tmp_path / "none", *SMALL, "users.personas=nowhere.csv")
    assert (run.code, "nowhere.csv: cannot read the personas" in run.err) == (2, True), run.err
