"""From the bytes of a picture to RGB pixels, whoever made the file; what is no picture is refused with its reason."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from recommender.features.encoded import UnreadableError

if TYPE_CHECKING:
    from pathlib import Path

_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
"""What catalogues use. Pillow reads many more, some by running other programs."""
_MOST_BYTES = 64 * 2**20
_MOST_PIXELS = 50_000_000
"""More is no product picture but an attack or a mistake; Pillow itself stops only at 179 million."""


def read_picture_file(path: Path) -> bytes:
    """The bytes of a file that may be a picture; UnreadableError if it is not there, no file, empty or too large."""
    try:
        if not path.exists():
            raise UnreadableError("no such file")
        if not path.is_file():
            raise UnreadableError("not a file")
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise UnreadableError(f"larger than {_MOST_BYTES // 2**20} MiB")
        if not size:
            raise UnreadableError("empty file")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path with a zero character
        raise UnreadableError(f"cannot be read: {error}") from error


def decode_picture(raw: bytes) -> Image.Image:
    """The picture (of an animation the first frame) as RGB, turned the right way up, transparency over white.

    UnreadableError for what is no picture, cut short, damaged, or of more than 50 million pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large or odd files: refused here, or read all the same
            with Image.open(io.BytesIO(raw), formats=_FORMATS) as picture:
                _refuse_large(picture)
                picture.load()
                return _rgb(ImageOps.exif_transpose(picture))
    except UnreadableError:
        raise
    except Image.DecompressionBombError as error:
        raise UnreadableError(f"more than {_MOST_PIXELS // 10**6} million pixels") from error
    except UnidentifiedImageError as error:
        raise UnreadableError("not a picture") from error
    except Exception as error:  # decoders raise anything on damaged bytes; every reason is recorded
        cut = "truncated" in str(error)
        raise UnreadableError("cut short" if cut else f"damaged: {type(error).__name__}") from error


def _refuse_large(picture: Image.Image) -> None:
    """By what the header says, before memory is taken for the pixels."""
    if picture.width * picture.height > _MOST_PIXELS:
        raise UnreadableError(f"more than {_MOST_PIXELS // 10**6} million pixels")


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode == "F":
        raise UnreadableError("pixels are real numbers of an unknown range")
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        # 16 bits a pixel; Pillow's own conversion would cut off all above 255 and leave a white sheet.
        grey = np.asarray(picture).astype(np.int64).clip(0, 65535) // 257
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        over = picture.convert("RGBA")
        sheet = Image.new("RGBA", over.size, "white")
        return Image.alpha_composite(sheet, over).convert("RGB")
    return picture.convert("RGB")
