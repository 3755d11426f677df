"""Many outputs are looked at as one is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from colorize_core.archive.records.output_paths import OutputLook, output_in
from colorize_core.errors import UnsafePathError

NAMES = [
    "a.png", "box/b.png", "box/none.png", "none/x.png", "a.png/x", "box", "frames.film",
    "", "/etc/passwd", "../a.png", "box/../../a.png", "nul\0.png", None, 3,
    "out.png", "away/secret.png", "inside.png", "within/b.png", "pipe", "loop", "n" * 300,
]  # fmt: skip


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    (folder / "box").mkdir(parents=True)
    (folder / "frames.film").mkdir()
    (folder / "a.png").write_bytes(b"a")
    (folder / "box/b.png").write_bytes(b"bb")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.png").write_bytes(b"secret")
    (folder / "out.png").symlink_to(outside / "secret.png")
    (folder / "away").symlink_to(outside)
    (folder / "inside.png").symlink_to("box/b.png")
    (folder / "within").symlink_to("box")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_a_look_says_what_the_strict_check_says(out: Path, name: object):
    try:
        path = output_in(out, name)
        expected = path.stat() if path.exists() else None
    except UnsafePathError:
        with pytest.raises(UnsafePathError):
            OutputLook(out).stat(name)
        return
    found = OutputLook(out).stat(name)
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert (found.st_ino, found.st_size) == (expected.st_ino, expected.st_size)
        assert not stat.S_ISLNK(found.st_mode)
