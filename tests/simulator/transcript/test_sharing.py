"""export and import: a packed run is whole, says nothing of the machine, and replays to the same bytes."""

import gzip
import hashlib
import io
import json
import shutil
import tarfile

import pytest
from small_runs import files, replay

REPLAYED = ("turns.jsonl", "metrics.json", "per_user.parquet")


@pytest.fixture(scope="module")
def packed(recorded, tmp_path_factory):
    from simulator.transcript.packing import export

    file = tmp_path_factory.mktemp("packed") / "run.tar.gz"
    export(recorded.path, file)
    return file


def entries(file):
    with tarfile.open(file) as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive}


def repacked(file, contents, *, kind=tarfile.REGTYPE, listed=None):
    """An archive of these contents, with a list that fits them if none is given."""
    if listed is None:
        listed = [
            {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in contents.items()
        ]
    document = json.dumps({"format": "screentest run 1", "members": listed}).encode()
    with tarfile.open(file, "w:gz") as archive:
        for name, data in {"members.json": document, **contents}.items():
            entry = tarfile.TarInfo(name)
            entry.type = kind if name != "members.json" else tarfile.REGTYPE
            entry.size = len(data) if entry.isreg() else 0
            entry.linkname = "/etc/passwd" if not entry.isreg() else ""
            archive.addfile(entry, io.BytesIO(data))
    return file


def refused(told, folder, *names):
    """Whether an import ended with one message and left nothing behind."""
    assert told.code == 2, told.err
    assert told.err.startswith("error: ")
    assert "Traceback" not in told.err
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    return told.err


def test_an_imported_run_replays_to_the_same_bytes(recorded, packed, tmp_path, transcript):
    told = transcript("import", packed, "--out", tmp_path / "imported")
    assert told.code == 0, told.err
    assert f"{tmp_path / 'imported'}: whole" in told.out
    again = replay(type(recorded)(0, "", "", tmp_path / "imported"), tmp_path / "replayed")
    assert again.code == 0, again.err
    for name in REPLAYED:
        assert again.bytes_of(name) == recorded.bytes_of(name)


def test_equal_runs_give_equal_bytes_and_so_does_an_imported_one(recorded, packed, tmp_path, transcript):
    shutil.copytree(recorded.path, tmp_path / "elsewhere")
    transcript("export", tmp_path / "elsewhere", tmp_path / "again.tar.gz")
    assert (tmp_path / "again.tar.gz").read_bytes() == packed.read_bytes()
    transcript("import", packed, "--out", tmp_path / "imported")
    transcript("export", tmp_path / "imported", tmp_path / "third.tar.gz")
    assert (tmp_path / "third.tar.gz").read_bytes() == packed.read_bytes()


def test_the_list_comes_first_and_names_what_follows(packed):
    contents = entries(packed)
    assert next(iter(contents)) == "members.json"
    listed = json.loads(contents.pop("members.json"))["members"]
    assert [entry["name"] for entry in listed] == list(contents)
    for entry in listed:
        assert hashlib.sha256(contents[entry["name"]]).hexdigest() == entry["sha256"]


def test_weights_are_packed_when_asked_for(recorded, packed, tmp_path, transcript):
    assert "recommender.pt" not in entries(packed)
    told = transcript("export", recorded.path, tmp_path / "whole.tar.gz", "--weights", "--json")
    assert "recommender.pt" in [member["name"] for member in json.loads(told.out)["members"]]
    assert entries(tmp_path / "whole.tar.gz")["recommender.pt"] == recorded.bytes_of("recommender.pt")


def test_no_folder_of_the_machine_is_packed(copied, tmp_path, transcript):
    """A replay says where it came from, and a scenario where its data lie."""
    again = replay(copied, tmp_path / "a replay", f"data.texts={texts(tmp_path)}")
    assert again.code == 2, "texts change the data"
    again = replay(copied, tmp_path / "a replay of it", "users.api_key_env=SOME_KEY")
    assert str(tmp_path) in json.loads(again.bytes_of("manifest.json"))["replay_of"]
    told = transcript("export", again.path, tmp_path / "run.tar.gz")
    assert told.code == 0, told.err
    for name, content in entries(tmp_path / "run.tar.gz").items():
        assert str(tmp_path).encode() not in content, name
    assert transcript("import", tmp_path / "run.tar.gz", "--out", tmp_path / "imported").code == 0


def texts(folder):
    (folder / "texts.csv").write_text("item_id,text\n")
    return folder / "texts.csv"


def test_a_path_in_the_scenario_is_cut_and_its_hash_follows(copied, tmp_path, transcript):
    path = copied.path / "scenario.yaml"
    path.write_text(path.read_text().replace("images: null", f"images: {tmp_path}/pictures of films"))
    manifest = json.loads(copied.bytes_of("manifest.json"))
    as_run = manifest["hashes"]["scenario"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (copied.path / "manifest.json").write_text(json.dumps(manifest))
    assert transcript("export", copied.path, tmp_path / "run.tar.gz").code == 0
    told = transcript("import", tmp_path / "run.tar.gz", "--out", tmp_path / "imported")
    assert told.code == 0, told.err
    assert "images: pictures of films" in (tmp_path / "imported" / "scenario.yaml").read_text()
    assert json.loads((tmp_path / "imported" / "manifest.json").read_bytes())["scenario_as_run"] == as_run


def test_nothing_is_overwritten(recorded, packed, tmp_path, transcript):
    (tmp_path / "there").mkdir()
    (tmp_path / "run.tar.gz").write_bytes(b"mine")
    refused(transcript("import", packed, "--out", tmp_path / "there"), tmp_path, "there", "run.tar.gz")
    refused(transcript("export", recorded.path, tmp_path / "run.tar.gz"), tmp_path, "there", "run.tar.gz")
    assert (tmp_path / "run.tar.gz").read_bytes() == b"mine"


def test_a_damaged_or_unfinished_run_is_not_packed(copied, tmp_path, transcript):
    (copied.path / "calls.jsonl").write_bytes(copied.bytes_of("calls.jsonl").replace(b"round", b"rownd", 1))
    told = transcript("export", copied.path, tmp_path / "run.tar.gz")
    assert "calls.jsonl:1: " in refused(told, tmp_path, "copied")
    (copied.path / "summary.json").unlink()
    told = transcript("export", copied.path, tmp_path / "run.tar.gz")
    assert "not finished" in refused(told, tmp_path, "copied")


@pytest.mark.parametrize("at", [0, 400, -400, -5])
def test_a_file_damaged_on_its_way_leaves_nothing(packed, tmp_path, transcript, at):
    content = bytearray(packed.read_bytes())
    content[at] ^= 0x55
    (tmp_path / "run.tar.gz").write_bytes(content)
    refused(transcript("import", tmp_path / "run.tar.gz", "--out", tmp_path / "out"), tmp_path, "run.tar.gz")


@pytest.mark.parametrize("cut", [0, 10, 500, 0.5, 0.99])
def test_a_file_cut_short_leaves_nothing(packed, tmp_path, transcript, cut):
    content = packed.read_bytes()
    (tmp_path / "run.tar.gz").write_bytes(content[: cut if isinstance(cut, int) else int(cut * len(content))])
    refused(transcript("import", tmp_path / "run.tar.gz", "--out", tmp_path / "out"), tmp_path, "run.tar.gz")


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "a/calls.jsonl", "checkpoint.pt"])
def test_a_name_that_is_no_file_of_a_run_is_refused(packed, tmp_path, transcript, name):
    contents = entries(packed)
    del contents["members.json"]
    file = repacked(tmp_path / "run.tar.gz", {**contents, name: b"x"})
    told = transcript("import", file, "--out", tmp_path / "out")
    assert repr(name) in refused(told, tmp_path, "run.tar.gz")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_links_and_other_than_plain_files_are_refused(packed, tmp_path, transcript, kind):
    contents = entries(packed)
    del contents["members.json"]
    file = repacked(tmp_path / "run.tar.gz", {"calls.jsonl": b""}, kind=kind)
    assert "no plain file" in refused(
        transcript("import", file, "--out", tmp_path / "out"), tmp_path, "run.tar.gz"
    )


