import hashlib
import random

import pytest
from file_server import Page

from recommender.data import DataError
from recommender.data.download.fetching import Expected, client, fetch
from recommender.data.download.retrying import Patience
from recommender.data.download.sources import RemoteFile

BODY = random.Random(0).randbytes(500_000)
DIGEST = hashlib.sha256(BODY).hexdigest()
EXPECTED = Expected(DIGEST, "the test's")
QUICK = Patience(attempts=4, first_wait=0.01, longest_wait=5)
ONCE = Patience(attempts=1)


def get(server, target, *, expected=EXPECTED, patience=QUICK, size=None, progress=None):
    remote = RemoteFile(server.url("/a.zip"), size=size)
    with client() as http:
        return fetch(http, remote, target, expected=expected, patience=patience, progress=progress)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "a.zip"


def test_a_file_comes_whole_and_nothing_stands_beside_it(serve, target):
    server = serve({"/a.zip": Page(BODY)})
    seen = []
    assert get(server, target, progress=lambda *told: seen.append(told)) == DIGEST
    assert target.read_bytes() == BODY
    assert list(target.parent.iterdir()) == [target]
    assert seen[-1] == ("a.zip", len(BODY), len(BODY))
    (request,) = server.requests
    assert request.headers["Accept-Encoding"] == "identity"
    assert "Screentest" in request.headers["User-Agent"]


def test_after_a_cut_only_the_rest_is_asked_for(serve, target):
    server = serve({"/a.zip": Page(BODY, cut=[200_000, 100_000])})
    assert get(server, target) == DIGEST
    assert [request.headers.get("Range") for request in server.requests] == [
        None,
        "bytes=200000-",
        "bytes=300000-",
    ]
    assert server.sent == len(BODY)


def test_a_later_call_goes_on_where_the_first_was_stopped(serve, target):
    server = serve({"/a.zip": Page(BODY, cut=[200_000])})
    with pytest.raises(DataError, match=r"200,000 bytes are kept in .*a\.zip\.part: the same command"):
        get(server, target, patience=ONCE)
    assert not target.exists()
    assert get(server, target) == DIGEST
    assert server.sent == len(BODY)


def test_a_body_that_ends_early_without_a_word_is_noticed(serve, target):
    # No Content-Length: only the size that is known tells.
    server = serve({"/a.zip": Page(BODY, length=-1, cut=[300_000])})
    with pytest.raises(DataError, match="300,000 of 500,000"):
        get(server, target, size=len(BODY), patience=ONCE)
    assert not target.exists()


def test_a_server_that_ignores_ranges_is_read_from_the_start(serve, target):
    server = serve({"/a.zip": Page(BODY, ranges=False, cut=[200_000])})
    assert get(server, target) == DIGEST
    assert server.sent == len(BODY) + 200_000
    assert target.read_bytes() == BODY


def test_another_version_is_read_from_the_start(serve, target):
    server = serve({"/a.zip": Page(b"x" * 400_000, etag='"old"', cut=[200_000])})
    with pytest.raises(DataError):
        get(server, target, patience=ONCE)
    server.pages["/a.zip"] = Page(BODY, etag='"new"')
    assert get(server, target) == DIGEST
    assert server.requests[-1].headers["If-Range"] == '"old"'


@pytest.mark.parametrize("etag", ['W/"1"', None])
def test_without_a_way_to_tell_versions_nothing_is_continued(serve, target, etag):
    server = serve({"/a.zip": Page(BODY, etag=etag, cut=[200_000])})
    assert get(server, target) == DIGEST
    assert [request.headers.get("Range") for request in server.requests] == [None, None]


def test_last_modified_serves_where_there_is_no_etag(serve, target):
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    server = serve({"/a.zip": Page(BODY, etag=None, headers={"Last-Modified": date}, cut=[200_000])})
    assert get(server, target) == DIGEST
    assert server.requests[1].headers["If-Range"] == date


