"""Nested JSON as dotted keys and values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Each value that is no mapping (or an empty one), nor a list of mappings, under its dotted key, in order."""
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        value = dict(enumerate(value, start=1))
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaves(inner, f"{key}.{name}" if key else str(name))
    else:
        yield key, value
