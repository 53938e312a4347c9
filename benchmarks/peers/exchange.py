"""What is handed to a peer, and the line to its process.

The data are RecBole's "benchmark" files: NAME.train.inter, NAME.valid.inter and NAME.test.inter, so a peer trains and
tests on exactly our rows. Users and items are called by our row numbers.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from recommender.data.histories import PAD, Histories

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    from numpy.typing import NDArray

    from recommender.data.splitting import Split

_SPLIT, _SEQUENCES = "split", "sequences"
_LOG_TAIL = 1500
"""Characters of a peer's log that an error quotes."""


class PeerError(RuntimeError):
    """A peer cannot be run, or does something else than it was asked."""


def export_split(split: Split, folder: Path) -> dict[str, int]:
    """Write the split as `folder`/split/split.{train,valid,test}.inter, and give the number of rows of each.

    Columns are user_id:token, item_id:token, timestamp:float; a time is the row's place in its user's history, since a
    clock's ties would leave the order open.
    """
    parts = {"train": split.train, "valid": split.validation, "test": split.test}
    before = np.zeros(len(split.dataset.users), dtype=np.int64)
    for name, part in parts.items():
        size = np.bincount(part.user, minlength=len(before))
        first = np.cumsum(size) - size
        place = before[part.user] + np.arange(len(part)) - first[part.user]
        rows = zip(part.user.tolist(), part.item.tolist(), place.tolist(), strict=True)
        _write(folder, _SPLIT, name, ("user_id:token", "item_id:token", "timestamp:float"), rows)
        before += size
    return {name: len(part) for name, part in parts.items()}


def export_sequences(split: Split, folder: Path, length: int) -> dict[str, int]:
    """The same for RecBole's sequential models, as `folder`/sequences: one row a target, the `length` items before it in
    item_id_list:token_seq, oldest first.

    Train has one row for each target with something before it. Validation and test have one row a user, its history
    what is known at serving, whatever the number of targets: a list of the user's best items needs no more.
    """
    users = len(split.dataset.users)
    train = Histories.of(split.train, users)
    user = train.users()
    place = torch.arange(len(user)) - train.start[user]
    later = place > 0
    parts = {
        "train": (user[later], train.before(user[later], place[later], length), train.item[later]),
    }
    for name, phase in (("valid", "validation"), ("test", "test")):
        targets = split.targets(phase)
        tested, first = np.unique(targets.user, return_index=True)
        who = torch.from_numpy(tested.astype(np.int64))
        item = torch.from_numpy(targets.item[first].astype(np.int64))
        parts[name] = (who, Histories.of(split.history(phase), users).latest(who, length), item)
    columns = ("user_id:token", "item_id_list:token_seq", "item_id:token")
    for name, (who, history, item) in parts.items():
        lists = (" ".join(str(each) for each in row if each != PAD) for row in history.tolist())
        _write(folder, _SEQUENCES, name, columns, zip(who.tolist(), lists, item.tolist(), strict=True))
    return {name: len(who) for name, (who, _, _) in parts.items()}


def export_features(vectors: NDArray[np.float32], folder: Path) -> None:
    """Write the features of all items (I, d) as `folder`/features.npy."""
    np.save(folder / "features.npy", vectors)


def _write(
    folder: Path, data: str, part: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    target = folder / data
    target.mkdir(exist_ok=True)
    with (target / f"{data}.{part}.inter").open("w", encoding="utf-8", newline="\n") as file:
        file.write("\t".join(columns) + "\n")
        file.writelines("\t".join(map(str, row)) + "\n" for row in rows)


class PeerProcess:
    """A peer's script at work in its own Python; ends with the `with` block.

    `ready` is the first thing it says. PeerError where the interpreter is missing, where the script fails, and where it
    has read other data than were written.
    """

    def __init__(self, python: Path, script: Path, settings: Mapping[str, Any], folder: Path) -> None:
        self._log = folder / "peer.log"
        written = folder / "settings.json"
        written.write_text(json.dumps(dict(settings)), encoding="utf-8")
        threads = str(settings["threads"])
        limits = {f"{name}_NUM_THREADS": threads for name in ("OMP", "MKL", "OPENBLAS")}
        try:
            with self._log.open("w", encoding="utf-8") as log:
                self._process = subprocess.Popen(
                    [python.absolute(), script, written],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    encoding="utf-8",
                    cwd=folder,
                    env={**os.environ, **limits},
                )
        except OSError as error:
            raise PeerError(f"{python}: cannot be run ({error.strerror})") from error

    def __enter__(self) -> Self:
        """After the first answer."""
        try:
            self.ready = self._answer()
        except PeerError:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """The process ends."""
        self.close()

    def close(self) -> None:
        """End the process; that of a peer has nothing to save."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def require(self, expected: Mapping[str, Any]) -> None:
        """PeerError unless the peer has read as many users, items and rows as `expected` says."""
        read = {name: self.ready[name] for name in expected}
        if read != dict(expected):
            raise PeerError(f"the peer has read {read}, but {dict(expected)} were written")

    def ask(self, do: str, **options: object) -> dict[str, Any]:
        """The answer to a command."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **options}) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._failed("has ended") from error
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._failed("has ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise self._failed(answer["error"])
        return answer

    def _failed(self, what: str) -> PeerError:
        tail = self._log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:]
        return PeerError(f"the peer's process: {what}\n{tail}".strip())
