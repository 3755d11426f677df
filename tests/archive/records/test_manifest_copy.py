"""The second copy of the manifest: what one file has lost comes back, if its output is right."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.work import ItemReport
from colorize_core.archive.storage.storage import LocalFolder
from colorize_core.pipeline.verify import is_as_recorded


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "manifest.jsonl", tmp_path / "manifest.copy.jsonl"


def opened(files: tuple[Path, Path]) -> Manifest:
    return Manifest(files[0], copy=files[1])


def report(name: str, content: bytes) -> ItemReport:
    sha256 = hashlib.sha256(content).hexdigest()
    return ItemReport(name, "photo", name, "done", name, sha256=sha256, size=len(content))


@pytest.fixture
def out(tmp_path: Path, files: tuple[Path, Path]) -> Path:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(name.encode())
    manifest = opened(files)
    for name in ("a", "b", "c"):
        manifest.append([report(name, name.encode())])
    return tmp_path


def test_both_have_every_line(out: Path, files: tuple[Path, Path]):
    assert files[0].read_bytes() == files[1].read_bytes()
    assert opened(files).restore(lambda _report: True) == 0


def remove(path: Path) -> None:
    path.unlink()


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut_lines(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))


@pytest.mark.parametrize("damage", [remove, tear, flip, cut_lines])
def test_what_the_manifest_lost_comes_back(out: Path, files: tuple[Path, Path], damage):
    damage(files[0])
    manifest = opened(files)
    lost = 3 - len(manifest)
    assert lost
    assert manifest.restore(lambda found: is_as_recorded(LocalFolder(out), found)) == lost
    assert [opened(files).get(name) for name in "abc"] == [report(n, n.encode()) for n in "abc"]
    assert opened(files).restore(lambda _report: True) == 0


def test_a_line_whose_output_is_another_file_stays_away(out: Path, files: tuple[Path, Path]):
    remove(files[0])
    (out / "b").write_bytes(b"x")  # of the same size
    (out / "c").unlink()
    assert opened(files).restore(lambda found: is_as_recorded(LocalFolder(out), found)) == 1
    assert opened(files).status("a") == "done"
    assert opened(files).status("b") is None


@pytest.mark.parametrize("damage", [remove, tear, flip, cut_lines])
def test_a_damaged_copy_costs_nothing(out: Path, files: tuple[Path, Path], damage):
    damage(files[1])
    manifest = opened(files)
    assert manifest.restore(lambda _report: True) == 0
    assert len(manifest) == 3
    manifest.append([report("d", b"d")])
    assert Manifest(files[1]).status("d") == "done"


def test_a_manifest_from_before_gets_its_copy(out: Path, files: tuple[Path, Path]):
    files[1].unlink()
    opened(files).restore(lambda _report: True)
    assert files[0].read_bytes() == files[1].read_bytes()
