"""Nothing is left out without a word: what is not read, what is left out, and who asked for it."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from colorize_core.archive.source.item import Scan
from colorize_core.archive.source.kinds import by_suffix
from colorize_core.archive.source.scan import scan
from colorize_core.errors import UsageError
from tests.archive.source.test_scan import FILMS, PHOTOS, paths, write


def encoded(kind: str) -> bytes:
    data = io.BytesIO()
    Image.new("L", (20, 10), 90).save(data, kind)
    return data.getvalue()


def is_photo(head: bytes) -> bool:
    return head.startswith((b"\xff\xd8\xff", b"\x89PNG"))


def name_photo(path: str, head) -> str:
    if path.endswith((".jpg", ".png")):
        return path
    if path.endswith(".gif"):
        return path + (".png" if head().startswith(b"GIF8") else ".jpg")
    return path + (".png" if head().startswith(b"\x89PNG") else ".jpg")


def find(source: Path | str, **options) -> Scan:
    fixed = {"photo_suffixes": PHOTOS, "film_suffixes": FILMS}
    return scan(str(source), **fixed, name_photo=name_photo, is_photo=is_photo, **options)


# A family's box: what a scan met, and what must be said of it.
BOX = {
    "a.jpg": encoded("JPEG"),
    "raw/IMG_1.CR2": b"II*\0",
    "raw/IMG_2.dng": b"II*\0",
    "old/letter.rtf": b"{\\rtf1",
    "old/letter.docx": b"PK\3\4",
    "old/scan.xcf": b"gimp xcf",
    "film/super8.rmvb": b".RMF",
    "more.rar": b"Rar!",
    "box.zip": b"PK\3\4",
    "noext": encoded("JPEG"),
    "backup.jpg~": encoded("PNG"),
    "movie.part": b"\x1a\x45\xdf\xa3matroska",
    "strange.001": b"%PDF-1.7",
    "disk.bin": bytes(257) + b"ustar\x0000",
    "wrong.gif": encoded("JPEG"),
    "right.gif": encoded("GIF"),
    "a.jpg.xmp": b"<x/>",
    "film/super8.srt": b"1",
    "song.mp3": b"ID3",
    "noise.xyz": b"nothing known",
    "empty": b"",
}
READ = {
    "a.jpg": "",
    "backup.jpg~": ".png",
    "noext": ".jpg",
    "right.gif": ".png",
    "wrong.gif": ".jpg",
}
UNREAD = {
    "box.zip": "archive",
    "disk.bin": "a tar",
    "film/super8.rmvb": "film of a kind",
    "more.rar": "archive",
    "movie.part": "Matroska",
    "old/letter.docx": "document",
    "old/letter.rtf": "document",
    "old/scan.xcf": "picture of a kind",
    "raw/IMG_1.CR2": "camera raw",
    "raw/IMG_2.dng": "camera raw",
    "strange.001": "a PDF",
}
IGNORED = {"sidecar .xmp": 1, "sidecar .srt": 1, "not a picture or film": 3}


def as_folder(root: Path) -> Path:
    for name, data in BOX.items():
        (root / "box" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "box" / name).write_bytes(data)
    return root / "box"


def as_zip(root: Path) -> Path:
    with zipfile.ZipFile(root / "b.zip", "w") as file:
        for name, data in BOX.items():
            file.writestr(name, data)
    return root / "b.zip"


def as_tar(root: Path, mode: str = "w", name: str = "b.tar") -> Path:
    with tarfile.open(root / name, mode) as file:
        for member, data in BOX.items():
            info = tarfile.TarInfo(f"./{member}")
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return root / name


def as_packed_tar(root: Path) -> Path:
    return as_tar(root, "w:gz", "b.tgz")


@pytest.mark.parametrize("make", [as_folder, as_zip, as_tar, as_packed_tar])
def test_every_file_is_an_item_or_counted(make, tmp_path: Path):
    options = {"staging": tmp_path / "staging"} if make is as_packed_tar else {}
    source = make(tmp_path)
    for _ in range(2):  # what is unpacked, is unpacked once
        found = find(source, **options)
        assert {item.path: item.added for item in found.items} == READ
        assert [item.output for item in found.items] == [p + s for p, s in READ.items()]
        assert {item.path for item in found.unread} == set(UNREAD)
        for item in found.unread:
            assert UNREAD[item.path] in item.reason
            assert item.remedy
        assert found.ignored == IGNORED
        assert found.problems == ()
        assert by_suffix(found.unread)[".dng"] == 1
        total = len(found.items) + len(found.unread) + sum(found.ignored.values())
        assert total == len(BOX)


def test_names_are_fixed_before_collisions_are_looked_for(tmp_path: Path):
    (tmp_path / "scan").write_bytes(encoded("JPEG"))
    (tmp_path / "scan.jpg").write_bytes(encoded("JPEG"))
    found = find(tmp_path)
    assert paths(found) == ["scan"]
    assert [path for path, _ in found.problems] == ["scan.jpg"]


def test_a_single_file_that_is_not_read_says_why(tmp_path: Path):
    (tmp_path / "a.dng").write_bytes(b"II*\0")
    with pytest.raises(UsageError, match=r"a camera raw file \(.dng\) \(develop it"):
        find(tmp_path / "a.dng")
    with pytest.raises(UsageError, match=r"left out: 1 .dng \(not read\)"):
        find(tmp_path)


NAS = {
    "file of the system, no picture": [
        "lost+found/x.jpg",
        "@tmp/x.jpg",
        ".DS_Store",
        "System Volume Information/x.jpg",
    ],
    "in a recycle bin": [
        "#recycle/a.jpg",
        "@Recycle/a.jpg",
        ".Trash-1000/files/a.jpg",
        "Y/#Recycle/b.jpg",
    ],
    "thumbnails of a NAS or photo program": [
        "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg",
        "x/.@__thumb/a.jpg",
        "Katalog Previews.lrdata/a.jpg",
    ],
    "in a snapshot or an older version": [
        "@Recently-Snapshot/d1/a.jpg",
        "#snapshot/a.jpg",
        ".zfs/a.jpg",
    ],
    "library of a photo program (give its folder of originals as SRC)": [
        "Fotos.photoslibrary/originals/a/a.jpg"
    ],
}


def test_bins_thumbnails_and_snapshots_are_left_out_and_counted(tmp_path: Path):
    write(tmp_path, "1931/erna.jpg", *(name for names in NAS.values() for name in names))
    found = find(tmp_path)
    assert paths(found) == ["1931/erna.jpg"]
    assert found.ignored == {reason: len(names) for reason, names in NAS.items()}
    # A library can be the source itself.
    assert paths(find(tmp_path / "Fotos.photoslibrary")) == ["originals/a/a.jpg"]
    (tmp_path / "list").write_text("#recycle/a.jpg\n./#recycle/a.jpg\n")
    assert paths(find(f"@{tmp_path}/list")) == ["#recycle/a.jpg"]


def test_archives_leave_the_same_out(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "nas.zip", "w") as file:
        for name in ("1931/erna.jpg", *(name for names in NAS.values() for name in names)):
            file.writestr(name, b"1")
    found = find(tmp_path / "nas.zip")
    assert paths(found) == ["1931/erna.jpg"]
    assert found.ignored == {reason: len(names) for reason, names in NAS.items()}


TREE = ("1931/a.jpg", "1931/raw/a.jpg", "1932/b.png", "1932/b.jpg", "#recycle/gone.jpg", "c.jpg")


@pytest.mark.parametrize(
    ("exclude", "include", "left"),
    [
        (["raw"], [], ["1931/a.jpg", "1932/b.jpg", "1932/b.png", "c.jpg"]),
        (["1931/**", "*.png"], [], ["1932/b.jpg", "c.jpg"]),
        (["1931"], [], ["1932/b.jpg", "1932/b.png", "c.jpg"]),
        ([], ["*.png"], ["1932/b.png"]),
        ([], ["1931"], ["1931/a.jpg", "1931/raw/a.jpg"]),
        (["raw/"], ["1931/**"], ["1931/a.jpg"]),
        ([], ["#recycle/**", "*.png"], ["#recycle/gone.jpg", "1932/b.png"]),
        ([], ["**/*.jpg"], ["1931/a.jpg", "1931/raw/a.jpg", "1932/b.jpg", "c.jpg"]),
    ],
)
@pytest.mark.parametrize("kind", ["folder", "zip", "tgz", "glob", "list"])
def test_exclude_and_include(exclude, include, left, kind, tmp_path: Path):
    source: Path | str = write(tmp_path / "src", *TREE)
    if kind == "zip":
        source = tmp_path / "s.zip"
        with zipfile.ZipFile(source, "w") as file:
            for name in TREE:
                file.writestr(name, b"1")
    elif kind == "tgz":
        source = tmp_path / "s.tgz"
        with tarfile.open(source, "w:gz") as file:
            file.add(tmp_path / "src", ".")
    elif kind == "glob":
        source = f"{source}/[#1c]*"
    elif kind == "list":
        (tmp_path / "src" / "list").write_text("1931\n1932\nc.jpg\n./#recycle\n")
        source = f"@{source}/list"
    found = find(source, exclude_globs=exclude, include_globs=include, staging=tmp_path / "staging")
    assert paths(found) == left
    assert found.unused == []
    again = find(source, exclude_globs=exclude, include_globs=include, staging=tmp_path / "staging")
    assert (paths(again), again.ignored, again.unused) == (left, found.ignored, [])


def test_globs_that_fit_nothing_are_named(tmp_path: Path):
    write(tmp_path, *TREE)
    found = find(tmp_path, exclude_globs=["1913/**", "raw"], include_globs=["1931", "1932x"])
    assert [glob.text for glob in found.unused] == ["1913/**", "1932x"]


def test_a_pipe_without_a_suffix_does_not_hold_the_scan(tmp_path: Path):
    write(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "noext")
    (tmp_path / "away").symlink_to("/etc/passwd")
    assert paths(find(tmp_path)) == ["a.jpg"]


def test_only_files_whose_name_says_nothing_are_opened(tmp_path: Path, monkeypatch):
    opened: Counter[str] = Counter()
    real_open = os.open

    def counting(path, *rest, **named):
        opened[Path(os.fspath(path)).name] += 1
        return real_open(path, *rest, **named)

    as_folder(tmp_path)
    monkeypatch.setattr(os, "open", counting)
    find(tmp_path / "box")
    sniffed = {
        "backup.jpg~",
        "disk.bin",
        "empty",
        "movie.part",
        "noext",
        "noise.xyz",
        "strange.001",
    }
    assert {name for name in opened if name in {Path(n).name for n in BOX}} == sniffed | {
        "right.gif",
        "wrong.gif",
    }
