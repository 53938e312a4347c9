import gzip
import io
import stat
import struct
import tarfile
import zipfile

import pytest

from recommender.data import DataError
from recommender.data.download.archive import Limits, check_gzip, extract

WANTED = {"ratings.dat", "movies.dat"}


def make_zip(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members:
            if isinstance(name, str):
                info = zipfile.ZipInfo("x")
                info.filename = name  # as it is: the constructor would make it harmless
                info.compress_type = compression
                info.external_attr = (stat.S_IFREG | 0o644) << 16
            else:
                info = name
            file.writestr(info, content)
    return path


def make_tar(path, members):
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w", format=tarfile.PAX_FORMAT) as file:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if info.isreg():
                info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


MAKERS = {"a.zip": make_zip, "a.tar": make_tar, "a.tar.gz": make_tar}


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "in" / "out"
    folder.mkdir(parents=True)
    return folder


def outside(tree, before):
    """What has changed, apart from the folder that was to be filled."""
    after = tree()
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    return {path for path in changed if not path.startswith("in/out/")}


@pytest.mark.parametrize("kind", MAKERS)
def test_what_is_wanted_comes_out_and_nothing_else(kind, tmp_path, out):
    members = [
        ("ml/ratings.dat", b"r" * 70_000),
        ("ml/movies.dat", b"m"),
        ("ml/tags.dat", b"t"),
        ("./README", b""),
    ]
    archive = MAKERS[kind](tmp_path / kind, members)
    assert sorted(extract(archive, out, WANTED)) == ["movies.dat", "ratings.dat"]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        "ratings.dat": b"r" * 70_000,
        "movies.dat": b"m",
    }


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize(
    "name",
    [
        "../ratings.dat",
        "../../ratings.dat",
        "ml/../../../ratings.dat",
        "/tmp/screentest-escaped/ratings.dat",
        "C:/ratings.dat",
        "c:ratings.dat",
        "..\\ratings.dat",
        "\\\\server\\share\\ratings.dat",
        "ml/..",
    ],
)
def test_a_name_that_leads_out_is_refused_whatever_it_ends_in(kind, name, tmp_path, out, tree):
    archive = MAKERS[kind](tmp_path / kind, [("movies.dat", b"m"), (name, b"evil")])
    before = tree()
    with pytest.raises(DataError, match=r"a\.(zip|tar|tar\.gz):.*: a name"):
        extract(archive, out, WANTED)
    assert outside(tree, before) == set()


def test_a_zero_byte_in_a_name_is_refused(tmp_path, out):
    archive = make_zip(tmp_path / "a.zip", [("ratings.datZ.txt", b"evil")])
    archive.write_bytes(archive.read_bytes().replace(b"ratings.datZ", b"ratings.dat\0"))
    with pytest.raises(DataError, match="a name with"):
        extract(archive, out, WANTED)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(kind, tmp_path, out, tree):
    link = tarfile.TarInfo("ratings.dat")
    link.type, link.linkname = kind, "/etc/passwd"
    archive = make_tar(tmp_path / "a.tar", [(link, b"")])
    before = tree()
    with pytest.raises(DataError, match=r"a\.tar:ratings\.dat: a link or a device"):
        extract(archive, out, WANTED)
    assert tree() == before


def test_a_folder_that_is_a_link_carries_nothing_outside(tmp_path, out, tree):
    link = tarfile.TarInfo("ml")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
    archive = make_tar(tmp_path / "a.tar", [(link, b""), ("ml/ratings.dat", b"evil")])
    before = tree()
    with pytest.raises(DataError, match="a link"):
        extract(archive, out, WANTED)
    assert tree() == before


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_in_a_zip_are_refused(kind, tmp_path, out, tree):
    info = zipfile.ZipInfo("ratings.dat")
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    archive = make_zip(tmp_path / "a.zip", [(info, b"/etc/passwd")])
    before = tree()
    with pytest.raises(DataError, match=r"a\.zip:ratings\.dat: a link or a device"):
        extract(archive, out, WANTED)
    assert tree() == before


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize(
    "names",
    [
        ("ml/ratings.dat", "ml/RATINGS.dat"),
        ("ml/ratings.dat", "ml/./ratings.dat"),
        ("ml/ratings.dat", "ml//ratings.dat"),
        ("caf\u00e9.dat", "cafe\u0301.dat"),
        ("stra\u00dfe.dat", "STRASSE.dat"),
    ],
)
def test_names_that_a_file_system_takes_for_one_are_refused(kind, names, tmp_path, out):
    archive = MAKERS[kind](tmp_path / kind, [(name, b"x") for name in names])
    with pytest.raises(DataError, match="the same name as"):
        extract(archive, out, WANTED)


def test_two_files_of_a_wanted_name_are_refused(tmp_path, out):
    archive = make_zip(tmp_path / "a.zip", [("a/ratings.dat", b"1"), ("b/ratings.dat", b"2")])
    with pytest.raises(DataError, match=r"a\.zip:b/ratings\.dat: a second ratings\.dat"):
        extract(archive, out, WANTED)


def test_an_encrypted_zip_is_refused(tmp_path, out):
    archive = make_zip(tmp_path / "a.zip", [("ratings.dat", b"secret")])
    raw = bytearray(archive.read_bytes())
    raw[6] |= 1  # local header
    raw[raw.index(b"PK\x01\x02") + 8] |= 1  # directory
    archive.write_bytes(raw)
    with pytest.raises(DataError, match=r"a\.zip:ratings\.dat: encrypted"):
        extract(archive, out, WANTED)


