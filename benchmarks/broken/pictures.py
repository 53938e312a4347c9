"""Pictures that are none, and what stands beside a data set: texts by item, folders of pictures, downloads of them."""

from __future__ import annotations

import io
import json
import struct
import threading
import zlib
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from PIL import Image

from benchmarks.broken import faults, shop
from benchmarks.broken.cases import Case, Counted, Read, Refused, Whole
from recommender.data import load
from recommender.data.content import with_images, with_texts
from recommender.data.download import Manners, fetch_images
from recommender.data.images import PictureError, picture_extension

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.broken.cases import Sandbox


def _picture(kind: str, **options: Any) -> bytes:
    """A small picture that does not compress."""
    raw = io.BytesIO()
    Image.effect_noise((64, 96), 90).save(raw, kind, **options)
    return raw.getvalue()


def _png(width: int, height: int, packed: bytes, *more: bytes) -> bytes:
    """A PNG that says of itself what it likes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def _text_chunk_bomb() -> bytes:
    data = b"Comment\0\0" + zlib.compress(bytes(100 << 20), 9)
    return struct.pack(">L", len(data)) + b"zTXt" + data + struct.pack(">L", zlib.crc32(b"zTXt" + data))


_JPEG, _PNG, _GIF, _WEBP = (_picture(kind) for kind in ("JPEG", "PNG", "GIF", "WEBP"))
_SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/hostname'/></svg>"
_NONE = {
    "picture of no bytes": b"",
    "web page named .jpg": b"<!doctype html>\n<h1>404 Not Found</h1>\n",
    "text named .jpg": b"no picture at all",
    "zip named .jpg": b"PK\3\4" + bytes(400),
    "noise named .jpg": b"\xff\xd8" + b"\xa5" * 9_999,
    "SVG": _SVG,
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(called) (w) file\n",
    "PDF": b"%PDF-1.4\n",
    "BMP": _picture("BMP"),
    "TIFF": _picture("TIFF"),
    "JPEG cut short": _JPEG[: len(_JPEG) // 2],
    "JPEG of a header": _JPEG[:40],
    "JPEG without its beginning": _JPEG[30:],
    "PNG cut short": _PNG[: len(_PNG) // 2],
    "PNG with a changed byte": _PNG[:200] + bytes([_PNG[200] ^ 1]) + _PNG[201:],
    "GIF cut short": _GIF[: len(_GIF) // 2],
    "WebP cut short": _WEBP[: len(_WEBP) // 2],
    "picture of no pixels": _png(0, 0, zlib.compress(b"")),
    "picture of too few pixels": _png(64, 64, zlib.compress(bytes(90))),
    "picture that says 30,000 x 30,000 pixels": _png(30_000, 30_000, zlib.compress(bytes(900))),
    "picture that says 6,500 x 6,500 pixels": _png(6_500, 6_500, zlib.compress(bytes(6_501 * 6_500))),
    "picture with a bomb in its comment": _png(8, 8, zlib.compress(bytes(72)), _text_chunk_bomb()),
    "picture without end": _picture("PNG")[:-12],
}
_REAL = {
    "PNG named .jpg": _PNG,
    "picture with something behind it": _JPEG + bytes(99),
    "JPEG in grey": _JPEG,
    "moving picture": _picture("GIF", save_all=True, append_images=[Image.new("L", (64, 96))]),
}
_SOME = 3
"""Pictures of each kind in a folder that is downloaded."""


def cases() -> Iterator[Case]:
    """Each of these: as bytes, in a download of pictures, as a folder or a table beside a data set."""
    for kind, raw in _NONE.items():
        refused = Refused("", "no JPEG, PNG, WebP or GIF|pixels", error=PictureError)
        yield Case(kind, "picture", refused, _nothing, partial(_decoded, raw))
    for kind, raw in _REAL.items():
        yield Case(kind, "picture", Whole(), _nothing, partial(_decoded, raw))
    ...
