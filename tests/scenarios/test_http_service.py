"""A recommender behind HTTP, by a real server: the small one of the example, and one that answers as it is told."""

import json
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from small_runs import simulate

from recommender import evaluate, export, train
from recommender.data.histories import PAD
from recommender.models import ModelError, build
from recommender.testing import VectorlessConformance, toy_inputs
from scenarios.bring_your_own import export_split
from scenarios.bring_your_own.service import ItemCosine, RankingServer

EXAMPLE = Path(__file__).parents[2] / "scenarios/bring_your_own"
SCENARIO = EXAMPLE / "http_service.yaml"
NAME = "scenarios.bring_your_own.http_service:HTTPService"
ITEMS = list(toy_inputs().item_ids)


@contextmanager
def running(server, path="/rank"):
    """The address of a server while it runs."""
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{path}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def toy_service(tmp_path_factory):
    """The example's service, that has read the toy."""
    folder, inputs = tmp_path_factory.mktemp("split"), toy_inputs()
    rows = zip(inputs.train.users().tolist(), inputs.train.item.tolist(), strict=True)
    (folder / "split.item").write_text("\n".join(["item_id:token", *inputs.item_ids, ""]))
    (folder / "split.train.inter").write_text(
        "\n".join(["user_id:token\titem_id:token", *(f"u{user}\ti{item}" for user, item in rows), ""])
    )
    with running(RankingServer(0, ItemCosine(folder))) as url:
        yield url


class TestHTTPService(VectorlessConformance):
    model_name = NAME

    @pytest.fixture(autouse=True)
    def _service(self, toy_service):
        self.params = {"url": toy_service, "batch": 20}

    def test_it_moves_to_another_device_whole(self):
        """It has nothing to move: the service computes, and its scores lie where the batch does."""
        model = self.build()
        assert not [*model.parameters(), *model.buffers()]
        assert model.device == torch.device("cpu")


