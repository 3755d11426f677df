"""Zip and tar sources: members found, refused, read, and compressed tars unpacked once."""

import bz2
import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from colorize_core.archive.source.contents import read_item
from colorize_core.archive.source.item import Scan
from colorize_core.archive.source.leftovers import JUNK
from colorize_core.archive.source.scan import scan
from colorize_core.archive.source.zip_tar import unpack
from colorize_core.errors import (
    ChangedError,
    InputError,
    MissingError,
    OutOfSpaceError,
    TooLargeError,
    UndecodableError,
    UnsafePathError,
    UnsupportedError,
    UsageError,
)

PHOTOS = frozenset({".jpg", ".png"})
FILMS = frozenset({".mp4"})
UNSAFE = ["../up.jpg", "a/../../up.jpg", "/abs.jpg", "C:\\win.jpg", "..\\up.jpg", "\\\\host\\x.jpg"]
TAR_KINDS = [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"]


def find(source, **options) -> Scan:
    return scan(str(source), photo_suffixes=PHOTOS, film_suffixes=FILMS, **options)


def content(found: Scan) -> dict[str, bytes]:
    return {item.path: read_item(item, max_bytes=1 << 20) for item in found.items}


def problems(found: Scan) -> dict[str, type[InputError]]:
    return {path: type(error) for path, error in found.problems}


def make_zip(path: Path, members: dict[str, bytes], method=zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def make_tar(path: Path, members: dict[str, bytes | tarfile.TarInfo]) -> Path:
    mode = {".tar": "w", ".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}
    # Small blocks, so that a cut bzip2 does not lose everything.
    options = {"compresslevel": 1} if path.suffix == ".bz2" else {}
    with tarfile.open(path, mode[path.suffix], **options) as file:
        for name, data in members.items():
            if isinstance(data, tarfile.TarInfo):
                file.addfile(data)
                continue
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1_000_000_000
            file.addfile(info, io.BytesIO(data))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


MEMBERS = {
    "b/z.jpg": b"zz",
    "a.jpg": b"a" * 3_000_000,
    "./dot//x.png": b"x",
    "Größe :: 100%3A.jpg": b"odd",
    "new\nline.jpg": b"n",
    "f.mp4": b"film",
    "empty.jpg": b"",
    "__MACOSX/._a.jpg": b"junk",
    "read.me": b"other",
}
EXPECTED = {
    "Größe :: 100%3A.jpg": b"odd",
    "a.jpg": b"a" * 3_000_000,
    "b/z.jpg": b"zz",
    "dot/x.png": b"x",
    "empty.jpg": b"",
    "f.mp4": b"film",
    "new\nline.jpg": b"n",
}
IGNORED = {JUNK: 1, "not a picture or film": 1}


def test_zip_members_are_found_and_read(tmp_path):
    found = find(make_zip(tmp_path / "box.ZIP", MEMBERS))
    assert [item.path for item in found.items] == sorted(EXPECTED)
    assert {i.path: read_item(i, max_bytes=None) for i in found.items} == EXPECTED
    assert found.ignored == IGNORED
    assert found.problems == ()
    film = next(item for item in found.items if item.path == "f.mp4")
    assert (film.kind, film.size, film.stamp) == ("film", 4, f"crc:{zipfile.crc32(b'film'):08x}")
    assert film.location == f"zip://f.mp4::{tmp_path}/box.ZIP"


@pytest.mark.parametrize("suffix", TAR_KINDS)
@pytest.mark.parametrize("staged", [True, False])
def test_tar_members_are_found_and_read(tmp_path, suffix, staged):
    source = make_tar(tmp_path / f"box{suffix}", MEMBERS)
    found = find(source, staging=tmp_path / "staging" if staged else None)
    assert {i.path: read_item(i, max_bytes=None) for i in found.items} == EXPECTED
    assert [item.path for item in found.items] == sorted(EXPECTED)
    assert found.ignored == IGNORED
    assert {item.stamp for item in found.items} == {"mtime_ns:1000000000000000000"}
    assert (tmp_path / "staging").exists() is (staged and suffix != ".tar")


def test_one_stamp_however_a_tar_is_held(tmp_path):
    members = {"a.jpg": b"1", "sub/b.jpg": b"22"}
    folder = tmp_path / "folder"
    with tarfile.open(make_tar(tmp_path / "t.tar", members)) as file:
        file.extractall(folder, filter="data")
    forms = [
        find(tmp_path / "t.tar"),
        find(make_tar(tmp_path / "t.tgz", members)),
        find(tmp_path / "t.tgz", staging=tmp_path / "s"),
        find(folder),
    ]
    assert len({tuple((i.path, i.size, i.stamp) for i in form.items) for form in forms}) == 1


def test_zip_members_cannot_escape(tmp_path):
    found = find(make_zip(tmp_path / "box.zip", dict.fromkeys([*UNSAFE, "ok.jpg"], b"x")))
    assert content(found) == {"ok.jpg": b"x"}
    assert problems(found) == dict.fromkeys(UNSAFE, UnsafePathError)
    assert all(error.remedy for _, error in found.problems)


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_tar_members_cannot_escape(tmp_path, suffix):
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"secret")
    members: dict = dict.fromkeys([*UNSAFE, "ok.jpg"], b"x")
    members["link.jpg"] = special("link.jpg", tarfile.SYMTYPE, str(secret))
    members["dir"] = special("dir", tarfile.SYMTYPE, str(tmp_path))
    members["dir/planted.jpg"] = b"planted"
    members["hard.jpg"] = special("hard.jpg", tarfile.LNKTYPE, str(secret))
    members["hard2.jpg"] = special("hard2.jpg", tarfile.LNKTYPE, "../../../secret.jpg")
    members["pipe.jpg"] = special("pipe.jpg", tarfile.FIFOTYPE)
    members["disk.jpg"] = special("disk.jpg", tarfile.BLKTYPE)
    before = set(tmp_path.iterdir())
    source = make_tar(tmp_path / f"box{suffix}", members)
    found = find(source, staging=tmp_path / "staging")
    assert content(found) == {"ok.jpg": b"x", "dir/planted.jpg": b"planted"}
    assert problems(found) == dict.fromkeys(UNSAFE, UnsafePathError)
    assert found.ignored == {"link not followed": 4, "not a regular file": 2}
    assert set(tmp_path.iterdir()) - before <= {source, tmp_path / "staging"}
    unpacked = [p for p in (tmp_path / "staging").rglob("*") if p.suffix != ".json"]
    assert not any(p.is_symlink() or p.is_fifo() or p.is_block_device() for p in unpacked)


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_tar_second_names_and_replaced_members(tmp_path, suffix):
    path = tmp_path / f"box{suffix}"
    with tarfile.open(path, "w:gz" if suffix == ".tar.gz" else "w") as file:
        for name, data in [("a.jpg", b"old"), ("b.jpg", b"b"), ("a.jpg", b"new!")]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
        file.addfile(special("second.jpg", tarfile.LNKTYPE, "b.jpg"))
    found = find(path, staging=tmp_path / "staging")
    assert content(found) == {"a.jpg": b"new!", "b.jpg": b"b", "second.jpg": b"b"}
    assert found.ignored == {"older member of the same name": 1}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zip_links_encryption_methods_and_replaced_members(tmp_path):
    path = tmp_path / "box.zip"
    with zipfile.ZipFile(path, "w") as file:
        link = zipfile.ZipInfo("link.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
        file.writestr("twice.jpg", b"old")
        file.writestr("twice.jpg", b"new")
        file.writestr("locked.jpg", b"secret")
        file.writestr("strange.jpg", b"imploded")
    data = bytearray(path.read_bytes())
    for name, offset, value in [(b"locked.jpg", 8, 1), (b"strange.jpg", 10, 6)]:
        entry = data.rindex(b"PK\x01\x02", 0, data.rindex(name))
        struct.pack_into("<H", data, entry + offset, value)
        entry = data.rindex(b"PK\x03\x04", 0, data.index(name))
        struct.pack_into("<H", data, entry + offset - 2, value)
    path.write_bytes(data)
    found = find(path)
    assert [item.path for item in found.items] == ["strange.jpg", "twice.jpg"]
    assert found.ignored == {"link not followed": 1, "older member of the same name": 1}
    assert problems(found) == {"locked.jpg": UnsupportedError}
    assert read_item(found.items[1], max_bytes=9) == b"new"
    with pytest.raises(UnsupportedError, match=r"strange\.jpg"):
        read_item(found.items[0], max_bytes=9)


@pytest.mark.parametrize(("make", "name"), [(make_zip, "a.zip"), (make_tar, "a.tar")])
def test_two_members_of_one_path_are_a_problem(tmp_path, make, name):
    found = find(make(tmp_path / name, {"b/a.jpg": b"one", "./b/a.jpg": b"another"}))
    assert content(found) == {"b/a.jpg": b"one"}
    assert problems(found) == {"b/a.jpg": UnsafePathError}
    assert "./b/a.jpg" in found.problems[0][1].message
    assert found.ignored == {}


def test_files_and_folders_of_one_name_collide(tmp_path):
    members = {"a.jpg": b"1", "a.jpg/b.jpg": b"2", "c/d.jpg": b"3"}
    for source in (
        make_zip(tmp_path / "box.zip", members),
        make_tar(tmp_path / "box.tar", members),
        make_tar(tmp_path / "box.tgz", members),
    ):
        found = find(source, staging=tmp_path / "staging")
        assert set(content(found)) == {"a.jpg", "c/d.jpg"}, source
        assert problems(found) == {"a.jpg/b.jpg": UnsafePathError}, source


def test_an_overlong_member_name_is_a_problem(tmp_path):
    found = find(make_zip(tmp_path / "box.zip", {"é" * 130 + ".jpg": b"x", "a.jpg": b"x"}))
    assert [item.path for item in found.items] == ["a.jpg"]
    assert list(problems(found).values()) == [UnsafePathError]


def test_damaged_zip_member(tmp_path):
    path = make_zip(tmp_path / "box.zip", {"a.jpg": b"aaaa", "b.jpg": b"bbbb"}, zipfile.ZIP_STORED)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"aaaa", b"aXaa", 1))
    found = find(path)
    with pytest.raises(UndecodableError, match="damaged inside the archive"):
        read_item(found.items[0], max_bytes=None)
    assert read_item(found.items[1], max_bytes=None) == b"bbbb"


@pytest.mark.parametrize("name", ["box.zip", "box.tar", "box.tgz", "box.tar.xz"])
@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 not really", b"\0" * 20_000, b"\x1f\x8b"])
@pytest.mark.parametrize("staged", [True, False])
def test_what_is_no_archive_cannot_run(tmp_path, name, data, staged):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UsageError) as failed:
        find(path, staging=tmp_path / "staging" if staged else None)
    assert failed.value.remedy


