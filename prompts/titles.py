"""Text of strangers (titles, names) made safe to be listed in a prompt.

Whoever adds an item to a catalogue writes its title, so a title may try to speak as the prompt or as the answer.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# What takes no room on the screen but splits words for a reader of characters: format characters are found by
# their category, these others are marks and letters that render as nothing.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_SPACE = re.compile(r"\s+")
_ANCHOR = re.compile(
    r"\bmy[\W_]+(?:final[\W_]+)?ranking\b(?:[\W_]+as\b)?"
    r"|\b(?:would|will|do|d|ll)[\W_]+(?:not[\W_]+)?(?:accept|reject)\b(?:[\W_]+these[\W_]+recommendations?\b)?"
    r"|\b(?:accept|reject)[\W_]+these[\W_]+recommendations?\b",
    re.IGNORECASE,
)
"""The phrases by which a reply is read; a title that holds one could answer in the user's place."""
_NUMBER = re.compile(r"\[\s*(\d+)\s*\]")
_THINK = re.compile(r"<\s*(/?)\s*(think\w*)\s*>", re.IGNORECASE)
_FENCE = re.compile("`{3,}|~{3,}")
_REMOVED = "(removed)"


@lru_cache(maxsize=1 << 16)
def inline(text: str) -> str:
    """One harmless line of a stranger's text, as it may stand in a list of a prompt.

    Line breaks become spaces; control, zero-width and direction characters go; phrases that anchor an answer are
    replaced by "(removed)", numbers in square brackets get round ones, reasoning tags and code fences are defused.
    An ordinary title comes back as it is, and `inline(inline(t)) == inline(t)`. Compare replies with this text, since
    it is what the model was shown.
    """
    visible = "".join(
        " " if char.isspace() or unicodedata.category(char) in {"Zl", "Zp"} else char
        for char in text
        if char.isspace() or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
    )
    line = _SPACE.sub(" ", _INVISIBLE.sub("", visible)).strip()
    # Look-alikes (full-width letters, stray accents) would pass a plain search and still be read as the phrase.
    plain = _without_marks(line)
    if plain != line and any(pattern.search(plain) for pattern in (_ANCHOR, _NUMBER, _THINK, _FENCE)):
        line = _SPACE.sub(" ", plain).strip()
    line = _ANCHOR.sub(_REMOVED, line)
    line = _NUMBER.sub(r"(\1)", line)
    line = _THINK.sub(r"(\1\2)", line)
    return _FENCE.sub("'''", line)


def _without_marks(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFKC", "".join(c for c in decomposed if not unicodedata.combining(c)))
