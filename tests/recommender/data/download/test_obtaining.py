import gzip
import hashlib
import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from file_server import Page

from recommender.data import DataError
from recommender.data.download import RemoteFile, Source, obtain
from recommender.data.download.retrying import Patience

QUICK = Patience(attempts=3, first_wait=0.01)


def zipped(members):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return raw.getvalue()


ARCHIVE = zipped(
    {"tiny/ratings.dat": os.urandom(60_000), "tiny/movies.dat": b"m", "tiny/README": b"r", "tiny/x": b""}
)
DIGEST = hashlib.sha256(ARCHIVE).hexdigest()


def source(*files, name="tiny", needed=("ratings.dat", "movies.dat"), also=("README", "links")):
    return Source(name, "Tiny", "may be looked at", "https://example.org", "us", needed, also, files)


def get(what, folder, given=(), said=None):
    said = [] if said is None else said
    return obtain(what, folder, given, say=said.append, patience=QUICK)


def visible(folder):
    return {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}


def test_an_archive_becomes_a_folder_with_what_the_reader_needs(serve, tmp_path):
    server = serve({"/tiny.zip": Page(ARCHIVE)})
    said = []
    folder = get(
        source(RemoteFile(server.url("/tiny.zip"), DIGEST, len(ARCHIVE))), tmp_path / "data", said=said
    )
    assert folder == tmp_path / "data" / "tiny"
    assert {path.name for path in folder.iterdir()} == {"ratings.dat", "movies.dat", "README"}
    assert visible(tmp_path / "data") == {"tiny"}
    assert said == ["tiny.zip: checksum right"]


def test_what_is_there_is_not_asked_for_again(serve, tmp_path):
    server = serve({"/tiny.zip": Page(ARCHIVE)})
    what = source(RemoteFile(server.url("/tiny.zip"), DIGEST))
    get(what, tmp_path)
    said = []
    get(what, tmp_path, said=said)
    assert "there already" in said[0]
    assert len(server.requests) == 1


def test_a_folder_that_lacks_files_is_not_touched(serve, tmp_path):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "ratings.dat").write_text("mine")
    server = serve({"/tiny.zip": Page(ARCHIVE)})
    with pytest.raises(DataError, match=r"lacks movies\.dat.*move it away"):
        get(source(RemoteFile(server.url("/tiny.zip"))), tmp_path)
    assert server.requests == []
    assert (tmp_path / "tiny" / "ratings.dat").read_text() == "mine"
    assert visible(tmp_path) == {"tiny"}


def test_a_wrong_checksum_leaves_nothing_at_all(serve, tmp_path):
    server = serve({"/tiny.zip": Page(ARCHIVE)})
    with pytest.raises(DataError, match="wrong checksum"):
        get(source(RemoteFile(server.url("/tiny.zip"), "0" * 64)), tmp_path)
    assert visible(tmp_path) == set()


def test_an_interrupted_download_goes_on(serve, tmp_path):
    server = serve({"/tiny.zip": Page(ARCHIVE, cut=[1_000, 1_000, 1_000])})
    what = source(RemoteFile(server.url("/tiny.zip"), DIGEST))
    with pytest.raises(DataError, match=r"3,000 bytes are kept in .*tiny\.download.tiny\.zip\.part"):
        get(what, tmp_path)
    assert visible(tmp_path) == {"tiny.download"}
    get(what, tmp_path)
    assert server.sent == len(ARCHIVE)
    assert visible(tmp_path) == {"tiny"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (ARCHIVE[:-100], "damaged or cut short"),
        (b"<html>", "no zip"),
        (zipped({"ratings.dat": b"r"}), r"movies\.dat: in none"),
        (zipped({"ratings.dat": b"r", "movies.dat": b"m", "../../evil": b"e"}), "leads out"),
    ],
)
def test_a_broken_archive_leaves_nothing(serve, tmp_path, body, message, tree):
    server = serve({"/tiny.zip": Page(body)})
    inner = tmp_path / "a" / "b"
    for _ in range(2):  # the next call asks again instead of using the broken one
        with pytest.raises(DataError, match=message):
            get(source(RemoteFile(server.url("/tiny.zip"))), inner)
    assert len(server.requests) == 2
    assert set(tree()) == {"a", "a/b", "a/b/.tiny.lock"}


