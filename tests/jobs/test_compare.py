"""`--compare`: before on the left, after on the right, in files that other programs read."""

from __future__ import annotations

import os
import zipfile
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data

from jobs import colorize_archive
from tests.film_helpers import decode, make_film, packets

DIVIDER = 4


class Job:
    """Runs the job with --compare and the tiny generator."""

    def __init__(self, weights: Path, out: Path) -> None:
        self.out = out
        settings = ("render.size=64", "video.preset=ultrafast", f"model.weights={weights}")
        self.fixed = [part for setting in settings for part in ("--set", setting)]

    def __call__(self, source: Path, *more: str) -> int:
        fixed = ["--out", str(self.out), "--runner", "serial", "--no-report", *self.fixed]
        return colorize_archive.main([*fixed, *more, "--", str(source)])

    def comparison(self, name: str) -> Path:
        return self.out / "report" / "compare" / name


@pytest.fixture
def job(tiny_weights: Path, tmp_path: Path) -> Job:
    return Job(tiny_weights, tmp_path / "out")


def halves(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left and right of a comparison; the divider between them is nearly white."""
    width = (picture.shape[1] - DIVIDER) // 2
    assert picture[:, width + 1 : width + DIVIDER - 1].mean() > 245
    return picture[:, :width].astype(int), picture[:, width + DIVIDER :].astype(int)


def read_rgb(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def write_photos(folder: Path) -> None:
    """An 8-bit PNG, a JPEG turned by EXIF, and a 16-bit TIFF, all gray."""
    (folder / "box 1").mkdir(parents=True)
    Image.fromarray(data.camera()[::2, ::2]).save(folder / "box 1" / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by a quarter
    gray = cv2.cvtColor(data.chelsea(), cv2.COLOR_RGB2GRAY)
    Image.fromarray(gray).save(folder / "b.jpg", exif=exif, quality=95)
    tifffile.imwrite(folder / "c.tif", gray.astype(np.uint16) * 257)


def test_photos_stand_side_by_side(job: Job, tmp_path: Path):
    write_photos(tmp_path / "in")
    assert job(tmp_path / "in", "--compare") == 0
    expected = {
        "box 1/a.png.jpg": (data.camera()[::2, ::2], read_rgb(job.out / "box 1" / "a.png")),
        "b.jpg": (
            np.rot90(cv2.imread(str(tmp_path / "in" / "b.jpg"), cv2.IMREAD_GRAYSCALE | 128), -1),
            read_rgb(job.out / "b.jpg"),
        ),
        "c.tif.jpg": (
            tifffile.imread(tmp_path / "in" / "c.tif") // 257,
            tifffile.imread(job.out / "c.tif") // 257,
        ),
    }
    found = {str(p.relative_to(job.comparison(""))) for p in job.comparison("").rglob("*.*")}
    assert found == set(expected)
    for name, (gray, color) in expected.items():
        left, right = halves(read_rgb(job.comparison(name)))
        assert left.shape == right.shape == color.shape, name
        assert np.abs(left - gray[..., None]).mean() < 2, name
        assert np.abs(right - color).mean() < 4, name
        assert np.ptp(right, axis=2).mean() > np.ptp(left, axis=2).mean() + 2, name
    raw = job.comparison("b.jpg").read_bytes()
    assert b"compositeWithTrainedAlgorithmicMedia" in raw, "it does not say what it is"


def test_a_film_keeps_its_times_and_sound(job: Job, tmp_path: Path):
    times = [0, 512, 1024, 2000, 2600, 4000, 4100, 5555, 6000, 7777, 9000, 9512]
    make_film(tmp_path / "in.mp4", frames=12, pts=times, audio=["aac"])
    with zipfile.ZipFile(tmp_path / "box.zip", "w") as box:
        box.write(tmp_path / "in.mp4", "reels/film.mp4")
    assert job(tmp_path / "box.zip", "--compare") == 0
    output, both = job.out / "reels" / "film.mp4", job.comparison("reels/film.mp4")
    before, after, compared = (decode(path) for path in (tmp_path / "in.mp4", output, both))
    assert [f.pts * f.time_base for f in compared] == [f.pts * f.time_base for f in after]
    assert [f.pts * f.time_base for f in compared] == [Fraction(t, 12800) for t in times]
    for gray, color, pair in zip(before, after, compared, strict=True):
        left, right = halves(pair.to_ndarray(format="rgb24"))
        assert np.abs(left - gray.to_ndarray(format="rgb24")).mean() < 3
        assert np.abs(right - color.to_ndarray(format="rgb24")).mean() < 4
        assert np.ptp(right, axis=2).mean() > np.ptp(left, axis=2).mean() + 2
    assert packets(both, 1) == packets(output, 1)
    with av.open(str(both)) as container:
        assert "computed" in container.metadata["comment"]
    assert not list((job.out / ".colorize").rglob("*.mp4")), "staged films are removed"


@pytest.mark.parametrize(
    ("name", "kind", "size"),
    [
        ("turned.mov", {"rotation": 90}, (2 * 64 + DIVIDER, 96)),
        ("wide pixels.mkv", {"sample_aspect": Fraction(2)}, (2 * 192 + DIVIDER, 64)),
        ("deep.mkv", {"codec": "ffv1", "pix_fmt": "gray10le"}, (2 * 96 + DIVIDER, 64)),
    ],
)
def test_films_are_compared_upright(
    job: Job, tmp_path: Path, name: str, kind: dict, size: tuple[int, int]
):
    (tmp_path / "in").mkdir()
    make_film(tmp_path / "in" / name, frames=3, **kind)
    assert job(tmp_path / "in", "--compare") == 0
    frames = decode(job.comparison(name))
    assert len(frames) == 3
    assert (frames[0].width, frames[0].height) == size
    left, right = halves(frames[1].to_ndarray(format="rgb24"))
    # The same Y' on both sides, and color on one.
    assert np.abs((left - right) @ [0.299, 0.587, 0.114]).mean() < 3
    assert np.ptp(right, axis=2).mean() > np.ptp(left, axis=2).mean() + 2


def test_a_folder_of_frames_is_compared_at_the_times_of_its_film(job: Job, tmp_path: Path):
    times = [0, 512, 1500, 4000, 4512]
    (tmp_path / "in").mkdir()
    make_film(tmp_path / "in" / "film.mp4", frames=5, pts=times, audio=["aac"])
    assert job(tmp_path / "in", "--compare", "--frames", "png") == 0
    assert (job.out / "film.mp4.frames").is_dir()
    compared = decode(job.comparison("film.mp4.frames.mkv"))
    # Matroska counts milliseconds, and starts with the sound.
    found = np.array([float(f.pts * f.time_base) for f in compared])
    assert np.diff(found) == pytest.approx(np.diff(times) / 12800, abs=0.0011)
    left, right = halves(compared[2].to_ndarray(format="rgb24"))
    assert np.ptp(right, axis=2).mean() > np.ptp(left, axis=2).mean() + 2
    with av.open(str(job.comparison("film.mp4.frames.mkv"))) as container:
        assert len(container.streams.audio) == 1


def test_only_what_is_missing_or_old_is_made(
    job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    source = tmp_path / "in"
    write_photos(source)
    Image.fromarray(data.coffee()[::4, ::4]).save(source / "color.png")
    assert job(source) == 0
    assert not job.comparison("").exists(), "not asked for"
    capsys.readouterr()
    assert job(source, "--compare") == 0
    said = capsys.readouterr().err
    assert "0 to do" in said
    assert "3 made" in said
    files = [p for p in job.comparison("").rglob("*.*") if p.is_file()]
    assert len(files) == 3, "what was only copied is not compared"
    for path in files:
        os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 3600 * 10**9))
    first = {path: path.stat().st_mtime_ns for path in files}
    (tmp_path / "redo.txt").write_text("b.jpg\n")
    os.utime(job.comparison("c.tif.jpg"), ns=(0, 0))
    assert job(source, "--compare", "--redo-list", str(tmp_path / "redo.txt")) == 0
    changed = {path for path in files if path.stat().st_mtime_ns != first[path]}
    # The redone photo's own was newer by the clock that this test turned.
    assert changed == {job.comparison("c.tif.jpg")}
    os.utime(job.comparison("b.jpg"), ns=(0, 0))
    assert job(source, "--compare") == 0
    assert "1 made, 2 there before" in capsys.readouterr().err
    assert job(source, "--verify") == 0


def test_a_comparison_that_fails_is_said_and_fails_nothing(
    job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    source = tmp_path / "in"
    write_photos(source)
    make_film(source / "film.mp4", frames=4)
    assert job(source) == 0
    for name in ("film.mp4", "c.tif"):
        size = (job.out / name).stat().st_size
        (job.out / name).write_bytes(b"\0" * size)  # same size: not seen as missing
    capsys.readouterr()
    assert job(source, "--compare") == 0
    said = capsys.readouterr().err
    assert "no comparison of c.tif: c.tif: not a picture" in said
    assert "no comparison of film.mp4: " in said
    assert "2 made, 2 failed" in said
    assert not [p for p in job.comparison("").rglob("*") if p.name.startswith(".")]


def test_comparisons_inside_the_source_are_not_inputs(job: Job, tmp_path: Path):
    source = tmp_path / "in"
    write_photos(source)
    job.out = source / "color"
    assert job(source, "--compare") == 0
    assert job(source, "--compare") == 0
    assert not (job.out / "color").exists()


def test_a_source_that_stands_in_the_way_is_refused(
    job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    write_photos(tmp_path / "in" / "report" / "compare")
    assert job(tmp_path / "in", "--compare") == 1
    assert "leave out --compare" in capsys.readouterr().err
    assert job(tmp_path / "in") == 0