def test_more_than_the_list_says_is_refused_before_it_is_unpacked(packed, tmp_path, transcript):
    contents = entries(packed)
    listed = json.loads(contents.pop("members.json"))["members"]
    grown = {**contents, "calls.jsonl": contents["calls.jsonl"] + b" " * 10_000_000}
    file = repacked(tmp_path / "run.tar.gz", grown, listed=listed)
    refused(transcript("import", file, "--out", tmp_path / "out"), tmp_path, "run.tar.gz")
    missing = repacked(
        tmp_path / "less.tar.gz", {**contents} | {}, listed=[*listed, {**listed[0], "name": "recommender.pt"}]
    )
    told = transcript("import", missing, "--out", tmp_path / "out")
    assert "recommender.pt" in refused(told, tmp_path, "run.tar.gz", "less.tar.gz")


def test_a_small_file_that_unpacks_without_end_is_refused(tmp_path, transcript):
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 32
    bomb = header.tobuf(tarfile.USTAR_FORMAT) + bytes(64 << 20)
    (tmp_path / "run.tar.gz").write_bytes(gzip.compress(bomb))
    told = transcript("import", tmp_path / "run.tar.gz", "--out", tmp_path / "out")
    assert "more than its members.json says" in refused(told, tmp_path, "run.tar.gz")


def test_a_run_whose_files_disagree_is_not_imported(packed, tmp_path, transcript):
    contents = entries(packed)
    del contents["members.json"]
    turns = contents["turns.jsonl"].splitlines(keepends=True)
    file = repacked(tmp_path / "run.tar.gz", {**contents, "turns.jsonl": b"".join(turns[:-1])})
    told = transcript("import", file, "--out", tmp_path / "out")
    assert f"{tmp_path / 'out' / 'turns.jsonl'}: the planned turn" in refused(told, tmp_path, "run.tar.gz")


def test_the_default_folder_is_named_like_the_file(packed, tmp_path, transcript, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert transcript("import", packed).code == 0
    assert (tmp_path / "runs" / "run" / "turns.jsonl").is_file()


def test_an_exported_run_is_left_as_it_is(recorded, tmp_path, transcript):
    before = files(recorded.path)
    transcript("export", recorded.path, tmp_path / "run.tar.gz")
    assert files(recorded.path) == before