def test_416_starts_anew(serve, target):
    server = serve({"/a.zip": Page(BODY, cut=[200_000], answers=[])})
    with pytest.raises(DataError):
        get(server, target, patience=ONCE)
    server.pages["/a.zip"].answers = [(416, {})]
    assert get(server, target) == DIGEST
    assert [request.headers.get("Range") for request in server.requests] == [None, "bytes=200000-", None]


@pytest.mark.parametrize("said", ["bytes 0-499999/500000", "bytes 200001-499999/500000", "nonsense"])
def test_another_part_than_was_asked_for_is_not_used(serve, target, said):
    server = serve({"/a.zip": Page(BODY, cut=[200_000])})
    with pytest.raises(DataError):
        get(server, target, patience=ONCE)
    server.pages["/a.zip"].headers["Content-Range"] = said
    assert get(server, target) == DIGEST
    assert server.requests[-1].headers.get("Range") is None


def test_a_whole_part_is_not_asked_for_again(serve, target, monkeypatch):
    server = serve({"/a.zip": Page(BODY)})
    part, note = target.with_name("a.zip.part"), target.with_name("a.zip.part.json")
    get(server, target)
    part.write_bytes(BODY)
    note.write_text(f'{{"url": "{server.url("/a.zip")}", "validator": "\\"1\\"", "total": {len(BODY)}}}')
    target.unlink()
    assert get(server, target) == DIGEST
    assert len(server.requests) == 1


@pytest.mark.parametrize("note", ["", "{}", "[1]", '{"url": 1}', "null"])
def test_a_part_with_a_broken_note_is_started_anew(serve, target, note):
    target.with_name("a.zip.part").write_bytes(b"old")
    target.with_name("a.zip.part.json").write_text(note)
    server = serve({"/a.zip": Page(BODY)})
    assert get(server, target) == DIGEST


def test_a_wrong_checksum_leaves_nothing(serve, target):
    server = serve({"/a.zip": Page(BODY[:-1] + b"?")})
    with pytest.raises(DataError, match=f"wrong checksum.*must be {DIGEST}"):
        get(server, target)
    assert list(target.parent.iterdir()) == []
    assert len(server.requests) == 1


def test_a_file_of_another_size_is_refused_before_it_is_read(serve, target):
    server = serve({"/a.zip": Page(b"<html>" + BODY)})
    with pytest.raises(DataError, match=r"500,006 bytes there, must have 500,000"):
        get(server, target, size=len(BODY))
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("status", [429, 503, 500])
def test_busy_servers_are_asked_again_as_late_as_they_say(serve, target, status):
    server = serve({"/a.zip": Page(BODY, answers=[(status, {"Retry-After": "1"})])})
    assert get(server, target) == DIGEST
    first, second = server.requests
    assert second.time - first.time >= 1


def test_a_server_that_asks_for_too_much_patience_is_left_alone(serve, target):
    server = serve({"/a.zip": Page(BODY, answers=[(503, {"Retry-After": "3600"})])})
    with pytest.raises(DataError, match="asks to wait 3600 s"):
        get(server, target)
    assert len(server.requests) == 1


def test_attempts_are_bounded(serve, target):
    server = serve({"/a.zip": Page(BODY, answers=[(503, {})] * 99)})
    with pytest.raises(DataError, match="answers 503"):
        get(server, target)
    assert len(server.requests) == QUICK.attempts


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_not_repeated(serve, target, status):
    server = serve({"/a.zip": Page(status=status)})
    with pytest.raises(DataError, match=f"answers {status}.*--file"):
        get(server, target)
    assert len(server.requests) == 1


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://127.0.0.1/a"])
def test_no_redirect_leads_away_from_http(serve, target, where):
    server = serve({"/a.zip": Page(status=302, headers={"Location": where})})
    with pytest.raises(DataError, match="protocol"):
        get(server, target)
    assert not target.exists()


def test_nobody_listens(target, serve):
    server = serve({})
    server.__exit__()
    with pytest.raises(DataError, match="--file"):
        get(server, target)
