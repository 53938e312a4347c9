"""python service.py FOLDER/split: the smallest service that ranks, in the standard library alone.

It reads what `export_split` wrote, and scores an item by its likeness (cosine of who took it) to the items of the history. Copy
it, and put your own model where `scores` is; `http_service.py` says what is asked and answered.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_POPULARITY = 1e-3
"""Weight of an item's share of the train interactions: orders what is not like the history, and all items where there is none."""


class UnknownItemError(Exception):
    """A history names an item that is not of the catalogue."""


class ItemCosine:
    """What the service knows."""

    def __init__(self, folder: Path) -> None:
        self.items = [line[0] for line in _rows(folder / "split.item")]
        taken = defaultdict(set)
        for user, item, *_ in _rows(folder / "split.train.inter"):
            taken[user].add(item)
        self._count = Counter(item for items in taken.values() for item in items)
        self._together: dict[str, Counter[str]] = {item: Counter() for item in self.items}
        for items in taken.values():
            for item in items:
                self._together[item].update(items - {item})

    def scores(self, history: Sequence[str]) -> dict[str, float]:
        """The score of every item."""
        total = sum(self._count.values())
        found = {item: _POPULARITY * self._count[item] / total for item in self.items}
        for known in history:
            if known not in self._together:
                raise UnknownItemError(f"the history names the item {known!r}, which is not of the catalogue")
            for item, times in self._together[known].items():
                found[item] += times / (self._count[known] * self._count[item]) ** 0.5
        return found


class RankingServer(ThreadingHTTPServer):
    """Answers `POST /rank`."""

    daemon_threads = True

    def __init__(self, port: int, model: ItemCosine) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.model = model


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RankingServer

    def do_POST(self) -> None:
        try:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/rank":
                self._send(404, {"error": "post to /rank"})
                return
            self._send(200, {"users": [self._answer(user, question["k"]) for user in question["users"]]})
        except (UnknownItemError, KeyError, TypeError, ValueError) as error:
            self._send(400, {"error": f"{type(error).__name__}: {error}"})

    def _answer(self, user: dict[str, Any], k: int | None) -> dict[str, Any]:
        found = sorted(self.server.model.scores(user["history"]).items(), key=lambda pair: -pair[1])[:k]
        return {
            "user_id": user["user_id"],
            "items": [item for item, _ in found],
            "scores": [score for _, score in found],
        }

    def _send(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing of single requests."""


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="\n") as file:
        return [line.rstrip("\n").split("\t") for line in file][1:]


def main() -> None:
    """Serve until interrupted."""
    options = argparse.ArgumentParser(description="A small service that ranks, for http_service.py.")
    options.add_argument("folder", type=Path, metavar="FOLDER/split", help="what export_split made")
    options.add_argument("--port", type=int, default=8900, help="0 takes a free one")
    chosen = options.parse_args()
    with RankingServer(chosen.port, ItemCosine(chosen.folder)) as server:
        print(f"listening on http://127.0.0.1:{server.server_port}/rank", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
