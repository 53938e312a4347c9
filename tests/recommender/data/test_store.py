import multiprocessing
import os
import shutil
import time

import numpy as np
import pandas as pd
import pytest

from recommender import data
from recommender.data import DataError, Dataset, load, movielens_csv, write_atomic
from recommender.data.embedded import generate
from recommender.data.store import stored

MOVIES = "movieId,title,genres\n1,Heat (1995),Crime\n2,Up (2009),Animation|Comedy\n"
RATINGS = "userId,movieId,rating,timestamp\n7,1,3.5,10\n7,2,0.5,20\n8,2,5,15\nbroken\n"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SCREENTEST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "ml"
    folder.mkdir()
    (folder / "movies.csv").write_text(MOVIES)
    (folder / "ratings.csv").write_text(RATINGS)
    return folder


def same(first, second):
    pd.testing.assert_frame_equal(first.users, second.users)
    pd.testing.assert_frame_equal(first.items, second.items)
    for name in ("user", "item", "rating", "time"):
        ours, theirs = getattr(first.interactions, name), getattr(second.interactions, name)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    assert (first.name, first.synthetic, first.clock, first.skipped, first.match_sets) == (
        second.name,
        second.synthetic,
        second.clock,
        second.skipped,
        second.match_sets,
    )


def test_what_is_opened_is_what_was_read(cache, folder):
    direct = movielens_csv.read_movielens_csv(folder, 0.5, name="MovieLens-20M")
    assert direct.skipped
    for _ in range(2):
        same(load("ml-20m", folder, tolerance=0.5), direct)


def test_every_kind_of_column_survives(cache, tmp_path):
    made = generate(0).dataset
    pictures = pd.Series([None, *(f"{n}.png" for n in range(39))], dtype=object)
    items = made.items.head(40).assign(image=pictures)
    items.loc[0:2, "title"] = "[Rec] (2007)"
    kept = (made.interactions.item < 40) & (made.interactions.user < 30)
    whole = Dataset(
        "made",
        synthetic=True,
        clock=False,
        users=made.users.head(30).astype(object),
        items=items.astype(object),
        interactions=made.interactions.take(kept),
        match_sets=((("1",), ("2", "3")),),
    )
    whole.users.loc[0:3, "gender"] = None
    same(stored(("x",), [], lambda: whole), whole)


def test_the_second_time_nothing_is_read_and_columns_are_mapped(cache, folder, monkeypatch):
    first = load("ml-20m", folder, tolerance=0.5)
    monkeypatch.setattr(movielens_csv, "TextFile", None)
    second = load("ml-20m", folder, tolerance=0.5)
    same(first, second)
    assert isinstance(second.interactions.user, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        second.interactions.user[0] = 1


def test_a_changed_file_or_tolerance_is_read_anew(cache, folder):
    assert load("ml-20m", folder, tolerance=0.5).interactions.rating[0] == 3.5
    with pytest.raises(DataError, match=r"ratings\.csv:5: 1 cells"):
        load("ml-20m", folder, tolerance=0)
    # The same size and the same second: only the content tells.
    stamp = (folder / "ratings.csv").stat()
    (folder / "ratings.csv").write_text(RATINGS.replace("3.5", "4.5"))
    os.utime(folder / "ratings.csv", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert load("ml-20m", folder, tolerance=0.5).interactions.rating[0] == 4.5


def test_a_settled_file_is_not_hashed_again(cache, folder, monkeypatch):
    load("ml-20m", folder, tolerance=0.5)
    time.sleep(2.1)
    load("ml-20m", folder, tolerance=0.5)
    monkeypatch.setattr("recommender.data.store.hashlib.file_digest", None)
    assert len(load("ml-20m", folder, tolerance=0.5).interactions) == 3


def test_an_error_leaves_nothing_in_the_cache(cache, folder):
    with pytest.raises(DataError):
        load("ml-20m", folder)
    assert [path for path in (cache / "data").iterdir() if path.suffix != ".lock"] == []


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("time.npy", lambda content: content[:-3]),
        ("time.npy", lambda content: b""),
        ("dataset.json", lambda content: b"[]"),
        ("dataset.json", lambda content: b"null"),
        ("items.parquet", lambda content: content[:-3]),
    ],
)
def test_a_damaged_cache_is_made_anew(cache, folder, name, damage):
    before = load("ml-20m", folder, tolerance=0.5)
    [kept] = [path for path in (cache / "data").iterdir() if path.is_dir()]
    damaged = damage((kept / name).read_bytes())
    (kept / name).unlink()  # `before` is mapped from it
    (kept / name).write_bytes(damaged)
    same(load("ml-20m", folder, tolerance=0.5), before)


def test_a_file_in_place_of_what_is_kept_is_replaced(cache, folder):
    before = load("ml-20m", folder, tolerance=0.5)
    [kept] = [path for path in (cache / "data").iterdir() if path.is_dir()]
    shutil.rmtree(kept)
    kept.write_text("")
    same(load("ml-20m", folder, tolerance=0.5), before)


def test_a_cache_that_cannot_be_written_is_said(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SCREENTEST_CACHE", str(tmp_path / "file"))
    with pytest.raises(data.CacheFolderError, match="set SCREENTEST_CACHE to a folder that can be written"):
        load("ml-20m", folder, tolerance=0.5)


def _counted(marks, barrier, answers):
    def read():
        (marks / str(os.getpid())).write_text("")
        time.sleep(0.3)
        return generate(0).dataset

    barrier.wait()
    answers.put(len(stored(("both",), [], read).interactions))


def test_two_processes_at_once_read_once(cache, tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(2), context.Queue()
    running = [context.Process(target=_counted, args=(marks, barrier, answers)) for _ in range(2)]
    for process in running:
        process.start()
    sizes = {answers.get(timeout=60) for _ in running}
    for process in running:
        process.join()
    assert len(sizes) == 1
    assert len(list(marks.iterdir())) == 1


def test_atomic_files_and_tables_are_kept_too(cache, tmp_path):
    made = generate(0).dataset
    folder = write_atomic(made, tmp_path / "out")
    first, second = load("atomic", folder), load("atomic", folder)
    assert isinstance(second.interactions.user, np.memmap)
    same(first, second)
