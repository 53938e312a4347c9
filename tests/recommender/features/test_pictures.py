import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from recommender.features.encoded import UnreadableError
from recommender.features.pictures import decode_picture, read_picture_file

RED = (200, 30, 30)


def saved(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def middle(raw):
    picture = decode_picture(raw)
    assert picture.mode == "RGB"
    return picture.getpixel((picture.width // 2, picture.height // 2))


def near(colour, expected, by=6):
    return np.abs(np.subtract(colour, expected)).max() <= by


def plain(mode="RGB", colour=RED, size=(20, 30)):
    return Image.new("RGB", size, colour).convert(mode, palette=Image.Palette.ADAPTIVE)


@pytest.mark.parametrize(
    "raw",
    [
        saved(plain(), "JPEG", quality=95),
        saved(plain("CMYK"), "JPEG", quality=95),
        saved(plain("CMYK"), "TIFF"),
        saved(plain("P")),
        saved(plain("P"), "GIF"),
        saved(plain("RGBA")),
        saved(plain(), "WEBP", lossless=True),
        saved(plain(), "BMP"),
    ],
    ids=["jpeg", "cmyk jpeg", "cmyk tiff", "palette", "gif", "alpha", "webp", "bmp"],
)
def test_the_same_colour_whatever_the_file(raw):
    assert near(middle(raw), RED)


@pytest.mark.parametrize(
    ("picture", "grey"),
    [
        (Image.new("L", (9, 9), 100), 100),
        (Image.new("1", (9, 9), 1), 255),
        (Image.fromarray(np.full((9, 9), 100 * 257, dtype=np.uint16)), 100),  # not cut off to white
    ],
    ids=["8 bits", "1 bit", "16 bits"],
)
def test_grey_of_any_depth(picture, grey):
    assert middle(saved(picture)) == (grey, grey, grey)


def test_transparency_is_over_white_and_not_whatever_colour_lies_beneath():
    clear = Image.new("RGBA", (9, 9), (0, 0, 0, 0))
    assert middle(saved(clear)) == (255, 255, 255)
    half = Image.new("RGBA", (9, 9), (0, 0, 0, 128))
    assert near(middle(saved(half)), (127, 127, 127), by=1)
    palette = Image.new("P", (9, 9), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    assert middle(saved(palette, transparency=0)) == (255, 255, 255)
    assert middle(saved(Image.new("LA", (9, 9), (0, 0)))) == (255, 255, 255)


def test_of_an_animation_the_first_frame_is_taken():
    raw = saved(plain("P"), "GIF", save_all=True, append_images=[plain(colour=(0, 0, 255))])
    assert near(middle(raw), RED)


def test_a_photo_that_says_it_lies_on_its_side_is_turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode_picture(saved(plain(size=(20, 30)), "JPEG", exif=exif)).size == (30, 20)


def bomb(width, height):
    """A PNG of a few bytes that claims to be of any size."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 99))
        + chunk(b"IEND", b"")
    )


NOISE = Image.effect_noise((64, 64), 80)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not a picture"),
        (b"<html>404 not found</html>", "not a picture"),
        (b"\xff\xd8\xff", "not a picture"),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
            "not a picture",
        ),  # would start another program
        (saved(NOISE, "JPEG")[:-200], "cut short"),
        (saved(NOISE)[:-200], "cut short"),
        (bomb(60_000, 60_000), "more than 50 million pixels"),
        (bomb(8_000, 8_000), "more than 50 million pixels"),
        (bomb(100, 100), "cut short|damaged"),
        (saved(Image.new("F", (9, 9), 0.5), "TIFF"), "real numbers"),
    ],
    ids=["empty", "html", "3 bytes", "eps", "jpeg", "png", "huge bomb", "bomb", "lying", "float"],
)
@pytest.mark.filterwarnings("error")
def test_what_is_no_picture_is_refused_with_its_reason(raw, reason):
    with pytest.raises(UnreadableError, match=reason):
        decode_picture(raw)


@given(st.data())
def test_damaged_bytes_give_a_picture_or_a_reason_and_nothing_else(data):
    raw = bytearray(data.draw(st.sampled_from(WHOLE)))
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        picture = decode_picture(bytes(raw))
    except UnreadableError:
        return
    assert picture.mode == "RGB"


WHOLE = [saved(NOISE, kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")]


def test_files_that_cannot_be_pictures_are_refused_before_they_are_read(tmp_path, monkeypatch):
    def reason(path):
        with pytest.raises(UnreadableError) as caught:
            read_picture_file(path)
        return str(caught.value)

    (tmp_path / "empty.jpg").touch()
    with (tmp_path / "large.jpg").open("wb") as file:
        file.truncate(65 * 2**20)
    assert reason(tmp_path / "none.jpg") == "no such file"
    assert reason(tmp_path) == "not a file"
    assert reason(tmp_path / "empty.jpg") == "empty file"
    assert reason(tmp_path / "large.jpg") == "larger than 64 MiB"
    assert (
        "cannot be read" in reason(tmp_path / "a\0b.jpg") or reason(tmp_path / "a\0b.jpg") == "no such file"
    )
