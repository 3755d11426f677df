"""The bytes of local items and archive members: changes, limits, staging, threads and processes."""

import hashlib
import multiprocessing
import os
import tarfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from colorize_core.archive.source.contents import read_item, stage_item
from colorize_core.archive.source.item import SourceItem
from colorize_core.archive.source.scan import scan
from colorize_core.archive.source.zip_tar import opened
from colorize_core.atomic import TEMP_PREFIX
from colorize_core.errors import (
    ChangedError,
    InputError,
    MissingError,
    OutOfSpaceError,
    TooLargeError,
    UndecodableError,
)


def items(source: Path, **options) -> list[SourceItem]:
    found = scan(
        str(source),
        photo_suffixes=frozenset({".jpg"}),
        film_suffixes=frozenset({".mp4"}),
        **options,
    )
    return list(found.items)


def one(folder: Path, data: bytes, name: str = "a.jpg") -> SourceItem:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return items(folder)[0]


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_001])
def test_a_file_is_read_whole(tmp_path, size):
    data = os.urandom(size)
    assert read_item(one(tmp_path, data), max_bytes=None) == data
    assert read_item(one(tmp_path, data), max_bytes=size) == data


def test_a_file_over_the_limit(tmp_path):
    item = one(tmp_path, b"12345")
    with pytest.raises(TooLargeError, match=r"a\.jpg: larger than 4 bytes"):
        read_item(item, max_bytes=4)


def test_a_file_that_changed(tmp_path):
    item = one(tmp_path, b"12345")
    path = Path(item.location)
    path.write_bytes(b"123456")
    with pytest.raises(ChangedError, match="run again"):
        read_item(item, max_bytes=None)
    path.write_bytes(b"54321")  # as long as before
    os.utime(path, ns=(0, int(item.stamp.partition(":")[2]) + 1))
    with pytest.raises(ChangedError):
        read_item(item, max_bytes=None)
    os.utime(path, ns=(0, int(item.stamp.partition(":")[2])))
    assert read_item(item, max_bytes=None) == b"54321"


@pytest.mark.parametrize("reader", [read_item, stage_item])
def test_a_file_that_vanished(tmp_path, reader):
    item = one(tmp_path / "src", b"1")
    Path(item.location).unlink()
    with pytest.raises(MissingError, match=r"a\.jpg: not there any more"):
        use(reader, item, tmp_path)
    Path(item.location).parent.rmdir()
    Path(item.location).parent.write_bytes(b"a file now")
    with pytest.raises(MissingError):
        use(reader, item, tmp_path)


def use(reader, item: SourceItem, folder: Path) -> bytes:
    if reader is read_item:
        return read_item(item, max_bytes=None)
    with stage_item(item, folder / "staging") as path:
        return path.read_bytes()


@pytest.mark.parametrize("reader", [read_item, stage_item])
@pytest.mark.parametrize("kind", ["file", "zip"])
def test_a_file_that_may_not_be_read(tmp_path, reader, kind):
    if kind == "file":
        item = one(tmp_path / "src", b"1")
        Path(item.location).chmod(0)
    else:
        [item] = items(zipped(tmp_path / "a.zip", {"a.jpg": b"1"}))
        opened._opened.clear()
        (tmp_path / "a.zip").chmod(0)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o055)
    tmp_path.chmod(0o777)
    was = os.geteuid()
    if was == 0:  # root reads everything
        os.seteuid(65534)
    try:
        with pytest.raises(InputError, match="Permission denied") as failed:
            use(reader, item, tmp_path)
    finally:
        os.seteuid(was)
    assert type(failed.value) is InputError
    assert "permission" in failed.value.remedy


def test_a_failing_disk_is_left_to_the_caller(tmp_path):
    # Reading the memory of no process at address 0 fails as a broken disk does: EIO.
    item = one(tmp_path, b"1")
    memory = Path("/proc/self/mem")
    status = memory.stat()
    broken = SourceItem("a.jpg", str(memory), 0, f"mtime_ns:{status.st_mtime_ns}", "photo")
    with pytest.raises(OSError, match="Input/output error"):
        read_item(broken, max_bytes=10)
    assert read_item(item, max_bytes=10) == b"1"


