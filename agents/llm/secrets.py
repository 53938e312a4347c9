"""Secrets taken out of what others write, however they spell them."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Cleaner:
    """Puts `[key]` in the place of every secret: as it is, as in a URL (%2F), in JSON, in a repr, in HTML."""

    def __init__(self, secrets: Iterable[str]) -> None:
        spelled = [_spellings(secret) for secret in sorted(secrets, key=len, reverse=True) if secret]
        self._spelled = re.compile("|".join(spelled)) if spelled else None

    def __call__(self, text: str) -> str:
        """The text without them."""
        return text if self._spelled is None else self._spelled.sub("[key]", text)


def _spellings(secret: str) -> str:
    """A regular expression; letters, digits and what URLs leave alone are spelled in one way, so it searches fast."""
    return "".join(
        re.escape(part) if re.fullmatch(r"[\w.~-]+", part) else _spellings_of_sign(part)
        for part in re.findall(r"[\w.~-]+|.", secret, re.ASCII | re.DOTALL)
    )


def _spellings_of_sign(sign: str) -> str:
    code = f"{ord(sign):02x}"
    escaped = html.escape(sign)
    as_html = "" if escaped == sign else rf"|{re.escape(escaped)}"
    return (  # the sign itself last: in "%25" it is the first of three
        rf"(?:(?i:%{code}|\\+x{code}|\\+u00{code}|&#x{code};)|&#{ord(sign)};"
        rf"{as_html}|\\*{re.escape(sign)})"
    )
