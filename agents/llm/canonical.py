"""One way to write a JSON value, so that equal values have equal bytes and equal hashes."""

from __future__ import annotations

import json

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def canonical_json(value: object) -> str:
    """Sorted keys, no spaces, ASCII only.

    ASCII because a reply may hold a lone surrogate, which UTF-8 cannot. Raises TypeError for what JSON has no
    form for and ValueError for NaN and infinities.
    """
    return _ENCODER.encode(value)
