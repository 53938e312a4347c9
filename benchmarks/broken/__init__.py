"""The corpus of `benchmarks.broken_files`: files that are broken on purpose, and what has to become of each."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from benchmarks.broken import any_file, archives, described, kept, lines, pictures, reviews

if TYPE_CHECKING:
    from benchmarks.broken.cases import Case


def corpus() -> list[Case]:
    """All cases."""
    return list(chain.from_iterable(part.cases() for part in PARTS))


PARTS = (any_file, lines, reviews, described, archives, pictures, kept)
"""Modules of cases."""