class Scripted(ThreadingHTTPServer):
    """Answers with what `answer` makes of a question: (status, body), or (status, body, headers); None closes the connection."""

    daemon_threads = True

    def __init__(self, answer):
        self.asked, self.headers, self.times = [], [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append(question)
                outer.headers.append(dict(self.headers))
                outer.times.append(time.monotonic())
                found = answer(question, len(outer.asked))
                if found is None:
                    self.close_connection = True
                    return
                status, body, *more = found
                body = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for key, value in (more[0] if more else {}).items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    for start in range(0, len(body), 10 if more else len(body)):
                        self.wfile.write(body[start : start + (10 if more else len(body))])
                        time.sleep(0.02 if more and "Drip" in more[0] else 0)
                except OSError:
                    self.close_connection = True

            def log_message(self, *arguments):
                pass

        super().__init__(("127.0.0.1", 0), Handler)


def scored(question, **changed):
    """An answer in which item n has the score n, changed for each user as given."""
    items = list(reversed(ITEMS))[: question["k"]]
    users = [
        {"user_id": user["user_id"], "items": items, "scores": [int(item[1:]) for item in items]} | changed
        for user in question["users"]
    ]
    return {"users": users}


def ask(url, users=(3, 4), **params):
    """Scores of two users, by a model of the toy."""
    inputs = toy_inputs()
    model = build(NAME, {"url": url, "first_wait": 0.01, "timeout": 5.0, **params}, inputs)
    batch = TestHTTPService().batch(model, inputs)
    some = torch.tensor(users)
    batch = replace(batch, user=batch.user[some], history=batch.history[some], target=None)
    return model.score(batch, model.catalogue()), batch


def refusal(answer, **params):
    """What the model says of a service that answers so, and how often it was asked."""
    server = Scripted(answer)
    with running(server) as url, pytest.raises(ModelError) as told:
        ask(url, **{"attempts": 2, **params})
    assert url in str(told.value)
    return str(told.value), len(server.asked)


def test_it_asks_by_ids_and_puts_scores_where_the_items_are():
    server = Scripted(lambda question, number: (200, scored(question)))
    with running(server) as url:
        table, batch = ask(url)
        assert table.tolist() == [list(range(36))] * 2
        ask(url, batch=1, history=2)
    expected = [[f"i{item}" for item in row if item != PAD] for row in batch.history.tolist()]
    assert server.asked[0] == {
        "users": [
            {"user_id": user, "history": history}
            for user, history in zip(("u3", "u4"), expected, strict=True)
        ],
        "k": None,
    }
    assert [[user["history"] for user in each["users"]] for each in server.asked[1:]] == [
        [expected[0][-2:]],
        [expected[1][-2:]],
    ]
    assert "Authorization" not in server.headers[0]


def test_of_k_items_the_others_are_never_proposed():
    with running(Scripted(lambda question, number: (200, scored(question)))) as url:
        table, _ = ask(url, k=5)
        assert table[0].isfinite().sum() == 5
        assert table[0, 31:].tolist() == [31, 32, 33, 34, 35]
        everything, _ = ask(url, k=500)
        assert everything.isfinite().all()


def test_what_passes_is_asked_again():
    def answer(question, number):
        return [None, (503, b"busy"), (429, b"", {"Retry-After": "0"}), (200, scored(question))][number - 1]

    server = Scripted(answer)
    with running(server) as url:
        assert ask(url)[0].shape == (2, 36)
    assert len(server.asked) == 4
    assert all(question == server.asked[0] for question in server.asked)


def test_what_does_not_pass_ends_after_the_attempts():
    said, asked = refusal(lambda question, number: (503, b"still busy"), attempts=3)
    assert "answers with status 503: still busy (attempts: 3); start the service" in said
    assert asked == 3
    said, asked = refusal(lambda question, number: None)
    assert "cannot be reached, or breaks off" in said
    assert asked == 2
    # A server that asks for more patience than there is, is left alone.
    said, asked = refusal(lambda question, number: (429, b"", {"Retry-After": "3600"}))
    assert "status 429: nothing (attempts: 1)" in said
    assert asked == 1


def test_a_service_that_is_not_there_is_told():
    with running(Scripted(None)) as url:
        pass
    with pytest.raises(ModelError, match=r"cannot be reached.*refused.*\(attempts: 2\); start the service"):
        ask(url, attempts=2)


def test_the_attempts_are_apart():
    server = Scripted(lambda question, number: (500, b""))
    with running(server) as url, pytest.raises(ModelError):
        ask(url, attempts=3, first_wait=0.1)
    waits = [later - earlier for earlier, later in pairwise(server.times)]
    assert waits[0] >= 0.1
    assert waits[1] >= 0.2


@pytest.mark.parametrize(
    ("slow", "words"),
    [
        (lambda question, number: time.sleep(1), r"does not answer within 0\.2 s"),
        (lambda question, number: (200, b" " * 2000, {"Drip": "1"}), r"is not done answering after 0\.2 s"),
    ],
)
def test_a_slow_service_is_given_up(slow, words):
    began = time.monotonic()
    said, asked = refusal(slow, timeout=0.2)
    assert re.search(words, said)
    assert asked == 2
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((404, b"no such page"), "answers with status 404: no such page"),
        ((400, b"x" * 5000), "status 400: " + "x" * 200 + "..."),
        ((302, b""), "status 302"),
        ((204, b""), "status 204"),
        ((200, b"<html>"), "answers what is no JSON"),
        ((200, b"\xff\xfe"), "answers what is no JSON"),
        ((200, b"[" * 100_000), "answers what is no JSON"),
        ((200, []), 'without a list of objects under the key "users"'),
        ((200, {"users": [1]}), 'without a list of objects under the key "users"'),
        ((200, {"users": []}), "was asked about 2 users ('u3', ...) and answers about 0"),
        ((200, {"users": [{"user_id": "u4"}, {"user_id": "u3"}]}), "should be the same, in the same order"),
    ],
)
def test_a_wrong_answer_is_not_asked_again(answer, words):
    said, asked = refusal(lambda question, number: answer)
    assert words in said
    assert asked == 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"items": ITEMS[:-1], "scores": [1] * 35}, "35 scores, asked for were 36, all of the catalogue"),
        ({"items": ITEMS[:-1]}, "no lists of equal length"),
        ({"items": None}, "no lists of equal length"),
        ({"items": ["x", *ITEMS[1:]]}, "an item 'x', which is no id of the data"),
        ({"items": [7, *ITEMS[1:]]}, "an item 7, which is no id of the data"),
        ({"items": [["i0"], *ITEMS[1:]]}, "an item ['i0'], which is no id"),
        ({"items": ["i1", *ITEMS[1:]]}, "the item 'i1' twice"),
        ({"scores": [float("nan")] * 36}, "scores that are not finite numbers"),
        ({"scores": [*[1] * 35, float("inf")]}, "scores that are not finite numbers"),
        ({"scores": [*[1] * 35, 1e300]}, "scores that are not finite numbers"),
        ({"scores": [*[1] * 35, 10**400]}, "scores that are not finite numbers"),
        ({"scores": [*[1] * 35, None]}, "scores that are not finite numbers"),
        ({"scores": [*[1] * 35, "2"]}, "scores that are not finite numbers"),
        ({"scores": [*[1] * 35, True]}, "scores that are not finite numbers"),
    ],
)
def test_wrong_scores_are_told_with_the_user(changed, words):
    said, asked = refusal(lambda question, number: (200, scored(question, **changed)))
    assert f"for user 'u3' answers {words}" in said
    assert asked == 1


