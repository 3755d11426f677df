"""Outputs have the dates of their sources, wherever these come from."""

from __future__ import annotations

import json
import os
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from tests.archive.test_own_folders import run
from tests.conftest import gray_picture
from tests.film_helpers import make_film

THEN = 400_000_000  # 1982
NAMES = ("gray.png", "color.png", "gray.mkv", "color.mkv")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    folder.mkdir()
    Image.fromarray(gray_picture(1)).save(folder / "gray.png")
    picture = Image.linear_gradient("L").resize((64, 48))
    Image.merge("RGB", (picture, picture.rotate(180), picture.rotate(90))).save(
        folder / "color.png"
    )
    make_film(folder / "gray.mkv")
    make_film(folder / "color.mkv", colored=True)
    for name in NAMES:
        os.utime(folder / name, (THEN, THEN))
    return folder


def dates(out: Path) -> dict[str, int]:
    summary = json.loads((out / ".colorize" / "summary.json").read_text())
    assert len(summary["items"]) == len(NAMES)
    return {i["source"]: int((out / i["output"]).stat().st_mtime) for i in summary["items"]}


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tgz"])
def test_dates_are_kept(kind: str, source: Path, tmp_path: Path, tiny_weights: Path):
    given = source
    if kind == "zip":
        given = tmp_path / "s.zip"
        with zipfile.ZipFile(given, "w") as archive:
            for name in NAMES:
                archive.write(source / name, name)
    elif kind != "folder":
        given = tmp_path / f"s.{kind}"
        with tarfile.open(given, "w:gz" if kind == "tgz" else "w") as archive:
            archive.add(source, ".")
    out = tmp_path / "out"
    before = time.time()
    assert run(given, out, tiny_weights) == 0
    assert dates(out) == dict.fromkeys(NAMES, THEN)
    # A comparison that is older than its output is made again, also if both are dated 1982.
    assert run(given, out, tiny_weights, "--compare") == 0
    made = out / "report" / "compare" / "gray.png.jpg"
    first = made.stat().st_mtime_ns
    assert first > before * 10**9
    assert run(given, out, tiny_weights, "--compare", "--set", "render.strength=0.5") == 0
    assert made.stat().st_mtime_ns > first
    second = made.stat().st_mtime_ns
    assert run(given, out, tiny_weights, "--compare", "--set", "render.strength=0.5") == 0
    assert made.stat().st_mtime_ns == second
