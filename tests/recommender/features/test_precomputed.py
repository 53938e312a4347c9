import io
import pickle

import numpy as np
import pytest
import torch

from recommender.data import DataError
from recommender.features.precomputed import read_features

ROWS = np.array([[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]])


def npz(path, **columns):
    np.savez(path, **columns)
    return path


@pytest.mark.parametrize("ids", ["item_id", "movie_id", "id"])
@pytest.mark.parametrize("feat", ["feat", "features"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_npz_rows_are_found_by_id(tmp_path, ids, feat, dtype):
    path = npz(tmp_path / "f.npz", **{ids: np.array([7, 5, 9], dtype=np.int32), feat: ROWS.astype(dtype)})
    found = read_features(path, ["5", "6", "7", "9"], "visual")
    assert found.name == "visual"
    assert found.present.tolist() == [True, False, True, False]  # 6 is not in the file, 9 a row of zeros
    torch.testing.assert_close(found.vectors, torch.tensor([[0.0, 1.0], [0.0, 0.0], [0.6, 0.8], [0.0, 0.0]]))


@pytest.mark.parametrize("ids", [["B001", "5", "é"], [b"B001", b"5", b"6"]])
def test_ids_may_be_words(tmp_path, ids):
    path = npz(tmp_path / "f.npz", id=np.array(ids), feat=ROWS)
    assert read_features(path, ["B001", "5"], "text").present.all()


def test_npy_rows_are_found_by_number(tmp_path):
    np.save(tmp_path / "f.npy", ROWS)
    found = read_features(tmp_path / "f.npy", ["1", "0", "2"], "visual")
    assert found.present.tolist() == [True, True, False]
    torch.testing.assert_close(found.vectors[:2], torch.tensor([[0.0, 1.0], [0.6, 0.8]]))


def test_npy_is_not_read_as_a_whole(tmp_path):
    """A gigabyte on paper, hardly any on the disk."""
    path = tmp_path / "f.npy"
    table = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(10**6, 256))
    table[10**6 - 1, 3] = 2
    del table
    found = read_features(path, ["999999", "17"], "visual")
    assert found.present.tolist() == [True, False]
    assert found.vectors[0, 3] == 1


@pytest.mark.parametrize("item", ["3", "-1", "B001", "1.0", "", "²"])
def test_an_id_that_is_no_row_number_is_refused(tmp_path, item):
    np.save(tmp_path / "f.npy", ROWS)
    with pytest.raises(DataError, match=r"f\.npy: .*row number is the item id.*below its 3 rows"):
        read_features(tmp_path / "f.npy", ["0", item], "visual")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_what_is_not_finite_is_refused_with_its_row(tmp_path, bad, kind):
    rows = ROWS.astype(np.float16)
    rows[1, 0] = bad
    path = tmp_path / f"f.{kind}"
    if kind == "npy":
        np.save(path, rows)
    else:
        npz(path, item_id=np.arange(3), feat=rows)
    with pytest.raises(DataError, match=rf"f\.{kind}: row 1 \(item 1\) holds NaN or infinity"):
        read_features(path, ["0", "1"], "visual")
    assert read_features(path, ["0", "2"], "visual").present.tolist() == [True, False]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"feat": ROWS}, "no array of ids; looked for item_id, movie_id, id, the file has feat"),
        ({"id": [1, 2, 3], "x": ROWS}, "no array of features"),
        ({}, "no array of ids.*has none"),
        ({"id": [1, 2, 2], "feat": ROWS}, "rows 1 and 2 both are of the id 2"),
        ({"id": [1, 2], "feat": ROWS}, "one id for each row"),
        ({"id": [[1], [2], [3]], "feat": ROWS}, "one id for each row"),
        ({"id": [1.0, 2.0, 3.0], "feat": ROWS}, "ids must be whole numbers or words"),
        (
            {"id": [1, 2, 3], "feat": ROWS[0, :1].repeat(3)},
            r"features of shape \(items, width\) expected.*\(3,\)",
        ),
        ({"id": [1, 2, 3], "feat": ROWS[None].repeat(3, 0)}, r"features of shape \(items, width\) expected"),
        ({"id": [1, 2, 3], "feat": ROWS[:, :0]}, r"features of shape \(items, width\) expected"),
        ({"id": [1, 2, 3], "feat": ROWS.astype(str)}, "features must be real numbers"),
        ({"id": [1, 2, 3], "feat": ROWS.astype(complex)}, "features must be real numbers"),
        ({"id": [1, 2, 3], "feat": ROWS.astype(object)}, "feat: holds Python objects"),
        ({"id": np.array(["a", "b", "c"], dtype=object), "feat": ROWS}, "id: holds Python objects"),
    ],
)
def test_wrong_archives_are_refused(tmp_path, columns, message):
    path = npz(tmp_path / "f.npz", **{name: np.asarray(value) for name, value in columns.items()})
    with pytest.raises(DataError, match=rf"f\.npz: {message}"):
        read_features(path, ["1"], "visual")


def numpy_file(value, save=np.save, **columns):
    file = io.BytesIO()
    save(file, **columns) if columns else save(file, value)
    return file.getvalue()


class Exploit:
    def __reduce__(self):
        return pytest.fail, ("code of a pickle was run",)


ARCHIVE = numpy_file(None, np.savez_compressed, id=np.arange(3), feat=ROWS)
TABLE = numpy_file(ROWS)


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        ("f.npy", b"", "not a file that numpy"),
        ("f.npy", TABLE[:-5], "not a file that numpy"),
        ("f.npy", TABLE[:20], "not a file that numpy"),
        ("f.npy", numpy_file(np.array(5.0)), r"shape \(items, width\)|not a whole number"),
        ("f.npy", pickle.dumps(Exploit()), "holds Python objects"),
        ("f.npy", numpy_file(np.array([Exploit()], dtype=object)), "holds Python objects"),
        ("f.npz", b"no archive", "holds Python objects|not a file that numpy"),
        ("f.npz", ARCHIVE[:-30], "not a file that numpy"),
        ("f.npz", ARCHIVE[:60] + b"\xff\xff\xff" + ARCHIVE[63:], "not a file that numpy"),
        ("f.csv", b"1,2", r"\.npz or \.npy"),
    ],
)
def test_broken_files_are_refused_and_no_pickle_is_run(tmp_path, name, raw, message):
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(DataError, match=message):
        read_features(tmp_path / name, ["1"], "visual")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"f\.npz: no such file"):
        read_features(tmp_path / "f.npz", ["1"], "visual")
