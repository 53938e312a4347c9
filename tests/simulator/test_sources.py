"""Data of every source go through a whole run; what is not known of them is told to nobody."""

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_runs import replay, simulate

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
        assert "you have bought (in sequence) " in prompt, "no movies, and no ratings"
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


def broken(folder):
    """A whole data set with one line that is none, and the place of that line."""
    file = folder / "shop-synthetic.inter"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:7], "half a line", *lines[7:]]))
    return f"{file}:8: 1 cells where 3 were expected"


def test_a_mistake_in_the_files_is_told_with_its_line(tmp_path, unrated):
    folder = data.write_atomic(unrated, tmp_path)
    place = broken(folder)
    run = simulate(tmp_path / "out", "data.source=atomic", f"data.path={folder}", "data.tolerance=0")
    assert run.code == 2
    assert place in run.err
    assert "raise data.tolerance" in run.err
    assert not (tmp_path / "out").exists()


def test_what_is_tolerated_is_counted_shown_and_kept(tmp_path, unrated):
    folder = data.write_atomic(unrated, tmp_path)
    place = broken(folder)
    run = simulate(tmp_path / "out", "data.source=atomic", f"data.path={folder}")
    assert run.code == 0, run.err
    assert place in run.out
    [skipped] = run.summary["skipped"]
    assert (skipped["kind"], skipped["count"], skipped["rows"]) == (
        "malformed",
        1,
        len(unrated.interactions) + 1,
    )


def test_sampled_negatives_are_stored_with_the_run(tmp_path):
    chosen = ("data.split=leave-one-out", "data.negatives=12")
    run = simulate(tmp_path / "out", *chosen)
    assert run.code == 0, run.err
    training = run.summary["recommender"]
    for phase in ("validation", "test"):
        stored = pq.read_table(tmp_path / "out" / f"candidates-{phase}.parquet").to_pandas()
        assert set(stored.groupby("user_id", observed=True).size()) == {13}
        assert stored.groupby("user_id", observed=True)["target"].sum().eq(1).all()
        assert stored["user_id"].nunique() == training["sampled_ranking"][phase]["users"]
        assert training["sampled_ranking"][phase]["hr@10"] > training["full_ranking"][phase]["hr@10"]
    again = simulate(tmp_path / "again", *chosen)
    assert again.summary["recommender"]["sampled_ranking"] == training["sampled_ranking"]


def test_texts_and_features_of_pictures_reach_the_recommender(tmp_path, unrated):
    items = unrated.items["item_id"].tolist()
    rows = "".join(f'{item},"Plot, number {item}",\n' for item in items[:50])
    (tmp_path / "plots.csv").write_text(f"movie_id,plot,tagline\n{rows}")
    vectors = np.random.default_rng(0).normal(size=(40, 6))
    np.savez(tmp_path / "posters.npz", item_id=np.array(items[10:50]), feat=vectors)
    run = simulate(
        tmp_path / "out",
        "recommender.model=uim",
        "recommender.training.max_epochs=1",
        f"data.texts={tmp_path}/plots.csv",
        f"features.visual={tmp_path}/posters.npz",
    )
    assert run.code == 0, run.err
    told = run.summary["recommender"]["features"]
    assert told["visual"]["dim"] == 6
    assert 0.5 < told["visual"]["missing_share"] < 1
    assert f"visual features: {tmp_path}/posters.npz, 6 dimensions" in run.out
    (tmp_path / "posters.npz").unlink()
    again = replay(run, tmp_path / "again")
    assert again.code == 0, again.err
    assert again.bytes_of("turns.jsonl") == run.bytes_of("turns.jsonl")


def test_pictures_that_nobody_gave_are_asked_for(tmp_path):
    run = simulate(tmp_path / "out", "recommender.model=uim", "features.visual=efficientnet-lite0")
    assert run.code == 2
    assert "no item has a picture; give a folder of them as data.images" in run.err
