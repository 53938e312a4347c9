"""Pictures of items in a folder: one file an item, named by its id."""

from __future__ import annotations

import io
import os
import struct
from typing import TYPE_CHECKING
from urllib.parse import quote

from PIL import Image, UnidentifiedImageError

from recommender.data.dataset import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

EXTENSIONS = ("jpg", "jpeg", "png", "webp", "gif")
"""Of the pictures that are found, the first of them if an item has several."""
_OPENED = ("JPEG", "PNG", "WEBP", "GIF")
_EXTENSION = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif"}
_MOST_PIXELS = 40_000_000
"""A poster has less than one million; more is an error of the source, or meant to fill memory."""


class PictureError(ValueError):
    """These bytes are no picture that can be used; the message says why."""


def file_stem(item_id: str) -> str:
    """The name of an item's picture without extension: its id, whatever is no letter, digit or one of "_.-~" as %XX."""
    return quote(item_id, safe="", errors="surrogatepass")


def local_images(folder: Path, item_ids: Sequence[str]) -> list[Path | None]:
    """For each item the file `ID.jpg`, `.jpeg`, `.png`, `.webp` or `.gif` of `folder` (id as `file_stem`), or None.

    Raises DataError if there is no such folder. The files are not opened.
    """
    rank = {extension: place for place, extension in enumerate(EXTENSIONS)}
    found: dict[str, tuple[int, str]] = {}
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.is_file()]
    except OSError as error:
        raise DataError(f"{folder}: no folder of pictures: {error.strerror}") from error
    for name in names:
        stem, _, extension = name.rpartition(".")
        place = rank.get(extension.lower())
        if place is not None and (stem not in found or (place, name) < found[stem]):
            found[stem] = (place, name)
    matches = (found.get(file_stem(item)) for item in item_ids)
    return [None if match is None else folder / match[1] for match in matches]


def picture_extension(raw: bytes) -> str:
    """The extension of what `raw` really is, after all of it was decoded; PictureError if it is no usable picture."""
    try:
        with Image.open(io.BytesIO(raw), formats=_OPENED) as picture:
            width, height = picture.size
            picture.verify()
        if width * height <= _MOST_PIXELS:
            with Image.open(io.BytesIO(raw), formats=_OPENED) as picture:  # verify() leaves it unusable
                picture.load()
                return _EXTENSION[str(picture.format)]
    except UnidentifiedImageError:
        raise PictureError("no JPEG, PNG, WebP or GIF") from None
    except Image.DecompressionBombError as error:
        raise PictureError(str(error)) from error
    # What Pillow's decoders raise on damaged files: they promise no single type.
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error) as error:
        raise PictureError(f"a damaged picture ({error})") from error
    raise PictureError(f"{width} x {height} pixels, more than {_MOST_PIXELS:,}")
