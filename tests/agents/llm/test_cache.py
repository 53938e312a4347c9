from __future__ import annotations

import os
import pickle
import sqlite3
import subprocess
import sys
from pathlib import Path

import diskcache
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_doubles import completion

from agents.llm import CacheError, Completion, ResponseCache, Usage

KEY = "k" * 64


@pytest.fixture
def cache(tmp_path):
    cache = ResponseCache(tmp_path / "cache")
    yield cache
    cache.close()


def tamper(cache: ResponseCache, sql: str, *values: object) -> None:
    database = sqlite3.connect(cache.folder / "cache.db", isolation_level=None)
    changed = database.execute(sql, values).rowcount
    database.close()
    assert changed == 1


def test_what_is_put_is_got_and_what_is_not_is_a_miss(cache):
    cache.put([(KEY, completion("one")), ("other", completion("two"))])
    assert cache.get(KEY) == completion("one")
    assert cache.get("other") == completion("two")
    assert cache.get("third") is None
    assert cache.damaged == 0


def test_any_text_survives(tmp_path_factory):
    cache = ResponseCache(tmp_path_factory.mktemp("cache"))
    count = st.one_of(st.none(), st.integers(0, 2**40))

    @given(
        st.builds(Completion, st.text(st.characters()), st.text(), st.builds(Usage, count, count), st.text())
    )
    def holds(answer):
        cache.put([(KEY, answer)])
        assert cache.get(KEY) == answer

    holds()
    cache.close()


def test_large_answers_stay_inside_the_database(cache):
    cache.put([(KEY, completion("x" * 1_000_000))])
    assert cache.get(KEY) == completion("x" * 1_000_000)
    assert {path.name for path in cache.folder.rglob("*") if path.is_file()} <= {
        "cache.db",
        "cache.db-wal",
        "cache.db-shm",
    }


class Bomb:
    """Leaves a file behind when unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def test_a_pickled_row_executes_nothing_and_is_a_reported_miss(cache, tmp_path, caplog):
    cache.put([(KEY, completion())])
    bomb = pickle.dumps(Bomb(tmp_path / "executed"))
    tamper(cache, "UPDATE Cache SET mode = 4, value = ?", bomb)
    assert cache.get(KEY) is None
    assert not (tmp_path / "executed").exists()
    assert cache.damaged == 1
    assert KEY in caplog.text
    pickle.loads(bomb)
    assert (tmp_path / "executed").exists()  # the bomb was live


def test_a_row_that_names_a_file_neither_reads_nor_removes_it(cache, tmp_path):
    outside = tmp_path / "precious.txt"
    outside.write_text("precious")
    cache.put([(KEY, completion())])
    tamper(cache, "UPDATE Cache SET mode = 3, filename = ?, value = NULL", "../precious.txt")
    assert cache.get(KEY) is None
    cache.put([(KEY, completion("new"))])
    assert outside.read_text() == "precious"
    assert cache.get(KEY) == completion("new")


@pytest.mark.parametrize(
    "value", ["", "{}", "[]", "null", '{"content": {}, "sha256": "0"}', b"bytes", 7, None]
)
def test_a_row_with_other_content_is_a_reported_miss(cache, value):
    cache.put([(KEY, completion())])
    tamper(cache, "UPDATE Cache SET value = ?", value)
    assert cache.get(KEY) is None
    assert cache.damaged == 1


def test_an_answer_changed_or_moved_to_another_key_is_a_reported_miss(cache):
    cache.put([(KEY, completion("yes"))])
    tamper(cache, "UPDATE Cache SET value = replace(value, 'yes', 'no!')")
    assert cache.get(KEY) is None
    cache.put([(KEY, completion("yes"))])
    tamper(cache, "UPDATE Cache SET key = 'elsewhere'")
    assert cache.get("elsewhere") is None
    assert cache.damaged == 2


def test_a_folder_that_holds_something_else_is_refused_with_advice(tmp_path):
    (tmp_path / "cache.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(CacheError, match="delete the folder"):
        ResponseCache(tmp_path)


def test_nothing_is_evicted(cache):
    settings = cache._cache
    assert (settings.eviction_policy, settings.cull_limit) == ("none", 0)


def test_what_is_larger_than_diskcaches_limit_is_kept(cache, tmp_path):
    """The limit is 1 GiB; lowered to 100 kB, a stock cache drops rows, and ours holds all of 1 MB."""
    limit = 100_000
    rows = [(f"{n}", completion(f"{n} " + "x" * 10_000)) for n in range(100)]
    assert cache._cache.size_limit == 2**30
    cache._cache.reset("size_limit", limit)
    for row in rows:
        cache.put([row])
    assert [cache.get(key) for key, _ in rows] == [answer for _, answer in rows]
    assert cache._cache.volume() > 10 * limit
    stock = diskcache.Cache(str(tmp_path / "stock"), size_limit=limit)
    for key, answer in rows:
        stock.set(key, answer.text)
    assert sum(key in stock for key, _ in rows) < 50
    stock.close()


WRITE = """
import sys
from pathlib import Path
from agents.llm import Completion, ResponseCache, Usage
cache = ResponseCache(Path(sys.argv[1]))
for n in range(50):
    cache.put([(f"{sys.argv[2]}-{n}", Completion(sys.argv[2], "stop", Usage(1, n), "m"))])
assert cache.damaged == 0
"""


def test_two_processes_share_one_cache(cache):
    root = Path(__file__).parents[3]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE, str(cache.folder), name], cwd=root)
        for name in ("a", "b")
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    for name in ("a", "b"):
        assert [cache.get(f"{name}-{n}") for n in range(50)] == [
            Completion(name, "stop", Usage(1, n), "m") for n in range(50)
        ]
