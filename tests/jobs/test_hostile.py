"""What an archive of decades throws at the job: nothing crashes, nothing is lost."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from jobs import colorize_archive

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def scan() -> np.ndarray:
    from skimage import data

    return data.camera()[::6, ::5]


def encoded(picture: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def arguments(weights: Path, source: Path, out: Path) -> list[str]:
    fixed = ["--out", str(out), "--runner", "serial", "--no-report"]
    settings = [f"model.weights={weights}", "render.size=64", "photo.max_pixels=2000000"]
    return [*fixed, *(p for s in settings for p in ("--set", s)), "--", str(source)]


def statuses(out: Path) -> dict[str, str]:
    summary = json.loads((out / ".colorize" / "summary.json").read_text())
    for item in summary["items"]:
        if item["status"] == "failed":
            assert item["reason"], item
    return {item["source"]: item["status"] for item in summary["items"]}


def damaged(scan: np.ndarray) -> dict[str, bytes]:
    """Files that may fail or come out degraded, but not crash."""
    files: dict[str, bytes] = {}
    whole = {
        "jpg": encoded(scan, "JPEG"),
        "png": encoded(scan, "PNG"),
        "tif": encoded(scan, "TIFF", compression="tiff_lzw"),
        "webp": encoded(scan, "WEBP"),
        "gif": encoded(scan, "GIF"),
        "bmp": encoded(scan, "BMP"),
    }
    rng = np.random.default_rng(0)
    for suffix, data in whole.items():
        for index, share in enumerate((0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 0.999)):
            files[f"truncated/{index}.{suffix}"] = data[: int(len(data) * share)]
        for index in range(16):
            flipped = bytearray(data)
            for at in rng.integers(0, len(data), 1 + index):
                flipped[at] ^= 1 << int(rng.integers(8))
            files[f"flipped/{index}.{suffix}"] = bytes(flipped)
        files[f"empty/a.{suffix}"] = b""
        files[f"text/a.{suffix}"] = b"this is not a picture\n" * 40
        files[f"zeros/a.{suffix}"] = bytes(4000)
    bomb = io.BytesIO()
    Image.new("1", (20000, 20000)).save(bomb, "PNG")
    files["bomb.png"] = bomb.getvalue()
    return files


def unusual(scan: np.ndarray) -> dict[str, bytes]:
    """Files that must come out in color."""
    gray = Image.fromarray(scan)
    files = {
        "one pixel.png": encoded(np.full((1, 1), 90, np.uint8), "PNG"),
        "strip.png": encoded(np.resize(scan, (1, 20000)), "PNG"),
        "tower.png": encoded(np.resize(scan, (20000, 1)), "PNG"),
        "cmyk.jpg": encoded(gray.convert("CMYK"), "JPEG"),
        "progressive.jpg": encoded(scan, "JPEG", progressive=True),
        "palette alpha.png": encoded(gray.convert("P"), "PNG", transparency=3),
        "gray alpha.png": encoded(gray.convert("LA"), "PNG"),
        "bilevel.tif": encoded(gray.convert("1"), "TIFF", compression="group4"),
        "-leading dash.png": encoded(scan, "PNG"),
        "two  spaces.png": encoded(scan, "PNG"),
        "new\nline.png": encoded(scan, "PNG"),
        "ünïcödé 写真.png": encoded(scan, "PNG"),
        "UPPER.PNG": encoded(scan, "PNG"),
        "scan.gif": encoded(scan, "GIF"),
        "raw.pgm": encoded(scan, "PPM"),
    }
    for value in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = value
        files[f"orientation {value}.jpg"] = encoded(scan, "JPEG", exif=exif)
    wide = io.BytesIO()
    tifffile.imwrite(wide, scan.astype(np.uint16) * 257)
    files["sixteen.tif"] = wide.getvalue()
    ok, deep = cv2.imencode(".png", scan.astype(np.uint16) * 257)
    assert ok
    files["sixteen.png"] = deep.tobytes()
    return files


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_two_hundred_hostile_inputs(tiny_weights: Path, tmp_path: Path, scan: np.ndarray):
    source, out = tmp_path / "in", tmp_path / "out"
    bad, good = damaged(scan), unusual(scan)
    assert len(bad) + len(good) >= 180
    write(source, bad | good)
    assert colorize_archive.main(arguments(tiny_weights, source, out)) == 2
    found = statuses(out)
    assert set(found) == set(bad) | set(good)
    assert {name: found[name] for name in good} == dict.fromkeys(good, "done")
    sure = [n for n in bad if n.startswith(("empty", "text", "zeros", "bomb"))]
    assert {found[name] for name in sure} == {"failed"}
    assert not list(out.rglob(".colorize-tmp-*"))
    turned = cv2.imread(str(out / "orientation 6.jpg"))
    assert turned.shape[:2] == scan.shape[::-1]


def test_a_zip_that_reaches_out_of_its_folder(tiny_weights: Path, tmp_path: Path, scan: np.ndarray):
    archive, out = tmp_path / "box.zip", tmp_path / "deep" / "out"
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("good.png", encoded(scan, "PNG"))
        file.writestr("../escaped.png", encoded(scan, "PNG"))
        file.writestr("/absolute.png", encoded(scan, "PNG"))
        file.writestr(link, "/etc/passwd")
    assert colorize_archive.main(arguments(tiny_weights, archive, out)) == 2
    assert (out / "good.png").exists()
    written = {p.name for p in tmp_path.rglob("*.png")}
    assert written == {"good.png"}
    assert not Path("/absolute.png").exists()
    assert statuses(out)["good.png"] == "done"


NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="changes uid and mounts, as root only")


@NEEDS_ROOT
def test_an_unreadable_file_is_recorded(tiny_weights: Path, tmp_path: Path, scan: np.ndarray):
    source, out = tmp_path / "in", tmp_path / "out"
    write(source, {"a.png": encoded(scan, "PNG"), "secret.png": encoded(scan, "PNG")})
    (source / "secret.png").chmod(0)
    out.mkdir()
    out.chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents, tiny_weights.parent):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    # All modules are loaded before, because the other user cannot read them.
    assert colorize_archive.main(arguments(tiny_weights, source, tmp_path / "warm")) == 0
    os.seteuid(65534)
    try:
        code = colorize_archive.main(arguments(tiny_weights, source, out))
    finally:
        os.seteuid(0)
    assert code == 2
    assert statuses(out) == {"a.png": "done", "secret.png": "failed"}


@NEEDS_ROOT
def test_a_full_disk_and_then_space(tiny_weights: Path, tmp_path: Path):
    source, disk = tmp_path / "in", tmp_path / "disk"
    source.mkdir()
    disk.mkdir()
    rng = np.random.default_rng(1)
    for index in range(24):
        noise = rng.integers(0, 256, (200, 300), np.uint8)
        (source / f"{index:02d}.png").write_bytes(encoded(noise, "PNG"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", str(disk)]
    subprocess.run(mount, check=True)
    try:
        full = subprocess.run(
            [
                sys.executable,
                "-m",
                "jobs.colorize_archive",
                "--wait-for-space",
                "0.1",
                *arguments(tiny_weights, source, disk / "out"),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert full.returncode == 75, full.stderr
        assert "Traceback" not in full.stderr
        assert "space" in full.stderr
        for path in (disk / "out").glob("*.png"):
            assert cv2.imread(str(path)) is not None, f"{path} is torn"
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        assert colorize_archive.main(arguments(tiny_weights, source, disk / "out")) == 0
        assert len(list((disk / "out").glob("*.png"))) == 24
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
