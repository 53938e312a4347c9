"""Pictures that are none, and what stands beside a data set: texts by item, folders of pictures, downloads of them."""

from __future__ import annotations

import io
import struct
import threading
import zlib
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from PIL import Image

from benchmarks.broken import faults, shop
from benchmarks.broken.cases import Case, Counted, Read, Refused, Whole
from recommender.data import load
from recommender.data.content import with_images, with_texts
from recommender.data.download import Manners, fetch_images
from recommender.data.images import PictureError, local_images, picture_extension

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

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
    "moving picture": _picture("GIF", save_all=True, append_images=[Image.new("L", (64, 96))]),
}
_TEXTS = b"item,plot,director\n" + b"".join(
    b'%d,"Plot, of %d",Someone\n' % (k, k) for k in range(1, shop.SIZE + 1)
)
_LINE = 700
_BAD_TEXTS = {
    "empty file": (faults.content(b""), "empty"),
    "header only": (faults.content(b"item,plot\n"), "has none of the items"),
    "one column": (faults.content(b"item\n1\n2\n"), "one column only"),
    "no header": (faults.changed(lambda content: content.partition(b"\n")[2]), "should name the columns"),
    "texts of other items": (faults.everywhere(b',"Plot', b'x,"Plot'), "has none of the items"),
    "other separator": (faults.everywhere(b",", b";"), "one column only"),
    "column named twice": (faults.header(b"item,plot,plot"), "named twice"),
    "UTF-16": (faults.changed(lambda content: content.decode().encode("utf-16")), "not UTF-8"),
    "quotation mark left open": (faults.inserted(_LINE, b'9999,"Plot,x'), "quotation mark"),
    "cut inside the last line": (faults.changed(lambda content: content[:-9]), "cut short"),
    "no such file": (faults.removed, "no such file"),
    "folder in place of a file": (faults.folder, "Is a directory"),
    "named pipe": (faults.pipe, "pipe"),
    "endless device": (faults.endless, "device"),
}
_BAD_TEXT_LINES = {
    "too few cells": b"9999,Plot",
    "too many cells": b"9999,Plot, of 9999,Someone",
    "empty id": b",Plot,Someone",
    "id that stands twice in its table": b"7,Other,Someone",
    "a line that is not UTF-8": b"9999,Caf\xe9,Someone",
    "a line of zeros": bytes(99),
}


def cases() -> Iterator[Case]:
    """Each of these: as bytes, in a download of pictures, as a folder or a table beside a data set."""
    for kind, raw in _NONE.items():
        refused = Refused("", "no JPEG, PNG, WebP or GIF|damaged|pixels", error=PictureError)
        yield _beside(kind, "picture", refused, {}, partial(_decoded, raw))
    for kind, raw in _REAL.items():
        yield _beside(kind, "picture", Whole(), {}, partial(_decoded, raw))
    bad = {f"bad{n}": raw for n, raw in enumerate(_NONE.values())}
    counted = Counted(f"not an image: {len(bad)}", malformed=len(bad))
    yield _downloaded("pictures that are none among good ones", counted, bad)
    yield _downloaded(
        "ids that lead out", Whole(), {}, good=("../canary/evil", "/evil", "..", "a\\b", "caf\u00e9", "a\0b")
    )
    yield _downloaded(
        "broken picture that is there already", Whole(), {}, before={"good1.jpg": b"no picture"}
    )
    for kind, line in (("noise", b"\xa5"), ("a list", b"[]"), ("another object", b'{"a": 1}')):
        before = {"outcomes.jsonl": line + b"\n"}
        refused = Refused("outcomes.jsonl", "delete this line", 1)
        yield _downloaded(f"record of outcomes of {kind}", refused, {}, before=before)
    half = {"outcomes.jsonl": b'{"item": "good1", "ur'}
    yield _downloaded("record of outcomes cut inside a line", Whole(), {}, before=half)
    for kind, (fault, says) in _BAD_TEXTS.items():
        yield _told(kind, fault, Refused("texts.csv", says))
    for kind, line in _BAD_TEXT_LINES.items():
        yield _told(kind, faults.inserted(_LINE, line), Counted(f"texts.csv:{_LINE}: ", 1))
    yield _told("byte order mark", faults.changed(lambda content: b"\xef\xbb\xbf" + content), Whole())
    yield _told("line ends of Windows", faults.everywhere(b"\n", b"\r\n"), Whole())
    yield _told("line ends in cells", faults.everywhere(b", of", b",\n of"), Whole())
    for kind, files, says in (
        ("no folder of pictures", None, "no folder of pictures"),
        ("folder of no pictures", {}, "a picture of none of the items"),
        ("folder of other files", {"1.txt": b"", "2.svg": _SVG}, "a picture of none of the items"),
        ("folder of pictures of other items", {"x1.jpg": _JPEG}, "a picture of none of the items"),
    ):
        yield _shown(kind, Refused("pictures", says), files)
    yield _shown("extensions in capitals", Whole(), {f"{k}.JPG": _JPEG for k in range(1, shop.SIZE + 1)})