def test_a_truncated_zip_cannot_run(tmp_path):
    path = make_zip(tmp_path / "box.zip", {"a.jpg": b"a" * 100})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UsageError, match="not a readable archive"):
        find(path)


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.bz2", ".tar.xz"])
@pytest.mark.parametrize("staged", [True, False])
def test_a_truncated_tar_gives_what_comes_before(tmp_path, suffix, staged):
    members = {f"{n}.jpg": os.urandom(60_000) for n in range(5)}
    path = make_tar(tmp_path / f"box{suffix}", members)
    path.write_bytes(path.read_bytes()[:215_000])
    found = find(path, staging=tmp_path / "staging" if staged else None)
    whole, cut = {}, []
    for item in found.items:
        try:
            whole[item.path] = read_item(item, max_bytes=None)
        except UndecodableError:
            cut.append(item.path)
    assert whole == {name: members[name] for name in ["0.jpg", "1.jpg", "2.jpg"]}
    assert cut in ([], ["3.jpg"])
    assert problems(found) == {path.name: UndecodableError}


@pytest.mark.parametrize("staged", [True, False])
@pytest.mark.parametrize("suffix", [".tar", ".tgz"])
def test_a_damaged_tar_header_is_not_taken_for_the_end(tmp_path, suffix, staged):
    data = bytearray(
        make_tar(tmp_path / "x.tar", dict.fromkeys(["a.jpg", "b.jpg"], b"")).read_bytes()
    )
    data[512 + 148] ^= 0xFF  # in the checksum of the second header
    path = tmp_path / f"box{suffix}"
    path.write_bytes(gzip.compress(data) if suffix == ".tgz" else data)
    found = find(path, staging=tmp_path / "staging" if staged else None)
    assert content(found) == {"a.jpg": b""}
    assert problems(found) == {path.name: UndecodableError}


