"""What can happen to any file, whatever is in it: on its way, on the disk, in an editor."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

from benchmarks.broken import faults, shop
from benchmarks.broken.cases import Counted, Refused, Whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.broken.cases import Case

TEXTS = (
    shop.ML_1M,
    shop.ML_100K,
    shop.ML_20M,
    shop.ATOMIC,
    shop.CSV,
    shop.AMAZON_2014,
    shop.AMAZON_2023,
    shop.TAOBAO,
)
_LINE_BY_LINE = (shop.AMAZON_2014, shop.AMAZON_2023, shop.TAOBAO)
_LINE = 2_000
_NOISE = random.Random(0).randbytes(50_000)
_WEB_PAGE = b"<!doctype html>\n<html><body>\n<h1>404 Not Found</h1>\n</body></html>\n"
_HARMLESS = {
    "byte order mark": faults.changed(lambda content: b"\xef\xbb\xbf" + content),
    "line ends of Windows": faults.changed(lambda content: content.replace(b"\n", b"\r\n")),
    "no line end at the end": faults.changed(lambda content: content.removesuffix(b"\n")),
    "blank lines": faults.changed(lambda content: content.replace(b"\n", b"\n\n", 2_000) + b"\n\n\n"),
}
_OTHER_KIND = r"not UTF-8|cells where|not a column|no column|cannot be used"
_USELESS = {
    "UTF-16": (faults.changed(lambda content: content.decode().encode("utf-16")), _OTHER_KIND),
    "noise": (faults.content(_NOISE), _OTHER_KIND),
    "web page of an error": (faults.content(_WEB_PAGE), _OTHER_KIND),
    "gzip under another name": (faults.packed, _OTHER_KIND),
    "zeros only": (faults.content(bytes(50_000)), "cut short|not a column|no column"),
    "zeros at the end": (faults.changed(lambda content: content[:-5_000] + bytes(5_000)), "cut short"),
    "cut inside the last line": (faults.changed(lambda content: content[:-12]), "cut short"),
    "empty file": (faults.content(b""), "empty|holds no"),
    "blank lines only": (faults.content(b"\n" * 9_999), "empty|holds no"),
    "folder in place of a file": (faults.folder, "Is a directory"),
    "named pipe": (faults.pipe, "pipe"),
    "endless device": (faults.endless, "device"),
}
_MISSING = {
    "no such file": faults.removed,
    "empty folder": faults.emptied_folder,
    "link to itself": faults.link_to_itself,
}
_BAD_LINES = {
    "a line that is not UTF-8": b"caf\xe9",
    "a line of zeros": bytes(512),
    "a line of noise": _NOISE[:99].replace(b"\n", b"").replace(b"\r", b""),
}


def cases() -> Iterator[Case]:
    """Each of these, for the log of each reader of text."""
    for form in TEXTS:
        for kind, fault in _HARMLESS.items():
            for file in form.files:
                yield form.case(kind, fault, Whole(), file)
        for kind, (fault, says) in _USELESS.items():
            yield form.case(kind, fault, Refused(form.log, says))
        for kind, fault in _MISSING.items():
            yield form.case(kind, fault, Refused("data", "no such file|should hold|levels of symbolic links"))
        for kind, line in _BAD_LINES.items():
            yield form.case(kind, faults.inserted(_LINE, line), Counted(f"{form.log}:{_LINE}:", 1))
        # What reads line by line can go on behind it; what reads blocks of lines cannot.
        too_long = (
            Counted(f"{form.log}:{_LINE}: a line of more than", 1)
            if form in _LINE_BY_LINE
            else Refused(form.log, "longer than", _LINE)
        )
        yield form.case("line of 100 MB", faults.inserted(_LINE, b"1" * 10**8), too_long, slow=True)
        if os.geteuid():
            yield form.case("no permission", faults.forbidden, Refused(form.log, "cannot be read"))
