import pytest

from simulator.transcript.directory import RunDirectory
from simulator.transcript.turns import TranscriptError


def test_a_folder_that_is_no_run_is_refused_and_says_what_is_missing(tmp_path):
    for name in ("scenario.yaml", "manifest.json", "calls.jsonl", "proposals.jsonl", "training.json"):
        with pytest.raises(TranscriptError, match=rf"{name}: no such file.*is not a run directory"):
            RunDirectory.open(tmp_path)
        (tmp_path / name).write_text("")
    assert RunDirectory.open(tmp_path).path == tmp_path