def test_a_flipped_bit_in_a_compressed_tar_is_reported(tmp_path):
    data = bytearray(make_tar(tmp_path / "x.tar", {"a.jpg": b"a" * 5000}).read_bytes())
    packed = bytearray(gzip.compress(bytes(data), compresslevel=0))
    packed[packed.index(b"aaaa") + 50] ^= 1
    (tmp_path / "box.tgz").write_bytes(packed)
    found = find(tmp_path / "box.tgz", staging=tmp_path / "staging")
    assert list(problems(found).values()) == [UndecodableError]


def test_compression_is_told_from_content(tmp_path):
    plain = make_tar(tmp_path / "x.tar", {"a.jpg": b"1"}).read_bytes()
    for index, data in enumerate([plain, bz2.compress(plain)]):
        path = tmp_path / f"wrong{index}.tgz"
        path.write_bytes(data)
        assert content(find(path, staging=tmp_path / "staging")) == {"a.jpg": b"1"}


def test_a_compressed_tar_is_unpacked_once(tmp_path):
    staging = tmp_path / "staging"
    source = make_tar(tmp_path / "box.tgz", MEMBERS | {"../up.jpg": b"x"})
    first = find(source, staging=staging)
    inodes = {item.path: Path(item.location).stat().st_ino for item in first.items}
    second = find(source, staging=staging)
    assert {i.path: Path(i.location).stat().st_ino for i in second.items} == inodes
    assert list(second.items) == list(first.items)
    assert second.ignored == first.ignored
    assert [(p, str(e)) for p, e in second.problems] == [(p, str(e)) for p, e in first.problems]