def test_fewer_than_k_are_too_few():
    said, _ = refusal(lambda question, number: (200, scored(question | {"k": 4})), k=5)
    assert "answers 4 scores, asked for were 5, k" in said


def test_a_token_is_sent_and_never_told(monkeypatch):
    monkeypatch.setenv("SERVICE_TOKEN", "tk-canary")
    server = Scripted(lambda question, number: (200, scored(question)))
    with running(server) as url:
        ask(url, token_env="SERVICE_TOKEN")
    assert server.headers[0]["Authorization"] == "Bearer tk-canary"
    said, _ = refusal(lambda question, number: (401, b"bad token tk-canary"), token_env="SERVICE_TOKEN")
    assert "bad token ***" in said
    monkeypatch.delenv("SERVICE_TOKEN")
    with pytest.raises(ModelError, match="variable SERVICE_TOKEN is not set"):
        ask("http://127.0.0.1:9/rank", token_env="SERVICE_TOKEN")


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "needs the parameter 'url'"),
        ({"url": "127.0.0.1:8900"}, r"url: should be http://HOST:PORT/PATH"),
        ({"url": "ftp://x/y"}, r"url: should be http"),
        ({"url": "http://me:secret@x/y"}, r"token_env names"),
        ({"url": "http://x:port/"}, r"recommender\.params\.url"),
        ({"url": "http://x/", "k": 0}, r"recommender\.params\.k: 0 is not a whole number"),
        ({"url": "http://x/", "history": 2.5}, r"recommender\.params\.history: 2\.5"),
        ({"url": "http://x/", "attempts": 0}, r"recommender\.params\.attempts: 0"),
        ({"url": "http://x/", "timeout": 0}, "timeout should be above 0"),
    ],
)
def test_a_wrong_option_is_named(params, words):
    with pytest.raises(ModelError, match=words) as told:
        build(NAME, params, toy_inputs())
    assert "secret" not in str(told.value)


def test_without_ids_nothing_can_be_asked():
    with pytest.raises(ModelError, match="HTTPService looks users and items up by their ids"):
        build(NAME, {"url": "http://x/"}, replace(toy_inputs(), item_ids=()))


def test_the_example_whole(tmp_path, capsys):
    """Its commands: the split is exported, the service reads it and is trained on, put before an audience, and exported."""
    few = ("--set", "data.max_users=150")
    assert export_split.main([str(SCENARIO), "--to", str(tmp_path), *few]) == 0
    command = [sys.executable, str(EXAMPLE / "service.py"), str(tmp_path / "split"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        try:
            url = service.stdout.readline().split()[-1]
            place = f"recommender.params.url={url}"
            folder, vectors = tmp_path / "trained", tmp_path / "v.npz"
            assert train.main([str(SCENARIO), *few, "--set", place, "--out", str(folder)]) == 0
            capsys.readouterr()
            assert evaluate.main([str(folder), "--json"]) == 0
            found = json.loads(capsys.readouterr().out)["metrics"]
            told = json.loads((folder / "training.json").read_text())["full_ranking"]["test"]
            assert found["ndcg@10"] == pytest.approx(told["ndcg@10"])
            assert export.main([str(folder), "--vectors", str(vectors)]) == 2
            assert "gives scores and no vectors of users and items" in capsys.readouterr().err
            assert not vectors.exists()
            assert export.main([str(folder), "--trec", str(tmp_path / "trec")]) == 0
            run = simulate(tmp_path / "run", few[1], place, "users.count=8", scenario=SCENARIO)
            assert run.code == 0, run.err
            broken = simulate(
                tmp_path / "broken", few[1], f"{place[:-4]}elsewhere", "users.count=8", scenario=SCENARIO
            )
            assert broken.code == 2
            assert "answers with status 404" in broken.err
        finally:
            service.terminate()
    again = simulate(tmp_path / "again", options=("--replay", run.path), scenario=None)
    assert again.code == 0, again.err
    assert again.bytes_of("turns.jsonl") == run.bytes_of("turns.jsonl")


def test_the_small_service_says_what_it_does_not_understand(toy_service):
    with pytest.raises(ModelError, match=r"status 404: .*post to /rank"):
        ask(f"{toy_service}s")
    strangers = replace(toy_inputs(), item_ids=tuple(f"x{n}" for n in range(36)))
    model = build(NAME, {"url": toy_service}, strangers)
    batch = TestHTTPService().batch(model, strangers)
    with pytest.raises(
        ModelError, match=r"status 400: .*names the item 'x\d+', which is not of the catalogue"
    ):
        model.score(batch, model.catalogue())
