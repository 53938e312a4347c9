"""Text that is damaged: what can be read is read, what cannot is counted or refused with its place."""

import io
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.data import DataError, load, text_files
from recommender.data.skipping import Skips
from recommender.data.text_files import TextFile, read_bytes
from recommender.data.utf8 import SUBSTITUTE, Utf8Stream

_PIECES = st.sampled_from(
    [b"a", b"\n", "é".encode(), "映".encode(), "🎬".encode(), b"\xff", b"\xe6\x98", b"\x80"]
)


@given(st.lists(_PIECES | st.binary(max_size=4)).map(b"".join), st.integers(1, 9))
def test_what_is_utf8_stays_and_each_other_byte_becomes_one_sign(raw, size):
    stream = Utf8Stream(io.BufferedReader(io.BytesIO(raw)))
    pieces = list(iter(lambda: stream.read(size), b""))
    assert all(len(piece) <= max(size, 4) for piece in pieces)
    text = raw.decode("utf-8", "surrogateescape")
    wanted = "".join(SUBSTITUTE if "\udc80" <= letter <= "\udcff" else letter for letter in text)
    assert b"".join(pieces).decode() == wanted
    assert stream.substituted == (text != wanted)


GOOD = [f"{row},x{row}" for row in range(40)]


def read(path, quoted=True, names=None, separator=",", encoding="utf-8"):
    skips = Skips(path, tolerance=0.5)
    source = TextFile(path, separator, quoted=quoted, names=names, encoding=encoding)
    cells = [cell for table in source.tables(skips) for cell in table.text(source.names[-1])]
    return cells, skips.close(len(cells) + skips.left_out)


@pytest.fixture
def file(tmp_path):
    def write(*lines, start=b"", end=b"\n"):
        path = tmp_path / "cells.csv"
        path.write_bytes(
            start + b"\n".join(line.encode() if isinstance(line, str) else line for line in lines) + end
        )
        return path

    return write


@pytest.mark.parametrize("bad", [b"caf\xe9", b"1,caf\xe9", b"1,caf\xe9,2", b"\xff\xfe,\xff"])
@pytest.mark.parametrize("quoted", [True, False])
@pytest.mark.parametrize("separator", [",", "::"])
def test_a_line_that_is_not_utf8_is_counted_whatever_its_cells(file, bad, quoted, separator, capfd):
    lines = [line.replace(",", separator) for line in ["a,b", *GOOD]]
    path = file(*lines[:21], bad.replace(b",", separator.encode()), *lines[21:])
    cells, [skipped] = read(path, quoted, separator=separator)
    assert cells == [f"x{row}" for row in range(40)]
    assert (skipped.count, f"{path}:22: " in skipped.first[0]) == (1, True)
    assert capfd.readouterr().err == ""


def test_utf8_beyond_ascii_is_read_across_blocks(file, monkeypatch):
    monkeypatch.setattr(text_files, "_BLOCK", 64)
    lines = [f"{row},Amélie 映画 {row}" for row in range(99)]
    assert read(file("a,b", *lines)) == ([f"Amélie 映画 {row}" for row in range(99)], ())


def test_a_byte_order_mark_says_that_a_file_is_utf8_after_all(file):
    path = file("1::Amélie", start=b"\xef\xbb\xbf")
    assert read(path, False, ("id", "title"), "::", "latin-1")[0] == ["Amélie"]
    source = TextFile(path, "::", quoted=False, names=("id", "title"), encoding="latin-1")
    assert next(source.tables(Skips(path))).text("id") == ["1"]


@pytest.mark.parametrize("end", [b"\n41", b"\n41,x" + bytes(99), bytes(99), b"\n" + bytes(99), b'\n"41'])
@pytest.mark.parametrize("quoted", [True, False])
def test_a_file_that_ends_inside_a_line_is_refused(file, end, quoted):
    line = 41 if end.startswith(b"\0") else 42
    with pytest.raises(
        DataError, match=rf"cells\.csv:{line}: (the file ends inside a line|a quotation mark)"
    ):
        read(file("a,b", *GOOD, end=end), quoted)


def test_a_last_row_without_line_end_is_a_row(file):
    assert read(file("a,b", "1,2", "3,4", end=b""))[0] == ["2", "4"]


def test_a_line_that_is_too_long_has_its_place(file, monkeypatch):
    monkeypatch.setattr(text_files, "_BLOCK", 512)
    with pytest.raises(DataError, match=r"cells\.csv:32: the line is longer than 512 bytes"):
        read(file("a,b", *GOOD[:30], "x" * 5_000, *GOOD[30:]))


def test_a_wrong_quotation_mark_is_found_where_a_place_is_looked_for(tmp_path):
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n1,Heat (1995),Drama\n")
    (tmp_path / "ratings.csv").write_text(
        'userId,movieId,rating,timestamp\n1,1,4,7\n2,1,"4" stars,7\n3,1,4,7\n'
    )
    with pytest.raises(DataError, match=r"ratings\.csv:3: a quotation mark"):
        load("ml-20m", tmp_path)


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"]
)
def test_what_may_never_end_is_not_opened(tmp_path, make):
    make(tmp_path / "cells.csv")
    for opened in (lambda path: TextFile(path, ",", quoted=True), read_bytes):
        with pytest.raises(DataError, match=r"cells\.csv: is a pipe or a device"):
            opened(tmp_path / "cells.csv")
    (tmp_path / "Shop.jsonl").symlink_to(tmp_path / "cells.csv")
    with pytest.raises(DataError, match=r"Shop\.jsonl: is a pipe or a device"):
        load("amazon-2023", tmp_path)


def test_a_header_of_any_length_makes_a_short_message(tmp_path):
    (tmp_path / "movies.csv").write_bytes(bytes(10_000))
    with pytest.raises(DataError, match="no column 'title'") as caught:
        load("ml-20m", tmp_path)
    assert len(str(caught.value)) < 3_000
    assert "\0" not in str(caught.value)


def test_of_a_file_of_another_kind_its_lines_are_told_and_not_only_its_end(tmp_path):
    (tmp_path / "Shop.jsonl").write_bytes(np.random.default_rng(0).bytes(5_000))
    with pytest.raises(DataError, match=r"Shop\.jsonl:1: is not? "):
        load("amazon-2023", tmp_path)
