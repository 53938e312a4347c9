import io
import json
import random
import time
from dataclasses import replace

import pytest
from file_server import Page
from filelock import FileLock
from PIL import Image

from recommender.data import DataError
from recommender.data.download import Manners, fetch_images
from recommender.data.download.retrying import Patience
from recommender.data.images import local_images

QUICK = Manners(delay=0.0, timeout=5, patience=Patience(attempts=3, first_wait=0.01, longest_wait=2))


def picture(form="JPEG", seed=0):
    raw = io.BytesIO()
    Image.frombytes("RGB", (16, 12), random.Random(seed).randbytes(16 * 12 * 3)).save(raw, form)
    return raw.getvalue()


def outcomes(folder):
    lines = (folder / "outcomes.jsonl").read_text().splitlines()
    return {entry["item"]: entry for entry in map(json.loads, lines)}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "pictures"


def test_pictures_come_under_the_names_of_their_items(serve, folder):
    server = serve({"/1": Page(picture("PNG")), "/b.png": Page(picture("JPEG")), "/c": Page(picture("WEBP"))})
    wanted = {"1": server.url("/1"), "a/../b": server.url("/b.png"), "c d": server.url("/c")}
    report = fetch_images(wanted, folder, manners=QUICK)
    assert (report.fetched, report.present, report.failed) == (3, 0, {})
    found = local_images(folder, list(wanted))
    assert [path.name for path in found] == ["1.png", "a%2F..%2Fb.jpg", "c%20d.webp"]
    assert found[0].read_bytes() == picture("PNG")
    assert {entry["status"] for entry in outcomes(folder).values()} == {"fetched"}
    assert all("Screentest" in request.headers["User-Agent"] for request in server.requests)
    assert {path.name for path in folder.iterdir()} - {path.name for path in found} == {
        ".lock",
        "outcomes.jsonl",
    }


def test_what_is_there_is_not_asked_for_and_what_is_broken_is(serve, folder):
    server = serve({f"/{n}": Page(picture("PNG", n)) for n in range(3)})
    wanted = {str(n): server.url(f"/{n}") for n in range(3)}
    fetch_images(wanted, folder, manners=QUICK)
    (folder / "1.png").write_bytes(picture("PNG", 1)[:50])
    (folder / "2.png").rename(folder / "2.gif")
    (folder / "2.gif").write_bytes(b"broken, and under another extension")
    report = fetch_images(wanted, folder, manners=QUICK)
    assert (report.fetched, report.present) == (2, 1)
    assert [path.name for path in local_images(folder, list(wanted))] == ["0.png", "1.png", "2.png"]
    assert not (folder / "2.gif").exists()
    assert len(server.asked("/0")) == 1


def test_what_failed_for_good_is_not_asked_again_unless_wanted(serve, folder):
    server = serve({"/text": Page(b"<html>"), "/cut": Page(picture("PNG")[:40])})
    wanted = {
        "gone": server.url("/gone"),
        "text": server.url("/text"),
        "cut": server.url("/cut"),
        "ftp": "ftp://127.0.0.1/x.jpg",
        "file": "file:///etc/passwd",
        "none": "",
        "port": "http://127.0.0.1:99999999/x",
        "x" * 400: server.url("/text"),
    }
    failed = {"HTTP 404": 1, "not an image": 2, "no http address": 4, "id too long for a file name": 1}
    report = fetch_images(wanted, folder, manners=QUICK)
    assert (report.fetched, report.failed) == (0, failed)
    assert len(server.requests) == 3
    assert local_images(folder, list(wanted)) == [None] * 8
    assert outcomes(folder).keys() == wanted.keys()
    assert fetch_images(wanted, folder, manners=QUICK).failed == failed
    assert len(server.requests) == 3
    server.pages["/gone"] = Page(picture())
    assert fetch_images(wanted, folder, manners=QUICK, retry_failed=True).fetched == 1
    assert len(server.requests) == 6


def test_another_address_is_tried_though_the_old_one_had_failed(serve, folder):
    server = serve({"/new": Page(picture())})
    assert fetch_images({"1": server.url("/old")}, folder, manners=QUICK).failed == {"HTTP 404": 1}
    assert fetch_images({"1": server.url("/new")}, folder, manners=QUICK).fetched == 1


def test_what_may_pass_is_tried_again_now_and_later(serve, folder):
    server = serve({"/1": Page(picture(), answers=[(503, {})] * 4), "/2": Page(picture(), cut=[10])})
    wanted = {"1": server.url("/1"), "2": server.url("/2")}
    report = fetch_images(wanted, folder, manners=QUICK)
    assert (report.fetched, report.failed) == (1, {"HTTP 503": 1})
    assert len(server.asked("/1")) == 3
    assert not outcomes(folder)["1"]["permanent"]
    assert fetch_images(wanted, folder, manners=QUICK).fetched == 1


def test_a_host_that_asks_for_a_wait_gets_it_from_all_requests(serve, folder):
    server = serve({f"/{n}": Page(picture()) for n in range(4)})
    server.pages["/0"].answers = [(429, {"Retry-After": "1"})]
    manners = replace(QUICK, per_host=1)
    report = fetch_images({str(n): server.url(f"/{n}") for n in range(4)}, folder, manners=manners)
    assert report.fetched == 4
    first, second = server.requests[:2]
    assert second.time - first.time >= 1