def test_the_checksum_of_an_unlisted_file_is_kept_and_compared(serve, tmp_path):
    server = serve({"/tiny.zip": Page(ARCHIVE)})
    what = source(RemoteFile(server.url("/tiny.zip")))
    said = []
    folder = get(what, tmp_path, said=said)
    assert said == [f"tiny.zip: the publisher gives no checksum; SHA-256 of what came: {DIGEST}"]
    record = tmp_path / "tiny.zip.sha256"
    assert record.read_text() == f"{DIGEST}  tiny.zip\n"  # as sha256sum -c reads it
    folder.rename(tmp_path / "away")
    said.clear()
    get(what, tmp_path, said=said)
    assert said == ["tiny.zip: the same as at the earlier download; the publisher gives no checksum"]
    folder.rename(tmp_path / "away2")
    server.pages["/tiny.zip"] = Page(zipped({"ratings.dat": b"new", "movies.dat": b"new"}), etag='"2"')
    with pytest.raises(DataError, match=r"earlier download in .*tiny\.zip\.sha256; delete this record"):
        get(what, tmp_path)
    assert not folder.exists()
    for noise in (b"", b"\xa5" * 99, DIGEST[:-1].encode()):
        record.write_bytes(noise)
        with pytest.raises(DataError, match=r"tiny\.zip\.sha256: does not begin with a SHA-256; delete it"):
            get(what, tmp_path)
    record.unlink()
    assert (get(what, tmp_path) / "ratings.dat").read_bytes() == b"new"


@pytest.fixture
def pair(serve):
    """A source of two gzip files that stay as they are."""
    names = ("reviews.json.gz", "meta.json.gz")
    pages = {f"/{name}": Page(gzip.compress(name.encode() * 1000)) for name in names}
    server = serve(pages)
    files = [RemoteFile(server.url(f"/{name}")) for name in names]
    return server, source(*files, name="shop:Beauty", needed=names, also=())


def test_gzip_files_stay_packed(pair, tmp_path):
    folder = get(pair[1], tmp_path)
    assert folder.name == "shop-Beauty"
    assert gzip.decompress((folder / "meta.json.gz").read_bytes()) == b"meta.json.gz" * 1000
    assert visible(tmp_path) == {"shop-Beauty", "reviews.json.gz.sha256", "meta.json.gz.sha256"}


def test_a_second_file_that_fails_does_not_cost_the_first(pair, tmp_path):
    server, what = pair
    good = server.pages["/meta.json.gz"].body
    server.pages["/meta.json.gz"].body = good[:-20]
    with pytest.raises(DataError, match=r"meta\.json\.gz: damaged"):
        get(what, tmp_path)
    server.pages["/meta.json.gz"].body = good
    get(what, tmp_path)
    assert len(server.asked("/reviews.json.gz")) == 1
    assert len(server.asked("/meta.json.gz")) == 2


def test_files_given_by_hand_are_checked_and_stay(pair, tmp_path):
    server, what = pair
    given = []
    for path, page in server.pages.items():
        given.append(tmp_path / path.removeprefix("/"))
        given[-1].write_bytes(page.body)
    with pytest.raises(DataError, match=r"meta\.json\.gz: in none"):
        get(what, tmp_path / "data", given[:1])
    folder = get(what, tmp_path / "data", given)
    assert {path.name for path in folder.iterdir()} == set(what.needed)
    assert all(path.exists() for path in given)
    assert server.requests == []