def _beside(
    kind: str,
    entry: str,
    expects: Refused | Counted | Whole,
    files: dict[str, bytes],
    read: Callable[[Sandbox], Read],
    fault: faults.Fault | None = None,
) -> Case:
    """`files`, if any, are those of a data set and what is beside it; the last one is broken by `fault`."""

    def prepare(sandbox: Sandbox) -> None:
        for name, content in files.items():
            path = sandbox.data / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            if fault is not None and name == [*files][-1]:
                fault(path)
        if files:  # so that nothing but what is beside the data set is new to the cache
            load("ml-1m", sandbox.data)

    return Case(kind, entry, expects, prepare, read)


def _decoded(raw: bytes, _sandbox: Sandbox) -> Read:
    return Read(missing=int(not picture_extension(raw)))


def _told(kind: str, fault: faults.Fault, expects: Refused | Counted | Whole) -> Case:
    return _beside(
        kind, "texts of items", expects, {**shop.ML_1M.files, "texts.csv": _TEXTS}, _with_texts, fault
    )


def _with_texts(sandbox: Sandbox) -> Read:
    dataset = with_texts(load("ml-1m", sandbox.data), sandbox.data / "texts.csv")
    texts = [" ".join(text.split()) for text in dataset.items["description"]]
    return Read(
        missing=sum(text != f"Plot, of {k} Someone" for k, text in enumerate(texts, 1)),
        malformed=sum(each.count for each in dataset.skipped),
        first=dataset.skipped[0].first[0] if dataset.skipped else "",
    )


def _shown(kind: str, expects: Refused | Whole, pictures: Mapping[str, bytes] | None) -> Case:
    files = {f"pictures/{name}": content for name, content in (pictures or {}).items()}
    if pictures == {}:
        files = {"pictures/.empty": b""}
    return _beside(kind, "pictures of items", expects, {**shop.ML_1M.files, **files}, _with_images)


def _with_images(sandbox: Sandbox) -> Read:
    dataset = with_images(load("ml-1m", sandbox.data), sandbox.data / "pictures")
    return Read(missing=sum(image is None for image in dataset.items["image"]))


def _downloaded(
    kind: str,
    expects: Refused | Counted | Whole,
    bad: Mapping[str, bytes],
    good: Sequence[str] = (),
    before: Mapping[str, bytes] | None = None,
) -> Case:
    """A download of some good pictures and the `bad` ones, by item, to a folder that has `before`."""
    contents = dict.fromkeys((*good, *(f"good{n}" for n in range(9))), _JPEG) | {**bad}

    def prepare(sandbox: Sandbox) -> None:
        for number, content in enumerate(contents.values()):
            (sandbox.data / f"{number}.jpg").write_bytes(content)
        for name, content in (before or {}).items():
            (sandbox.target / name).write_bytes(content)

    def read(sandbox: Sandbox) -> Read:
        with _serving(sandbox.data) as address:
            wanted = {item: f"{address}/{number}.jpg" for number, item in enumerate(contents)}
            report = fetch_images(wanted, sandbox.target, manners=Manners(per_host=4, delay=0))
        there = local_images(sandbox.target, list(contents))
        right = {
            item for item, path in zip(contents, there, strict=True) if path and path.read_bytes() == _JPEG
        }
        pictures = [path for path in sandbox.target.iterdir() if path.name not in ("outcomes.jsonl", ".lock")]
        return Read(
            missing=len(contents.keys() - bad.keys() - right),
            invented=len(pictures) - len(right),
            malformed=sum(report.failed.values()),
            first=str(report),
        )

    return Case(kind, "download of pictures", expects, prepare, read)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    """The address of a server of the files in `folder`, on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
