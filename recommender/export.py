"""python -m recommender.export DIR: vectors for a search index, and rankings for TREC's tools."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from recommender.command_line import add_overrides, run_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from recommender.data.dataset import Interactions
    from recommender.evaluation import Ranking
    from recommender.pipeline import Trained


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog="python -m recommender.export",
        description="Write a trained recommender's vectors, or its rankings.",
        epilog="The score of an item for a user is the largest inner product of the item's vector with one of the user's K "
        "vectors. In FAISS: index the items in an IndexFlatIP (as they are, not normalised), search with the K vectors of a "
        "user, keep each item's best score.",
    )
    options.add_argument("directory", type=Path, metavar="DIR", help="what recommender.train, or a run, left")
    options.add_argument("--phase", choices=["validation", "test"], default="test")
    options.add_argument(
        "--vectors",
        type=Path,
        metavar="FILE.npz",
        help="users (U, K, d) as served at the phase and items (I, d), float32 rows, with user_id (U,) and item_id (I,)",
    )
    options.add_argument(
        "--trec", type=Path, metavar="FOLDER", help="run.trec and qrels.trec of the users with held-out items"
    )
    options.add_argument("--depth", type=int, default=100, metavar="N", help="places of a run (default 100)")
    add_overrides(options)
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Export and return the exit code."""
    options = parser().parse_args(arguments)
    if options.vectors is None and options.trec is None:
        parser().error("say what to write: --vectors FILE.npz, --trec FOLDER, or both")
    if options.vectors is not None and options.vectors.suffix != ".npz":
        parser().error("the file of --vectors should end in .npz")
    if options.depth < 1:
        parser().error("--depth should be at least 1")
    return run_command(lambda: _export(options))


def _export(options: argparse.Namespace) -> None:
    from recommender.evaluation import rank_targets
    from recommender.pipeline import reopen
    from recommender.trained_directory import DirectoryError, TrainedDirectory

    trained = reopen(TrainedDirectory(options.directory), options.overrides)
    prepared = trained.prepared
    try:
        if options.vectors is not None:
            options.vectors.parent.mkdir(parents=True, exist_ok=True)
            write_vectors(trained, options.phase, options.vectors)
            print(options.vectors)
        if options.trec is not None:
            targets, served = prepared.split.targets(options.phase), prepared.served(options.phase)
            ranking = rank_targets(trained.model, served, prepared.profile, targets, options.depth)
            tables = prepared.split.dataset
            users, items = tables.users["user_id"].tolist(), tables.items["item_id"].tolist()
            tag = trained.setup.recommender.model
            write_trec(ranking, targets, users, items, tag, options.trec)
            print(options.trec)
    except OSError as error:
        raise DirectoryError(
            f"{error.filename or 'the output'}: cannot be written ({error.strerror})"
        ) from error


def write_vectors(trained: Trained, phase: str, path: Path) -> None:
    """A .npz of `users` (U, K, d) and `items` (I, d), C-contiguous float32, with `user_id` (U,) and `item_id` (I,).

    Users are as served at `phase` (at "test" from train and validation). Score = max over k of users[u, k] . items[i];
    biases are dimensions of their own, so it is an inner product and nothing else.
    """
    import numpy as np

    from recommender.evaluation import item_vectors, user_vectors

    prepared = trained.prepared
    users = user_vectors(trained.model, prepared.served(phase), prepared.profile)
    tables = prepared.split.dataset
    np.savez(
        path,
        users=np.ascontiguousarray(users),
        items=np.ascontiguousarray(item_vectors(trained.model)),
        user_id=np.array(tables.users["user_id"].tolist(), dtype=np.str_),
        item_id=np.array(tables.items["item_id"].tolist(), dtype=np.str_),
    )


def write_trec(
    ranking: Ranking,
    targets: Interactions,
    users: Sequence[str],
    items: Sequence[str],
    tag: str,
    folder: Path,
) -> None:
    """`folder`/run.trec (user Q0 item rank score tag) and qrels.trec (user 0 item 1), readable by trec_eval, ranx, pytrec_eval.

    Those tools sort by score alone and break ties as they like, so a score that does not fall is written as the next
    smaller float32. Raises DirectoryError for an id with white space, which these files cannot hold.
    """
    from recommender.trained_directory import DirectoryError

    broken = next((name for name in (*users, *items, tag) if len(name.split()) != 1), None)
    if broken is not None:
        raise DirectoryError(f"the id {broken!r} is empty or holds white space; TREC's files cannot name it")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "run.trec").open("w", encoding="utf-8", newline="\n") as file:
        rows = zip(
            ranking.user.tolist(), ranking.item.tolist(), ranking.score, ranking.shown.sum(1), strict=True
        )
        for user, ranked, score, shown in rows:
            for place, (item, value) in enumerate(
                zip(ranked[:shown], _falling(score[:shown]), strict=True), 1
            ):
                file.write(f"{users[user]} Q0 {items[item]} {place} {value:.9g} {tag}\n")
    with (folder / "qrels.trec").open("w", encoding="utf-8", newline="\n") as file:
        for user, item in zip(targets.user.tolist(), targets.item.tolist(), strict=True):
            file.write(f"{users[user]} 0 {items[item]} 1\n")


def _falling(scores: NDArray[np.float32]) -> Iterator[np.float32]:
    """The scores, each below the one before it."""
    import numpy as np

    below = np.float32(np.inf)
    for score in scores:
        below = min(score, np.nextafter(below, np.float32(-np.inf)))
        yield below


if __name__ == "__main__":
    sys.exit(main())