def test_rare_compressions_are_refused(tmp_path, out):
    archive = make_zip(tmp_path / "a.zip", [("ratings.dat", b"x" * 99)], zipfile.ZIP_LZMA)
    with pytest.raises(DataError, match="deflate"):
        extract(archive, out, WANTED)


def test_a_changed_byte_is_noticed(tmp_path, out):
    archive = make_zip(tmp_path / "a.zip", [("ratings.dat", b"1::2::5::9\n" * 9)], zipfile.ZIP_STORED)
    raw = archive.read_bytes().replace(b"1::2::5::9\n", b"1::2::4::9\n", 1)
    archive.write_bytes(raw)
    with pytest.raises(DataError, match=r"a\.zip:ratings\.dat: damaged.*CRC"):
        extract(archive, out, WANTED)


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.98])
def test_a_cut_archive_is_noticed(kind, share, tmp_path, out):
    import random

    noise = random.Random(1)
    members = [
        ("ratings.dat", noise.randbytes(200_000)),
        ("other", noise.randbytes(100_000)),
        ("movies.dat", b"m" * 20_000),
    ]
    archive = MAKERS[kind](tmp_path / kind, members)
    raw = archive.read_bytes()
    archive.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(DataError, match="damaged or cut short"):
        extract(archive, out, WANTED)


def test_a_changed_byte_of_a_tar_gz_is_noticed_at_its_end(tmp_path, out):
    archive = make_tar(tmp_path / "a.tar.gz", [("ratings.dat", b"x" * 1000)])
    raw = bytearray(archive.read_bytes())
    raw[-8] ^= 1  # the checksum of the gzip stream
    archive.write_bytes(raw)
    with pytest.raises(DataError, match="CRC"):
        extract(archive, out, WANTED)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_bomb_is_refused_before_it_is_written(kind, tmp_path, out):
    archive = MAKERS[kind](tmp_path / kind, [("ratings.dat", bytes(3_000_000))])
    with pytest.raises(DataError, match="more than 1,000,000 bytes"):
        extract(archive, out, WANTED, Limits(total=1_000_000))
    assert sum(path.stat().st_size for path in out.iterdir()) <= 1_000_000


@pytest.mark.parametrize("kind", ["a.zip", "a.tar.gz"])
@pytest.mark.parametrize("name", ["ratings.dat", "not wanted"])
def test_growing_out_of_proportion_is_refused(kind, name, tmp_path, out):
    archive = MAKERS[kind](tmp_path / kind, [(name, bytes(3_000_000))])
    with pytest.raises(DataError, match="200 times its size"):
        extract(archive, out, WANTED, Limits(ratio_from=1_000_000))


def test_a_zip_that_lies_about_a_size_cannot_write_more(tmp_path, out):
    archive = make_zip(tmp_path / "a.zip", [("ratings.dat", bytes(3_000_000))])
    raw = archive.read_bytes()
    archive.write_bytes(raw.replace(struct.pack("<L", 3_000_000), struct.pack("<L", 1_000)))
    with pytest.raises(DataError, match="damaged"):
        extract(archive, out, WANTED, Limits(total=1_000_000))
    assert sum(path.stat().st_size for path in out.iterdir()) <= 1_000


def test_a_sparse_tar_cannot_write_more_than_is_allowed(tmp_path, out):
    # A GNU sparse member: 512 bytes of data that claim to be a file of 100 MB.
    info = tarfile.TarInfo("ratings.dat")
    info.size = 512
    raw = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    raw[156:157] = tarfile.GNUTYPE_SPARSE
    raw[386:398], raw[398:410] = b"00000000000\0", b"00000001000\0"
    raw[483:495] = b"%011o\0" % 100_000_000
    raw[148:156] = b"        "
    raw[148:156] = b"%06o\0 " % sum(raw[:512])
    archive = tmp_path / "a.tar"
    archive.write_bytes(bytes(raw[:512]) + b"x" * 512 + bytes(1024))
    with pytest.raises(DataError, match="more than 1,000,000 bytes"):
        extract(archive, out, WANTED, Limits(total=1_000_000))
    assert sum(path.stat().st_size for path in out.iterdir()) <= 1_000_000


@pytest.mark.parametrize("kind", MAKERS)
def test_too_many_members_are_refused(kind, tmp_path, out):
    archive = MAKERS[kind](tmp_path / kind, [(str(n), b"") for n in range(11)])
    with pytest.raises(DataError, match="more than 10 members"):
        extract(archive, out, WANTED, Limits(members=10))


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x1f\x8b", b"PK\x03\x04", bytes(600)])
def test_what_is_no_archive_is_said_so(content, tmp_path, out):
    archive = tmp_path / "a.zip"
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.zip: (no zip|damaged)"):
        extract(archive, out, WANTED)


def test_a_gzip_file_is_read_to_its_end(tmp_path):
    path = tmp_path / "a.json.gz"
    whole = gzip.compress(b'{"asin": 1}\n' * 10_000)
    path.write_bytes(whole)
    check_gzip(path)
    for broken in (whole[:-1], whole[:40], whole[:-8] + bytes(8), b"<html>", whole + b"more"):
        path.write_bytes(broken)
        with pytest.raises(DataError, match=r"a\.json\.gz: damaged"):
            check_gzip(path)


def test_a_gzip_bomb_is_refused(tmp_path):
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(bytes(3_000_000)))
    with pytest.raises(DataError, match="200 times its size"):
        check_gzip(path, Limits(ratio_from=1_000_000))
