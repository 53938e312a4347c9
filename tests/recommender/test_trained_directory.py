import json

import pytest

from recommender.trained_directory import DirectoryError, TrainedDirectory, read_json, write_json


def test_a_folder_of_its_own_for_every_run(tmp_path):
    made = {TrainedDirectory.create(None, tmp_path / "runs", "study").path for _ in range(20)}
    assert len(made) == 20
    assert all(path.is_dir() and path.name.startswith("study-") for path in made)


def test_an_empty_or_new_folder_is_taken(tmp_path):
    assert TrainedDirectory.create(tmp_path / "a" / "b", tmp_path, "x").path.is_dir()
    (tmp_path / "empty").mkdir()
    assert TrainedDirectory.create(tmp_path / "empty", tmp_path, "x").path == tmp_path / "empty"


def test_nothing_is_ever_overwritten(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DirectoryError, match="is not empty; give --out a new folder"):
        TrainedDirectory.create(tmp_path, tmp_path, "x")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DirectoryError, match=r"give --out a(nother| new) folder"):
            TrainedDirectory.create(out, tmp_path, "x")
    assert (tmp_path / "file").read_text() == "mine"


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "metrics.json"
    write_json(path, {"a": 1, "ä": [None, 0.1]})
    with pytest.raises(TypeError):
        write_json(path, {"b": "x" * 100_000, "c": object()})
    assert read_json(path) == {"a": 1, "ä": [None, 0.1]}
    assert json.loads(path.read_text(encoding="utf-8")) == read_json(path)


def test_a_reader_never_sees_half_a_file(tmp_path, monkeypatch):
    """Until the new content is on the disk the old file keeps its name."""
    path, seen = tmp_path / "metrics.json", []
    write_json(path, "old")
    monkeypatch.setattr("os.fsync", lambda descriptor: seen.append(read_json(path)))
    with path.open() as reader:
        write_json(path, "new")
        assert json.load(reader) == "old"
    assert seen == ["old"]
    assert read_json(path) == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file"), (b"{", "not JSON"), (b"\xff", "not JSON")]
)
def test_a_damaged_file_is_named(tmp_path, content, said):
    path = tmp_path / "manifest.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DirectoryError, match=rf"manifest\.json: {said}"):
        read_json(path)
