"""Estimated token counts: the same on every machine, so that nothing that depends on them can change a replay."""

from __future__ import annotations

import math

_CHARACTERS_PER_TOKEN = 2.8
"""Measured on these prompts, which are lists of names; running prose has about 4."""


def estimate_tokens(text: str) -> int:
    """About how many tokens `text` has; always to be shown as approximate."""
    return math.ceil(len(text) / _CHARACTERS_PER_TOKEN)
