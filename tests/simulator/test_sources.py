"""Data of every source go through a whole run; what is not known of them is told to nobody."""

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_runs import simulate

from recommender import data


@pytest.fixture(scope="session")
def unrated():
    """The embedded data as a shop would have them: purchases without ratings, buyers without a profile."""
    whole = data.load("embedded", None, 0)
    kept = whole.interactions.take(whole.interactions.user < 120)
    return replace(
        whole,
        name="shop",
        users=whole.users[["user_id"]],
        interactions=replace(kept, rating=np.full(len(kept), np.nan, dtype=np.float32)),
    )


def prompts(run):
    return ["\n".join(message["content"] for message in call["request"]["messages"]) for call in run.calls]


@pytest.mark.parametrize("client", ["standin", "popularity"])
def test_atomic_files_without_ratings_run_end_to_end(tmp_path, unrated, client):
    folder = data.write_atomic(unrated, tmp_path)
    run = simulate(tmp_path / "out", "data.source=atomic", f"data.path={folder}", f"users.client={client}")
    assert run.code == 0, run.err
    assert "shop (synthetic)" in run.out
    assert len(run.turns) == 24
    assert {turn["status"] for turn in run.turns} == {"ok"}
    for prompt in prompts(run):
        assert "you have watched" in prompt
        assert not re.search(r"\((nan|\d(\.\d)?)\)", prompt)
        assert not re.search(r"rate (strictly|generously)", prompt)


def test_a_described_table_with_some_ratings_runs_end_to_end(tmp_path, unrated):
    inter = unrated.interactions
    rating = np.where(np.arange(len(inter)) % 2, 4.5, np.nan)
    users, items = unrated.users["user_id"].to_numpy(), unrated.items["item_id"].to_numpy()
    rows = {"who": users[inter.user], "what": items[inter.item], "at": inter.time}
    pq.write_table(
        pa.table(rows | {"stars": pa.array(rating, from_pandas=True)}), tmp_path / "bought.parquet"
    )
    pq.write_table(pa.Table.from_pandas(unrated.items), tmp_path / "goods.parquet")
    (tmp_path / "shop.yaml").write_text(
        "name: Half rated\n"
        "interactions: {file: bought.parquet, user: who, item: what, rating: stars, time: at}\n"
        "items: {file: goods.parquet, item: item_id, title: title, genres: genres}\n"
    )
    run = simulate(tmp_path / "out", "data.source=table", f"data.path={tmp_path}/shop.yaml")
    assert run.code == 0, run.err
    told = "".join(prompts(run))
    assert "(4.5)" in told
    assert "nan" not in told.split()


def test_movielens_as_csv_runs_end_to_end(tmp_path, unrated):
    inter = unrated.interactions
    rows = zip(inter.user.tolist(), inter.item.tolist(), inter.time.tolist(), strict=True)
    ratings = "".join(f"{user + 1},{item + 1},{3 + item % 5 / 2},{time}\n" for user, item, time in rows)
    movies = "".join(f'{n + 1},"Film, No {n + 1} (1999)",Drama|War\n' for n in range(len(unrated.items)))
    (tmp_path / "ratings.csv").write_text(f"userId,movieId,rating,timestamp\n{ratings}")
    (tmp_path / "movies.csv").write_text(f"movieId,title,genres\n{movies}")
    run = simulate(tmp_path / "out", "data.source=ml-latest-small", f"data.path={tmp_path}")
    assert run.code == 0, run.err
    assert "MovieLens-latest-small" in run.out
    assert "(3.5)" in "".join(prompts(run))


def test_a_mistake_in_the_files_is_told_with_its_line(tmp_path, unrated):
    folder = data.write_atomic(unrated, tmp_path)
    file = folder / "shop-synthetic.inter"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:7], lines[3], *lines[7:]]))
    run = simulate(tmp_path / "out", "data.source=atomic", f"data.path={folder}")
    assert run.code == 2
    assert f"{file}:8: user " in run.err
    assert f"{file}:4 already" in run.err
    assert not (tmp_path / "out").exists()
