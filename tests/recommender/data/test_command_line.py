import hashlib
import io
import re
import sys
import zipfile

import pandas as pd
import pytest
from file_server import FileServer, Page
from PIL import Image

import recommender.data.__main__ as command_line
from recommender.data import write_atomic
from recommender.data.download import KNOWN, RemoteFile, Source, find
from recommender.data.embedded import generate

ARCHIVE = io.BytesIO()
with zipfile.ZipFile(ARCHIVE, "w") as _file:
    _file.writestr("tiny/ratings.dat", "1::1::5::1\n")
BODY = ARCHIVE.getvalue()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FileServer({"/tiny.zip": Page(BODY)}) as running:
        remote = RemoteFile(running.url("/tiny.zip"), hashlib.sha256(BODY).hexdigest(), len(BODY))
        tiny = Source(
            "tiny",
            "Tiny 1",
            "only on Sundays.",
            "https://example.org/terms",
            "Us, 2020",
            ("ratings.dat",),
            (),
            (remote,),
        )
        monkeypatch.setattr(command_line, "find", lambda name: tiny if name == "tiny" else find(name))
        yield running


@pytest.fixture
def run(capsys):
    def call(*arguments):
        code = command_line.main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_licence_is_printed_before_the_first_request(server, tmp_path, monkeypatch):
    heard = []

    class Out(io.StringIO):
        def write(self, text):
            heard.append((text, len(server.requests)))
            return len(text)

    monkeypatch.setattr(sys, "stdout", Out())
    assert command_line.main(["download", "tiny", "--to", str(tmp_path), "--yes"]) == 0
    before = "".join(text for text, requests in heard if requests == 0)
    assert "licence: only on Sundays." in before
    assert "https://example.org/terms" in before
    assert len(server.requests) == 1


def test_a_download_says_what_it_did(server, tmp_path, run):
    code, out, err = run("download", "tiny", "--to", tmp_path, "--yes")
    assert code == 0
    assert "tiny.zip: checksum right" in out
    assert out.endswith(f"Tiny 1: {tmp_path / 'tiny'}\n")
    assert re.fullmatch(rf"tiny\.zip: {len(BODY):,} bytes, [\d.]+ MB/s\n", err)  # no bar where nobody looks
    code, out, _ = run("download", "tiny", "--to", tmp_path)
    assert (code, "there already" in out) == (0, True)


def test_without_a_terminal_consent_has_to_be_given(server, tmp_path, run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    code, out, err = run("download", "tiny", "--to", tmp_path)
    assert (code, "--yes" in err, "only on Sundays" in out) == (2, True, True)
    assert server.requests == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("Yes", 0), ("", 1), ("n", 1)])
def test_on_a_terminal_consent_is_asked_for(server, tmp_path, run, monkeypatch, answer, code):
    monkeypatch.setattr(sys, "stdin", Terminal(answer + "\n"))
    assert run("download", "tiny", "--to", tmp_path)[0] == code
    assert (tmp_path / "tiny").exists() == (code == 0)
    assert len(server.requests) == (code == 0)


def test_a_file_by_hand_needs_no_network(server, tmp_path, run):
    mine = tmp_path / "mine.zip"
    mine.write_bytes(BODY)
    code, out, _ = run("download", "tiny", "--to", tmp_path / "data", "--file", mine)
    assert (code, server.requests) == (0, [])
    assert "licence" in out


def test_errors_are_one_line_and_no_traceback(server, tmp_path, run):
    code, _, err = run("download", "ml-2m", "--yes")
    assert code == 1
    assert all(known in err for known in KNOWN)
    code, _, err = run("download", "taobao-fashion", "--to", tmp_path, "--yes")
    assert (code, "asks for a login" in err, "dim_items.txt" in err) == (1, True, True)
    (tmp_path / "file").write_text("")
    code, _, err = run("download", "tiny", "--to", tmp_path / "file", "--yes")
    assert (code, err.startswith("error: ")) == (1, True)


def test_ctrl_c_is_said_in_a_line(server, tmp_path, run, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "obtain", stop)
    code, _, err = run("download", "tiny", "--to", tmp_path, "--yes")
    assert (code, "goes on from there" in err) == (130, True)


@pytest.mark.parametrize("name", ["amazon-2014:Beauty", "amazon-2023:All_Beauty"])
def test_categories_of_amazon_are_known_by_their_name(name):
    source = find(name)
    assert [remote.name for remote in source.files] == list(source.needed)
    assert name.partition(":")[2] in source.files[0].url


@pytest.mark.parametrize(
    "name", ["amazon-2014", "amazon-2014:", "amazon-2014:../x", "amazon-2014:a b", "amazon:Beauty", ""]
)
def test_what_is_no_category_is_refused(run, name):
    code, _, err = run("download", name, "--yes")
    assert (code, "can be downloaded" in err) == (1, True)


@pytest.fixture
def shop(monkeypatch):
    """A data set of which two items have the address of a picture, one has a file, and the others nothing."""

    def make(column):
        dataset = generate(0).dataset
        items = dataset.items.assign(
            image=pd.Series([*column, *[None] * (len(dataset.items) - len(column))], dtype=object)
        )
        object.__setattr__(dataset, "items", items)
        monkeypatch.setattr(command_line, "load", lambda source, path: dataset)
        return list(items["item_id"])

    return make


def test_pictures_of_a_data_set(server, shop, tmp_path, run):
    raw = io.BytesIO()
    Image.new("RGB", (4, 4)).save(raw, "PNG")
    server.pages["/p"] = Page(raw.getvalue())
    items = shop([server.url("/p"), "posters/1.png", server.url("/gone")])
    code, out, _ = run("images", "shop", "--to", tmp_path)
    assert code == 0
    assert "2 of 400 items have the address of a picture" in out
    assert out.endswith("1 fetched, 0 there already, 1 failed (HTTP 404: 1)\n")
    assert (tmp_path / f"{items[0]}.png").exists()
    assert run("images", "shop", "--to", tmp_path, "--limit", "1")[1].endswith(
        "0 fetched, 1 there already, 0 failed\n"
    )
    assert len(server.requests) == 2


@pytest.mark.parametrize("column", [[], ["posters/1.png"]])
def test_no_address_at_all_is_an_error(shop, tmp_path, run, column):
    shop(column)
    code, _, err = run("images", "shop", "--to", tmp_path)
    assert (code, "no item has the address of a picture" in err) == (1, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit", ["0", "-1", "all"])
def test_a_limit_that_is_none_is_refused(tmp_path, run, limit):
    with pytest.raises(SystemExit, match="2"):
        run("images", "embedded", "--to", tmp_path, f"--limit={limit}")


def test_statistics_stand_beside_the_paper_s(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    folder = write_atomic(generate(0).dataset, tmp_path)
    assert command_line.main(["statistics", "atomic", "--path", str(folder), "--core", "3"]) == 0
    printed = capsys.readouterr().out
    for step in ("read", "rating >= 3", "3-core", "train", "validation", "test"):
        assert f"\n{step} " in printed
    assert "embedded (synthetic)" in printed
    split = ["--split", "leave-one-out"]
    assert command_line.main(["statistics", "atomic", "--path", str(folder), "--core", "3", *split]) == 0
    assert re.search(r"\ntest +600 +\d+ +600 ", capsys.readouterr().out)


def test_statistics_of_nothing_are_an_error(tmp_path, capsys):
    assert command_line.main(["statistics", "atomic", "--path", str(tmp_path)]) == 1
    assert "should hold one .inter file" in capsys.readouterr().err
