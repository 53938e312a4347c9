"""The Batch API for tests: files, and batches that run a script of statuses; part of `OpenAIServer`.

with OpenAIServer(batches=BatchServer(statuses=["validating", "in_progress", "expired"], carried_out=5)) as server:
    ...
    assert server.batches.submitted == 1
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from email import message_from_bytes
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from agents.testing.faults import Fault

    Complete = Callable[[dict[str, Any]], dict[str, Any]]

_ENDED = ("completed", "failed", "expired", "cancelled")
_LONGEST_ID = 64


@dataclass
class _Batch:
    id: str
    input_file: str
    metadata: dict[str, str]
    lines: list[dict[str, Any]]
    statuses: list[str]
    """Those that are still to come, the last for good."""
    errors: list[dict[str, Any]]
    created: float = field(default_factory=time.time)
    files: dict[str, str | None] = field(default_factory=lambda: {"output": None, "error": None})
    answered: int = 0
    failed: int = 0


class BatchServer:
    """Keeps files and batches in memory and counts what it did.

    A batch goes through `statuses`, one a look at it, and stays at the last. At an end its lines are written, in the opposite
    order: answered; or to the error file as `refuse` says (status and message for a request body); or, where it expires or
    is cancelled, not carried out beyond the first `carried_out`. `faults` are used up one a request to files and batches; what
    a request asks for is done before its connection is cut. `on_look` is called with the count of looks at batches.
    """

    def __init__(
        self,
        statuses: Sequence[str] = ("validating", "in_progress", "finalizing", "completed"),
        *,
        refuse: Callable[[dict[str, Any]], tuple[int, str] | None] = lambda body: None,
        carried_out: int | None = None,
        errors: Sequence[dict[str, Any]] = (),
        faults: Iterable[Fault | None] = (),
        most_lines: int = 50_000,
        on_look: Callable[[int], None] = lambda looks: None,
    ) -> None:
        self.statuses = list(statuses)
        self.refuse, self.carried_out, self.errors = refuse, carried_out, list(errors)
        self.most_lines, self.on_look = most_lines, on_look
        self.faults = chain(faults, repeat(None))
        self.answered: Counter[str] = Counter()
        """How often each `custom_id` was answered, and so paid for."""
        self.sizes: list[int] = []
        """Lines of each batch that was created, in order."""
        self.looks = 0
        self.requests: list[str] = []
        """Method and path of every request."""
        self._files: dict[str, bytes] = {}
        self._batches: dict[str, _Batch] = {}

    @property
    def submitted(self) -> int:
        """Batches created."""
        return len(self.sizes)

    def reply(
        self, method: str, target: str, headers: dict[str, str], content: bytes, complete: Complete
    ) -> tuple[int, str]:
        """Status and body for a request below /v1/files or /v1/batches; `complete` makes completions."""
        url = urlsplit(target)
        self.requests.append(f"{method} {url.path}")
        match [method, *url.path.removeprefix("/v1/").split("/")]:
            case ["POST", "files"]:
                return self._upload(headers, content)
            case ["GET", "files", name, "content"] if name in self._files:
                return 200, self._files[name].decode()
            case ["POST", "batches"]:
                return self._create(json.loads(content))
            case ["GET", "batches"]:
                return 200, self._list(parse_qs(url.query))
            case ["GET", "batches", name] if name in self._batches:
                batch = self._batches[name]
                self.looks += 1
                self.on_look(self.looks)
                self._advance(batch, complete)
                return 200, json.dumps(self._shown(batch))
            case ["POST", "batches", name, "cancel"] if name in self._batches:
                batch = self._batches[name]
                if batch.statuses[0] not in _ENDED:
                    batch.statuses = ["cancelling", "cancelled"]
                return 200, json.dumps(self._shown(batch))
        return _refused(404, f"no such thing: {method} {url.path}")

    def cancel_all(self) -> None:
        """Cancel what runs, as somebody at the vendor's page would."""
        for batch in self._batches.values():
            if batch.statuses[0] not in _ENDED:
                batch.statuses = ["cancelling", "cancelled"]

    def add_others(self, count: int) -> None:
        """Batches that are none of ours, newer than those there are."""
        for _ in range(count):
            name = f"batch_of_others_{len(self._batches) + 1}"
            self._batches[name] = _Batch(name, "", {"owner": "others"}, [], ["in_progress"], [])

    def _upload(self, headers: dict[str, str], content: bytes) -> tuple[int, str]:
        form = message_from_bytes(
            b"Content-Type: " + headers["content-type"].encode() + b"\r\n\r\n" + content
        )
        parts = {
            str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)
            for part in form.get_payload()
            if not isinstance(part, str)
        }
        file, purpose = parts.get("file"), parts.get("purpose")
        if not isinstance(file, bytes) or purpose != b"batch":
            return _refused(400, "a file and purpose batch are needed")
        name = f"file-{len(self._files) + 1}"
        self._files[name] = file
        return 200, json.dumps({"id": name, "object": "file", "bytes": len(file), "purpose": "batch"})

    def _create(self, asked: dict[str, Any]) -> tuple[int, str]:
        if (asked["endpoint"], asked["completion_window"]) != ("/v1/chat/completions", "24h"):
            return _refused(400, "no such endpoint or window")
        lines = [json.loads(line) for line in self._files[asked["input_file_id"]].splitlines()]
        errors = [*self.errors, *self._mistakes(lines)]
        name = f"batch_{len(self._batches) + 1}"
        statuses = ["validating", "failed"] if errors else list(self.statuses)
        batch = _Batch(name, asked["input_file_id"], asked.get("metadata") or {}, lines, statuses, errors)
        self._batches[name] = batch
        self.sizes.append(len(lines))
        return 200, json.dumps(self._shown(batch))

    def _mistakes(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What OpenAI's validation finds."""
        ids = Counter(line["custom_id"] for line in lines)
        found = [
            ("duplicate_custom_id", max(ids.values(), default=0) > 1),
            ("invalid_custom_id", any(len(name) > _LONGEST_ID for name in ids)),
            ("model_mismatch", len({line["body"]["model"] for line in lines}) > 1),
            (
                "url_mismatch",
                {(line["method"], line["url"]) for line in lines} != {("POST", "/v1/chat/completions")},
            ),
            ("too_many_tasks", len(lines) > self.most_lines),
        ]
        return [{"code": code, "message": code, "line": None} for code, is_so in found if is_so]

    def _advance(self, batch: _Batch, complete: Complete) -> None:
        if len(batch.statuses) > 1:
            del batch.statuses[0]
        if batch.statuses[0] in _ENDED and not (batch.answered or batch.failed) and not batch.errors:
            self._end(batch, complete)

    def _end(self, batch: _Batch, complete: Complete) -> None:
        ending = batch.statuses[0]
        most = len(batch.lines) if ending == "completed" else self.carried_out or 0
        written: dict[str, list[str]] = {"output": [], "error": []}
        for place, line in reversed(list(enumerate(batch.lines))):
            refused = self.refuse(line["body"])
            name = line["custom_id"]
            if place >= most:
                message = f"This request could not be executed before the batch {ending}."
                error = {"code": f"batch_{ending}", "message": message}
                written["error"].append(_line(name, None, error))
            elif refused is not None:
                status, message = refused
                body = {"error": {"message": message, "type": "test", "code": None}}
                written["error"].append(_line(name, {"status_code": status, "body": body}, None))
            else:
                self.answered[name] += 1
                batch.answered += 1
                response = {"status_code": 200, "request_id": f"r{place}", "body": complete(line["body"])}
                written["output"].append(_line(name, response, None))
        batch.failed = len(batch.lines) - batch.answered
        for kind, content in written.items():
            if content:
                batch.files[kind] = f"file-{batch.id}-{kind}"
                self._files[f"file-{batch.id}-{kind}"] = "\n".join(content).encode() + b"\n"

    def _list(self, query: dict[str, list[str]]) -> str:
        newest = list(self._batches.values())[::-1]
        names = [batch.id for batch in newest]
        start = names.index(query["after"][0]) + 1 if "after" in query else 0
        page = newest[start : start + int(query.get("limit", ["20"])[0])]
        more = start + len(page) < len(newest)
        return json.dumps({"object": "list", "data": [self._shown(each) for each in page], "has_more": more})

    def _shown(self, batch: _Batch) -> dict[str, Any]:
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "status": batch.statuses[0],
            "input_file_id": batch.input_file,
            "output_file_id": batch.files["output"],
            "error_file_id": batch.files["error"] or "",  # OpenAI has been seen to say both null and nothing
            "errors": {"object": "list", "data": batch.errors} if batch.statuses[0] == "failed" else None,
            "created_at": batch.created,
            "metadata": batch.metadata,
            "request_counts": {
                "total": len(batch.lines),
                "completed": batch.answered,
                "failed": batch.failed,
            },
        }


def _line(name: str, response: dict[str, Any] | None, error: dict[str, Any] | None) -> str:
    return json.dumps(
        {"id": f"batch_req_{name[:8]}", "custom_id": name, "response": response, "error": error}
    )


def _refused(status: int, message: str) -> tuple[int, str]:
    return status, json.dumps({"error": {"message": message, "type": "invalid_request_error", "code": None}})
