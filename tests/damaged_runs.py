"""Files of a run changed on purpose."""

from __future__ import annotations

import hashlib
import json


def edited(path, change):
    """Put `change(lines)` in the place of a file's lines."""
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


def sealed_call(line, **changes):
    """A line of calls.jsonl with other fields and the hash that fits them."""
    fields = {**json.loads(line), **changes}
    fields.pop("sha256")
    payload = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(payload.encode()).hexdigest()
    return f'{payload[:-1]},"sha256":"{digest}"}}\n'.encode()


def turn_with(line, **changes):
    """A line of turns.jsonl with other fields."""
    return (json.dumps({**json.loads(line), **changes}, separators=(",", ":")) + "\n").encode()