def test_a_killed_unpacking_starts_afresh(tmp_path):
    staging = tmp_path / "staging"
    source = make_tar(tmp_path / "box.tgz", {"a.jpg": b"whole", "b.jpg": b"b"})
    find(source, staging=staging)
    [marker] = staging.glob("*.json")
    folder = marker.with_suffix("")
    # What a kill leaves: no marker, a torn file, a file of who knows what.
    marker.unlink()
    (folder / "a.jpg").write_bytes(b"who")
    (folder / "stray.jpg").write_bytes(b"?")
    assert content(find(source, staging=staging)) == {"a.jpg": b"whole", "b.jpg": b"b"}


def test_a_new_version_replaces_the_unpacked_one(tmp_path):
    staging = tmp_path / "staging"
    source = make_tar(tmp_path / "box.tgz", {"a.jpg": b"old", "gone.jpg": b""})
    find(source, staging=staging)
    make_tar(source, {"a.jpg": b"newer"})
    assert content(find(source, staging=staging)) == {"a.jpg": b"newer"}
    assert len(list(staging.glob("*.json"))) == 1
    assert [p.name for p in staging.rglob("*.jpg")] == ["a.jpg"]


def test_unpacking_leaves_room_on_the_disk(tmp_path, monkeypatch):
    source = make_tar(tmp_path / "box.tgz", {"a.jpg": b"a" * 1000})
    monkeypatch.setattr(unpack, "_RESERVE_BYTES", 1 << 60)
    with pytest.raises(OutOfSpaceError, match="no space left"):
        find(source, staging=tmp_path / "staging")
    monkeypatch.undo()
    assert content(find(source, staging=tmp_path / "staging")) == {"a.jpg": b"a" * 1000}