def test_a_host_that_asks_for_a_long_wait_is_left_alone(serve, folder):
    server = serve({f"/{n}": Page(picture(), answers=[(429, {"Retry-After": "3600"})]) for n in range(50)})
    other = serve({"/x": Page(picture())})
    wanted = {str(n): server.url(f"/{n}") for n in range(50)} | {"x": other.url("/x")}
    report = fetch_images(wanted, folder, manners=QUICK)
    assert report.fetched == 1
    assert sum(report.failed.values()) == 50
    assert len(server.requests) <= QUICK.per_host


def test_one_host_is_asked_by_few_and_slowly(serve, folder):
    server = serve({f"/{n}": Page(picture(), drip=0.02) for n in range(12)})
    wanted = {str(n): server.url(f"/{n}") for n in range(12)}
    began = time.monotonic()
    fetch_images(wanted, folder, manners=replace(QUICK, delay=0.05))
    assert server.at_once <= 2
    times = sorted(request.time for request in server.requests)
    # On a busy machine a request may be late and the next one on time, but none can be early.
    assert all(asked - began >= 0.05 * number for number, asked in enumerate(times))


def test_all_hosts_together_get_no_more_than_a_few_connections(serve, folder):
    server = serve({f"/{n}": Page(picture(), drip=0.05) for n in range(12)})
    hosts = ("127.0.0.1", "localhost")
    wanted = {str(n): server.url(f"/{n}", hosts[n % 2]) for n in range(12)}
    assert fetch_images(wanted, folder, manners=replace(QUICK, connections=3)).fetched == 12
    assert server.at_once == 3


def test_large_bodies_are_refused_whatever_they_claim(serve, folder):
    server = serve(
        {"/said": Page(picture() + bytes(99_000)), "/unsaid": Page(picture() + bytes(99_000), length=-1)}
    )
    wanted = {"said": server.url("/said"), "unsaid": server.url("/unsaid")}
    report = fetch_images(wanted, folder, manners=replace(QUICK, largest=50_000))
    assert report.failed == {"too large": 2}


def test_a_server_that_drips_is_given_up(serve, folder):
    server = serve({"/1": Page(picture() + bytes(50_000), drip=0.2)})
    manners = replace(QUICK, timeout=0.5, patience=Patience(attempts=1))
    assert fetch_images({"1": server.url("/1")}, folder, manners=manners).failed == {"timeout": 1}


def test_redirects_are_followed_but_not_anywhere(serve, folder):
    server = serve(
        {
            "/a": Page(status=302, headers={"Location": "/b"}),
            "/b": Page(picture()),
            "/file": Page(status=302, headers={"Location": "file:///etc/passwd"}),
            "/round": Page(status=302, headers={"Location": "/round"}),
        }
    )
    wanted = {name: server.url(f"/{name}") for name in ("a", "file", "round")}
    report = fetch_images(wanted, folder, manners=QUICK)
    assert (report.fetched, report.failed) == (1, {"no http address": 1, "too many redirects": 1})
    assert len(server.asked("/round")) == 6


def test_nobody_listens(serve, folder):
    server = serve({})
    server.__exit__()
    report = fetch_images({"1": server.url("/1")}, folder, manners=QUICK)
    assert report.failed == {"connection failed": 1}
    assert not outcomes(folder)["1"]["permanent"]


def test_half_a_line_of_a_killed_process_is_forgotten_and_a_wrong_one_is_not(serve, folder):
    server = serve({"/1": Page(picture())})
    wanted = {"1": server.url("/1"), "2": server.url("/2")}
    fetch_images(wanted, folder, manners=QUICK)
    path = folder / "outcomes.jsonl"
    path.write_text(path.read_text() + '{"item": "3", "ur')
    fetch_images(wanted, folder, manners=QUICK)
    assert outcomes(folder).keys() == {"1", "2"}
    assert len(server.asked("/2")) == 1
    path.write_text("nonsense\n" + path.read_text())
    with pytest.raises(DataError, match=r"outcomes\.jsonl:1: no outcome"):
        fetch_images(wanted, folder, manners=QUICK)


def test_two_processes_do_not_fill_one_folder(serve, folder):
    folder.mkdir()
    with FileLock(folder / ".lock"), pytest.raises(DataError, match="another process"):
        fetch_images({}, folder, manners=QUICK)
    report = fetch_images({}, folder, manners=QUICK)
    assert (report.fetched, report.present, report.failed) == (0, 0, {})


def test_a_full_disk_ends_it_as_what_it_is(serve, folder, monkeypatch):
    server = serve({f"/{n}": Page(picture()) for n in range(5)})

    def full(self, raw):
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        fetch_images({str(n): server.url(f"/{n}") for n in range(5)}, folder, manners=QUICK)


def test_everything_wanted_is_accounted_for(serve, folder):
    rng = random.Random(3)
    bodies = [
        Page(picture()),
        Page(b"text"),
        Page(status=404),
        Page(picture(), answers=[(500, {})] * 9),
        Page(picture()[:99]),
    ]
    server = serve({f"/{n}": replace(rng.choice(bodies)) for n in range(60)})
    told = []
    wanted = {str(n): server.url(f"/{n}") for n in range(60)}
    report = fetch_images(wanted, folder, manners=QUICK, told=lambda *seen: told.append(seen))
    assert report.fetched + report.present + sum(report.failed.values()) == 60
    assert told[-1] == (60, 60)
    assert len(outcomes(folder)) == 60
    assert report.fetched == sum(path is not None for path in local_images(folder, list(wanted)))