def test_an_archive_given_by_hand_may_have_any_name_and_must_be_the_one(tmp_path):
    what = source(RemoteFile("https://127.0.0.1:1/tiny.zip", DIGEST))
    mine = tmp_path / "from a friend.zip"
    mine.write_bytes(ARCHIVE + b"x")
    with pytest.raises(DataError, match="wrong checksum"):
        get(what, tmp_path / "data", [mine])
    assert mine.exists()
    mine.write_bytes(ARCHIVE)
    assert get(what, tmp_path / "data", [mine]).is_dir()
    assert mine.exists()
    with pytest.raises(DataError, match="nowhere: no such file"):
        get(what, tmp_path / "other", [tmp_path / "nowhere"])


def test_a_source_behind_a_login_says_what_to_do_and_takes_files(tmp_path):
    what = source(needed=("ratings.dat", "movies.dat"))
    with pytest.raises(DataError, match=r"https://example\.org asks for a login.*ratings\.dat.*--file"):
        get(what, tmp_path)
    plain, packed = tmp_path / "ratings.dat", tmp_path / "rest.zip"
    plain.write_bytes(b"r")
    packed.write_bytes(zipped({"movies.dat": b"m"}))
    folder = get(what, tmp_path / "data", [plain, packed])
    assert (folder / "ratings.dat").read_bytes() == b"r"
    assert (folder / "movies.dat").read_bytes() == b"m"


PROCESS = """
import sys
from pathlib import Path
from recommender.data.download import RemoteFile, Source, obtain
url, folder = sys.argv[1:]
what = Source("tiny", "Tiny", "", "", "", ("ratings.dat", "movies.dat"), (), (RemoteFile(url),))
def say(text):
    print(text, flush=True)
{}
obtain(what, Path(folder), say=say)
"""


def start(server, folder, extra=""):
    root = str(Path(__file__).parents[4])
    command = [sys.executable, "-c", PROCESS.format(extra), server.url("/tiny.zip"), str(folder)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": root},
    )


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "waited 30 s in vain"
        time.sleep(0.01)


def test_of_two_processes_one_downloads(serve, tmp_path):
    server = serve({"/tiny.zip": Page(ARCHIVE, drip=0.01)})
    both = [start(server, tmp_path) for _ in range(2)]
    answers = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert len(server.requests) == 1
    assert any("there already" in out for out, _ in answers)
    assert visible(tmp_path) == {"tiny", "tiny.zip.sha256"}


def test_a_process_killed_in_the_middle_of_unpacking_leaves_no_folder(serve, tmp_path):
    server = serve({"/tiny.zip": Page(ARCHIVE)})
    hang = """
import shutil, time
import recommender.data.download.archive as archive
write = archive._write
def slow(source, path, meter, member):
    write(source, path, meter, member)
    time.sleep(600)
archive._write = slow
"""
    process = start(server, tmp_path, hang)
    half = tmp_path / "tiny.download" / "unpacked" / "ratings.dat"
    try:
        wait_for(lambda: half.exists() or process.poll() is not None)
        assert process.poll() is None, process.communicate()
    finally:
        process.kill()
        process.communicate()
    assert not (tmp_path / "tiny").exists()
    half.write_bytes(b"half")
    folder = get(source(RemoteFile(server.url("/tiny.zip"))), tmp_path)
    assert (folder / "ratings.dat").stat().st_size == 60_000
    assert len(server.requests) == 1  # the archive itself was whole
    assert visible(tmp_path) == {"tiny", "tiny.zip.sha256"}


def test_ctrl_c_keeps_what_has_come(serve, tmp_path):
    server = serve({"/tiny.zip": Page(ARCHIVE, drip=0.05)})
    process = start(server, tmp_path)
    part = tmp_path / "tiny.download" / "tiny.zip.part"
    wait_for(lambda: part.exists() and server.sent > 2_000)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    kept = part.stat().st_size
    assert kept > 0
    assert not (tmp_path / "tiny").exists()
    server.pages["/tiny.zip"].drip = 0.0
    get(source(RemoteFile(server.url("/tiny.zip"))), tmp_path)
    assert server.requests[-1].headers["Range"] == f"bytes={kept}-"
