"""What is passed on with a page says nothing of the machine that made it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from colorize_core.cli.run import main
from colorize_core.errors import EXIT_SOME_FAILED
from tests.film_helpers import make_film


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "private-name" / "SRC"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (6, 8), dtype=np.uint8)
    good = cv2.imencode(".png", cv2.resize(noise, (64, 48), interpolation=cv2.INTER_CUBIC))[1]
    (folder / "good.png").write_bytes(good.tobytes())
    (folder / "torn.png").write_bytes(good.tobytes()[:-300])
    (folder / "none.jpg").write_bytes(b"")
    (folder / "no picture.tif").write_bytes(b"II*\0" + bytes(100))
    (folder / "no.mp4").write_bytes(b"no film at all" * 100)
    make_film(folder / "film.mp4", frames=8)
    data = bytearray((folder / "film.mp4").read_bytes())
    (folder / "torn.mp4").write_bytes(data[: len(data) // 2])
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    (folder / "holed.mp4").write_bytes(data)
    (folder / "lost link.jpg").symlink_to(folder / "nowhere.jpg")
    with zipfile.ZipFile(folder / "inner.zip", "w") as inner:
        inner.writestr("a.png", good.tobytes())
    return folder


def test_no_absolute_path_in_a_page(source: Path, tmp_path: Path, tiny_weights: Path):
    out = tmp_path / "private-name" / "OUT"
    words = [str(source), "--out", str(out), "--runner", "serial"]
    assert main([*words, "--set", f"model.weights={tiny_weights}"]) == EXIT_SOME_FAILED
    files = [path for path in (out / "report").rglob("*") if path.is_file()]
    assert files
    secrets = (b"private-name", str(tmp_path).encode(), bytes(tiny_weights.parent))
    assert [p for p in files if any(word in p.read_bytes() for word in secrets)] == []
