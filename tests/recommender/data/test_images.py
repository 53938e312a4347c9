import io
import random
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from recommender.data import DataError
from recommender.data.images import PictureError, file_stem, local_images, picture_extension


def picture(form, size=(8, 6), **how):
    raw = io.BytesIO()
    Image.frombytes("RGB", size, random.Random(0).randbytes(size[0] * size[1] * 3)).save(raw, form, **how)
    return raw.getvalue()


def test_each_item_finds_its_own_file(tmp_path):
    for name in ("1.jpg", "2.PNG", "10.webp", "a%2Fb.gif", "v1.2.jpeg", "3.txt", "4.jpg.part", "5"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "6.jpg").mkdir()
    items = ["1", "2", "10", "a/b", "v1.2", "3", "4", "5", "6", "", "a%2Fb", "x" * 5000]
    found = [None if path is None else path.name for path in local_images(tmp_path, items)]
    assert found == ["1.jpg", "2.PNG", "10.webp", "a%2Fb.gif", "v1.2.jpeg", *[None] * 7]


def test_of_several_files_always_the_same_is_taken(tmp_path):
    for name in ("1.gif", "1.png", "1.jpeg", "1.JPG", "1.jpg"):
        (tmp_path / name).write_bytes(b"x")
    assert local_images(tmp_path, ["1"])[0].name == "1.JPG"


def test_no_folder_is_an_error_and_not_a_lack_of_pictures(tmp_path):
    with pytest.raises(DataError, match="nowhere: no folder of pictures"):
        local_images(tmp_path / "nowhere", ["1"])


@given(st.text())  # half surrogate pairs too: JSON can hold them
def test_no_id_names_another_place(item):
    stem = file_stem(item)
    assert "/" not in stem
    assert "\\" not in stem
    assert "\0" not in stem


@given(st.lists(st.text(max_size=8), unique=True, max_size=5))
def test_two_ids_never_share_a_name(items):
    assert len({file_stem(item) for item in items}) == len(items)


@pytest.mark.parametrize(
    ("form", "extension"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"), ("GIF", "gif"), ("MPO", "jpg")]
)
def test_the_extension_is_of_what_it_is(form, extension):
    how = {"save_all": True, "append_images": [Image.new("RGB", (8, 6))]} if form == "MPO" else {}
    assert picture_extension(picture(form, **how)) == extension


def enormous_png():
    """A few hundred bytes that say they are 30,000 x 30,000 pixels."""

    def chunk(kind, data):
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

    header = struct.pack(">LLBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(900)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>no such picture</html>",
        picture("JPEG", (64, 64))[:-400],
        picture("PNG", (64, 64))[:-400],
        picture("GIF", (64, 64))[:-400],
        picture("WEBP", (64, 64))[:-400],
        picture("PNG")[:30],
        picture("JPEG")[:3],
        picture("BMP"),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        enormous_png(),
    ],
    ids="empty html jpeg-cut png-cut gif-cut webp-cut png-head jpeg-head bmp svg bomb".split(),
)
def test_what_is_no_whole_picture_is_refused(raw):
    with pytest.raises(PictureError) as caught:
        picture_extension(raw)
    assert "object at 0x" not in str(caught.value)  # what is recorded is the same each time


def test_many_pixels_are_refused_before_they_are_decoded(monkeypatch):
    monkeypatch.setattr("recommender.data.images._MOST_PIXELS", 47)
    with pytest.raises(PictureError, match="8 x 6 pixels"):
        picture_extension(picture("PNG"))
