"""Bytes that should be UTF-8, given on as bytes that are: a reader in C stops at the first that are not."""

from __future__ import annotations

import codecs
import io
import re

SUBSTITUTE = "\x1a"
"""ASCII's sign for a character that was lost; one for each byte that is no part of UTF-8."""
_LOST = re.compile("[\udc80-\udcff]")


class Utf8Stream(io.BufferedIOBase):
    """The bytes of `raw`, which it closes, with SUBSTITUTE for each that is no part of a character in UTF-8."""

    def __init__(self, raw: io.BufferedIOBase) -> None:
        self._raw = raw
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self.substituted = False
        """Whether any was substituted so far."""

    def readable(self) -> bool:
        """True."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes (all if it is negative or None), and none at the end only."""
        while True:
            begun = len(self._decoder.getstate()[0])
            raw = self._raw.read(-1 if size is None or size < 0 else max(size - begun, 1))
            if not begun and raw.isascii():
                return raw
            text = self._decoder.decode(raw, final=not raw)
            try:
                valid = text.encode()
            except UnicodeEncodeError:
                self.substituted = True
                valid = _LOST.sub(SUBSTITUTE, text).encode()
            if valid or not raw:
                return valid

    def close(self) -> None:
        """Close `raw` too."""
        self._raw.close()
        super().close()