def test_a_zip_bomb_is_refused_before_it_is_read(tmp_path):
    path = make_zip(tmp_path / "bomb.zip", {"big.jpg": b"\0" * 50_000_000, "ok.jpg": b"1"})
    big, small = find(path).items
    assert big.size == 50_000_000
    with pytest.raises(TooLargeError, match="larger than 1000000 bytes"):
        read_item(big, max_bytes=1_000_000)
    assert read_item(small, max_bytes=1_000_000) == b"1"


def test_a_zip_that_lies_about_sizes_is_bounded(tmp_path):
    path = make_zip(tmp_path / "liar.zip", {"big.jpg": b"\0" * 50_000_000})
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.rindex(b"PK\x01\x02") + 24, 10)
    path.write_bytes(data)
    [item] = find(path).items
    assert item.size == 10
    with pytest.raises(UndecodableError, match="damaged"):
        read_item(item, max_bytes=1_000_000)


def test_members_changed_or_gone_since_the_scan(tmp_path):
    for make, name in [(make_zip, "box.zip"), (make_tar, "box.tar")]:
        path = make(tmp_path / name, {"a.jpg": b"old", "b.jpg": b"b", "c.jpg": b"c"})
        a, b, c = find(path).items
        assert read_item(a, max_bytes=None) == b"old"
        make(path, {"b.jpg": b"b", "a.jpg": b"newer"})
        with pytest.raises(ChangedError):
            read_item(a, max_bytes=None)
        assert read_item(b, max_bytes=None) == b"b"
        with pytest.raises(MissingError):
            read_item(c, max_bytes=None)
        path.write_bytes(b"no longer an archive")
        with pytest.raises(ChangedError):
            read_item(b, max_bytes=None)
        path.unlink()
        with pytest.raises(MissingError):
            read_item(b, max_bytes=None)


def test_an_unpacked_file_that_vanished(tmp_path):
    source = make_tar(tmp_path / "box.tgz", {"a.jpg": b"1"})
    [item] = find(source, staging=tmp_path / "staging").items
    Path(item.location).unlink()
    with pytest.raises(MissingError):
        read_item(item, max_bytes=None)


def test_a_small_zip_of_a_huge_picture_is_refused_in_the_scan(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        with file.open("huge.jpg", "w") as member:
            for _ in range(257):
                member.write(bytes(1 << 20))
        file.writestr("ok.jpg", b"1")
    assert path.stat().st_size < 3_000_000
    found = find(path)
    assert [item.path for item in found.items] == ["ok.jpg"]
    [(name, error)] = found.problems
    assert name == "huge.jpg"
    assert isinstance(error, TooLargeError)
    assert f"would become {257 << 20}" in error.message


@pytest.mark.parametrize("liar", ["c.mp4", "c.txt"])
def test_a_member_that_promises_more_than_the_disk_is_its_own_failure(tmp_path, liar):
    path = tmp_path / "odd.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        for name, data in (("a.jpg", b"1"), ("b.jpg", b"22")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
        lie = tarfile.TarInfo(liar)
        lie.size = 400 * 10**12
        file.fileobj.write(lie.tobuf())
    for _ in range(2):
        found = find(path, staging=tmp_path / "staging")
        assert [item.path for item in found.items] == ["a.jpg", "b.jpg"]
        reasons = [error.message for _, error in found.problems]
        assert any("cut off after" in reason for reason in reasons)
        if liar == "c.mp4":
            assert "promises 400000000000000 bytes" in " ".join(reasons)