def test_a_local_film_is_used_where_it_is(tmp_path):
    item = one(tmp_path / "src", b"film", "f.mp4")
    with stage_item(item, tmp_path / "staging") as path:
        assert path == Path(item.location)
    assert path.exists()
    assert not (tmp_path / "staging").exists()


def test_a_local_film_that_changes_while_it_is_used(tmp_path):
    item = one(tmp_path / "src", b"film", "f.mp4")
    with pytest.raises(ChangedError), stage_item(item, tmp_path) as path:
        path.write_bytes(b"longer film")


def test_a_member_is_staged_and_removed(tmp_path):
    data = os.urandom(2_500_000)
    [item] = items(zipped(tmp_path / "a.zip", {"deep/F.MP4": data}))
    staging = tmp_path / "staging"
    with stage_item(item, staging) as path:
        assert path.parent == staging
        assert path.name.startswith(TEMP_PREFIX)
        assert path.suffix == ".mp4"
        assert path.read_bytes() == data
    assert list(staging.iterdir()) == []
    with pytest.raises(RuntimeError, match="worker"), stage_item(item, staging):
        raise RuntimeError("worker")
    assert list(staging.iterdir()) == []


def test_a_damaged_member_leaves_nothing_in_staging(tmp_path):
    path = zipped(tmp_path / "a.zip", {"f.mp4": b"film" * 1000})
    path.write_bytes(path.read_bytes().replace(b"film", b"mold", 1))
    [item] = items(path)
    with pytest.raises(UndecodableError), stage_item(item, tmp_path / "staging"):
        pass
    assert list((tmp_path / "staging").iterdir()) == []


def test_staging_on_a_full_disk(tmp_path):
    [item] = items(zipped(tmp_path / "a.zip", {"f.mp4": b"film"}))
    huge = SourceItem(item.path, item.location, 1 << 60, item.stamp, item.kind)
    with pytest.raises(OutOfSpaceError, match="free some space"), stage_item(huge, tmp_path / "s"):
        pass


def test_an_archive_is_indexed_once_per_process(tmp_path):
    members = {f"{n:05}.jpg": f"{n}".encode() for n in range(4_000)}
    found = items(zipped(tmp_path / "a.zip", members))
    read_item(found[0], max_bytes=None)
    start = time.perf_counter()
    opened.open_container(str(tmp_path / "a.zip"))
    index_seconds = time.perf_counter() - start
    start = time.perf_counter()
    for item in found[:100]:
        assert read_item(item, max_bytes=None) == members[item.path]
    # Indexing each time would take a hundred times as long.
    assert time.perf_counter() - start < 5 * index_seconds


def test_many_archives_do_not_stay_open(tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for n in range(12):
        [item] = items(zipped(tmp_path / f"{n}.zip", {"a.jpg": b"%d" % n}))
        assert read_item(item, max_bytes=None) == b"%d" % n
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + opened._KEPT_OPEN


def digest(item: SourceItem) -> str:
    return hashlib.sha256(read_item(item, max_bytes=None)).hexdigest()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_threads_and_processes_share_an_archive(tmp_path, kind):
    source = tmp_path / "src"
    source.mkdir()
    for n in range(10):
        (source / f"{n}.jpg").write_bytes(os.urandom(30_000) * 10)
    packed = tmp_path / f"a.{kind}"
    if kind == "zip":
        zipped(packed, {p.name: p.read_bytes() for p in source.iterdir()})
    else:
        with tarfile.open(packed, "w:gz" if kind == "tar.gz" else "w") as file:
            for path in source.iterdir():
                file.add(path, path.name)
    expected = [digest(item) for item in items(source)]
    found = items(packed)
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(digest, found)) == expected
    # Two forked workers inherit the open archive and would move each other's file position.
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.map(digest, found, chunksize=1) == expected
