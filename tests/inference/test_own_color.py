"""Photos that are gray in one part and in color in another, through a real worker."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import color, data

from bench.gray_pictures import KINDS
from colorize_core.archive.records.work import ItemReport, PhotoTask
from colorize_core.archive.source.item import SourceItem
from colorize_core.config import ColorizeConfig, RenderSettings
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.outcomes import UnitOutcomes
from colorize_core.inference.photos import PhotoLine
from colorize_core.inference.signals import suspicions
from colorize_core.media.picture.note import ComputedColorNote

GRAY = data.camera()[::2, ::2] / 255
COLORED = np.ascontiguousarray(data.coffee()[:256, :256])


def colorized(
    path: Path, out: Path, weights: Path, colored: str = "copy"
) -> tuple[ItemReport, bytes]:
    config = ColorizeConfig(render=RenderSettings(size=64, batch_size=2), colored=colored)
    colorizer = Colorizer.load(weights, device="cpu", batch_size=2, render_size=64)
    status = path.stat()
    stamp = f"mtime_ns:{status.st_mtime_ns}"
    item = SourceItem(path.name, str(path), status.st_size, stamp, "photo")
    outcomes = UnitOutcomes()
    line = PhotoLine(out, colorizer, config, ComputedColorNote("test", "0" * 64), outcomes)
    line.run([PhotoTask("ab" * 16, item, path.name)], write_thumbnails=True)
    (report,) = outcomes.items
    return report, (out / path.name).read_bytes() if (out / path.name).exists() else b""


def as_png(path: Path, rgb: np.ndarray) -> np.ndarray:
    picture = (np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8)
    Image.fromarray(picture).save(path)
    return picture


def lab(picture: np.ndarray | bytes) -> np.ndarray:
    if isinstance(picture, bytes):
        picture = np.asarray(Image.open(io.BytesIO(picture)))
    return color.rgb2lab(picture)


def test_a_target_keeps_its_color_and_the_print_is_colored(tmp_path: Path, tiny_weights: Path):
    source = as_png(tmp_path / "a.png", KINDS["target"][0](GRAY, np.random.default_rng(5)))
    report, result = colorized(tmp_path / "a.png", tmp_path / "out", tiny_weights)
    before, after = lab(source), lab(result)
    patches = np.hypot(before[..., 1], before[..., 2]) > 40
    moved = np.hypot(*np.moveaxis((after - before)[..., 1:], -1, 0))
    assert np.median(moved[patches]) < 1
    assert np.quantile(moved[patches], 0.9) < 3
    assert np.abs(after - before)[..., 0].max() < 0.5
    assert np.hypot(after[40:120, :, 1], after[40:120, :, 2]).mean() > 2
    assert report.status == "done"
    assert "partly in color" in report.reason
    assert "--colored recolor" in report.remedy
    assert any("partly in color" in why for why in suspicions(report.details.signals, {}))


def test_whole_decides_for_the_picture_as_one(tmp_path: Path, tiny_weights: Path):
    source = as_png(tmp_path / "a.png", KINDS["target"][0](GRAY, np.random.default_rng(5)))
    report, result = colorized(tmp_path / "a.png", tmp_path / "out", tiny_weights, "whole")
    before, after = lab(source), lab(result)
    patches = np.hypot(before[..., 1], before[..., 2]) > 40
    moved = np.hypot(*np.moveaxis((after - before)[..., 1:], -1, 0))
    assert np.median(moved[patches]) > 10
    assert not report.reason


@pytest.mark.parametrize("colored", ["copy", "whole"])
def test_each_page_is_judged_by_itself(tmp_path: Path, tiny_weights: Path, colored: str):
    gray = (GRAY * 255).astype(np.uint8)
    with tifffile.TiffWriter(tmp_path / "album.tif") as file:
        file.write(COLORED, photometric="rgb")
        file.write(gray, photometric="minisblack")
        file.write(gray[::-1], photometric="minisblack")
    source = (tmp_path / "album.tif").read_bytes()
    report, result = colorized(tmp_path / "album.tif", tmp_path / "out", tiny_weights, colored)
    if colored == "whole":
        assert report.status == "skipped"
        assert result == source
        return
    with tifffile.TiffFile(io.BytesIO(result)) as file:
        pages = [page.asarray() for page in file.pages]
    assert np.array_equal(pages[0], COLORED)
    assert all(np.hypot(*np.moveaxis(lab(p)[..., 1:], -1, 0)).mean() > 2 for p in pages[1:])
    assert report.reason == "page 1 is in color and kept, the other 2 colored"
    assert any("partly in color: 33" in why for why in suspicions(report.details.signals, {}))


def test_what_is_skipped_has_previews_and_a_remedy(tmp_path: Path, tiny_weights: Path):
    Image.fromarray(COLORED).save(tmp_path / "a.png")
    report, result = colorized(tmp_path / "a.png", tmp_path / "out", tiny_weights)
    assert result == (tmp_path / "a.png").read_bytes()
    assert report.status == "skipped"
    assert "--colored recolor" in report.remedy
    assert "overrides.yaml" in report.remedy
    thumbnails = report.details.thumbnails
    with Image.open(tmp_path / "out" / "report" / "thumbs" / thumbnails.after) as small:
        assert small.size == (thumbnails.width, thumbnails.height) == (256, 256)


@pytest.mark.parametrize("tall", [False, True])
def test_a_long_picture_is_colored_like_its_parts(tmp_path: Path, tall: bool):
    """Four faces side by side: each gets the color it has alone, and no border of a part shows."""
    face = data.astronaut()[:192, 128:320] @ np.array([0.299, 0.587, 0.114])
    strip = np.concatenate([face] * 5, 0 if tall else 1).astype(np.uint8)
    colorizer = Colorizer.load(device="cpu", batch_size=1)
    alone = lab(colorizer.colorize(face.astype(np.uint8)))[..., 1:]
    result = lab(colorizer.colorize(strip))[..., 1:]
    middle = result[384:576] if tall else result[:, 384:576]
    assert np.abs(middle.mean((0, 1)) - alone.mean((0, 1))).max() < 6
    assert middle.mean((0, 1))[0] > 2
