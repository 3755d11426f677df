"""Options for films through the command line: each has its effect, a mistake costs one line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from colorize_core.cli.shortcuts import SHORTCUTS
from colorize_core.media.film.planes import plane
from jobs import colorize_archive
from tests.film_helpers import decode, make_film, packets, picture

ROOT = Path(__file__).parents[2]
FRAMES = 24


class Job:
    """Runs the job in this process with the tiny generator."""

    def __init__(self, weights: Path, out: Path) -> None:
        self.out = out
        settings = (
            f"model.weights={weights}",
            "render.size=64",
            "render.batch_size=4",
            "video.segment_frames=16",
            "video.preset=ultrafast",
        )
        self.fixed = ["--out", str(out), *(part for s in settings for part in ("--set", s))]

    def __call__(self, source: Path, *more: str) -> int:
        fixed = ["--runner", "serial", "--no-report", *self.fixed]
        return colorize_archive.main([*fixed, *more, "--", str(source)])

    def item(self, name: str) -> dict:
        summary = json.loads((self.out / ".colorize" / "summary.json").read_text())
        return {item["source"]: item for item in summary["items"]}[name]

    def result(self, name: str) -> Path:
        return self.out / self.item(name)["output"]


@pytest.fixture
def job(tiny_weights: Path, tmp_path: Path) -> Job:
    return Job(tiny_weights, tmp_path / "out")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    make_film(tmp_path / "film.mp4", frames=FRAMES, audio=["aac"])
    return tmp_path / "film.mp4"


@pytest.fixture
def reel(tmp_path: Path) -> Path:
    """A folder of numbered frames; silent, of course."""
    folder = tmp_path / "reel"
    folder.mkdir()
    for index in range(FRAMES):
        gray = np.round(picture(index) * 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{index:04d}.png"), gray)
    return folder


def chroma(path: Path) -> float:
    return float(np.mean([np.abs(plane(f, 1).astype(int) - 128).mean() for f in decode(path)]))


def test_ffv1_with_its_luma_verified(job: Job, film: Path, capsys: pytest.CaptureFixture[str]):
    assert job(film, "--codec", "ffv1", "--verify-luma") == 0
    said = f"film.mp4: luma of all {FRAMES} frames equals the source's bit for bit"
    assert said in capsys.readouterr().err
    result = job.result("film.mp4")
    assert result.name == "film.mp4.mkv"
    assert chroma(result) > 2
    for before, after in zip(decode(film), decode(result), strict=True):
        assert np.array_equal(plane(before, 0), plane(after, 0))


def test_a_lossy_codec_says_how_far_its_luma_is_off(
    job: Job, film: Path, capsys: pytest.CaptureFixture[str]
):
    assert job(film, "--verify-luma") == 0
    assert f"of {FRAMES} frames differs from the source's" in capsys.readouterr().err
    luma = job.item("film.mp4")["details"]["luma"]
    assert 0 < luma["mean"] < 2


@pytest.mark.parametrize(
    ("codec", "decoder", "suffix"),
    [
        ("libx264", "h264", ".mp4"),
        ("libx265", "hevc", ".mp4"),
        ("libsvtav1", "libdav1d", ".mp4"),
        ("prores_ks", "prores", ".mov"),
    ],
)
def test_codec(job: Job, film: Path, codec: str, decoder: str, suffix: str):
    assert job(film, "--codec", codec) == 0
    result = job.result("film.mp4")
    assert result.suffix == suffix
    with av.open(str(result)) as container:
        assert container.streams.video[0].codec_context.name == decoder
    before, after = decode(film), decode(result)
    assert [f.pts * f.time_base for f in after] == [f.pts * f.time_base for f in before]
    assert chroma(result) > 2
    assert [data for _, data in packets(result, 1)] == [data for _, data in packets(film, 1)]
    notes = job.item("film.mp4")["details"].get("notes", [])
    moved = "goes into mov: prores_ks has no place in mp4"
    assert (moved in notes) == (codec == "prores_ks")


@pytest.mark.parametrize("container", ["mkv", "mov"])
def test_container(job: Job, film: Path, container: str):
    assert job(film, "--container", container) == 0
    result = job.result("film.mp4")
    assert result.name == f"film.mp4.{container}"
    assert len(decode(result)) == FRAMES
    with av.open(str(result)) as opened:
        assert {"mkv": "matroska", "mov": "mov"}[container] in opened.format.name


def test_a_codec_that_the_chosen_container_cannot_hold(job: Job, film: Path):
    assert job(film, "--container", "mp4", "--codec", "prores_ks") == 2
    item = job.item("film.mp4")
    assert (item["status"], item["reason"]) == ("failed", "mp4 cannot hold prores_ks")
    assert item["remedy"] == "use mkv, mov"


def test_deinterlace(job: Job, tmp_path: Path):
    path = tmp_path / "film.mkv"
    options = {"x264-params": "tff=1", "g": "12", "preset": "ultrafast"}
    make_film(path, frames=FRAMES, options=options)
    for choice, is_interlaced in (("keep", True), ("bwdif", False)):
        other = Job(tmp_path, tmp_path / choice)
        other.fixed = [part.replace(str(job.out), str(other.out)) for part in job.fixed]
        assert other(path, "--codec", "ffv1", "--deinterlace", choice, "--verify-luma") == 0
        result = decode(other.result("film.mkv"))
        assert len(result) == FRAMES
        same = [
            np.array_equal(plane(a, 0), plane(b, 0))
            for a, b in zip(decode(path), result, strict=True)
        ]
        assert all(same) == is_interlaced


def test_frames_out(job: Job, film: Path):
    assert job(film, "--frames", "png") == 0
    folder = job.result("film.mp4")
    assert len(list(folder.glob("*.png"))) == FRAMES
    assert len((folder / "times.csv").read_text().splitlines()) == FRAMES + 1
    item = job.item("film.mp4")
    assert item["status"] == "degraded"
    assert item["reason"] == "lost: audio stream 1 (aac)"


def test_frames_in(job: Job, reel: Path):
    assert job(reel, "--as-film", "--fps", "24", "--codec", "ffv1", "--verify-luma") == 0
    result = job.result("reel")
    assert result.name == "reel.mkv"
    with av.open(str(result)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert container.streams.video[0].average_rate == 24
    after = decode(result)
    assert len(after) == FRAMES
    assert after[-1].time == pytest.approx((FRAMES - 1) / 24, abs=0.001)
    for index, frame in enumerate(after):
        gray = np.round(picture(index) * 255).astype(np.uint8)
        assert np.array_equal(plane(frame, 0), gray)


def test_a_short_form_is_the_setting(job: Job, film: Path, capsys: pytest.CaptureFixture[str]):
    assert job(film, "--codec", "ffv1") == 0
    capsys.readouterr()
    # The same identity: nothing is done again.
    assert job(film, "--set", "video.codec=ffv1") == 0
    assert "0 to do" in capsys.readouterr().err
    # Where both are given, the short form wins.
    assert job(film, "--codec", "ffv1", "--set", "video.codec=libx265") == 0
    assert "0 to do" in capsys.readouterr().err


def dry_run(job: Job, source: Path, *more: str) -> str:
    """What a dry run says. It loads neither torch nor ray; what it calibrates with, may."""
    code = (
        "import sys; from jobs.colorize_archive import main; code = main(sys.argv[1:]); "
        "heavy = {'torch', 'ray'} & set(sys.modules); assert not heavy, heavy; sys.exit(code)"
    )
    arguments = [*job.fixed, "--dry-run", *more, "--", str(source)]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not job.out.exists()
    return done.stderr


def test_dry_run_of_films(job: Job, film: Path):
    folder = film.parent / "in"
    folder.mkdir()
    film.rename(folder / "gray.mp4")
    make_film(folder / "color.mp4", frames=10, colored=True)
    options = ("--codec", "ffv1", "--container", "mp4")
    said = dry_run(job, folder, *options).splitlines()
    assert f"to do: 0 photos, 2 films with {FRAMES} frames" in said
    assert "1 films have color already: copied" in said
    assert "will be lost: gray.mp4: color tags" in said
    time, disk = said[-2:]
    assert time.startswith("time: about ")
    assert "from a calibration" in time
    assert "not measured" not in time
    estimated = [float(x) for x in re.findall(r"([0-9.]+) MiB", disk)]
    assert job(folder, *options) == 0
    kept = sum(p.stat().st_size for p in job.out.glob("*")) / 2**20
    assert estimated[0] == pytest.approx(kept, rel=0.3, abs=0.06)
    assert "more while films are joined" in disk


def test_dry_run_of_frames_out(job: Job, film: Path, capsys: pytest.CaptureFixture[str]):
    assert job(film) == 0
    capsys.readouterr()
    assert job(film, "--frames", "png", "--dry-run") == 0
    said = capsys.readouterr().err
    assert f"1 films with {FRAMES} frames" in said
    assert "from the earlier run" in said
    assert "will be lost: film.mp4: audio stream 1 (aac)" in said


def test_dry_run_of_frames_in(job: Job, reel: Path, capsys: pytest.CaptureFixture[str]):
    said = dry_run(job, reel, "--as-film", "--fps", "24")
    assert f"to do: 0 photos, 1 films with {FRAMES} frames" in said
    assert "from a calibration" in said
    assert "lost" not in said
    (reel / "more.txt").write_text("no picture")
    (reel / "10.png").write_bytes((reel / "0001.png").read_bytes())
    capsys.readouterr()
    assert job(reel, "--as-film", "--fps", "24", "--dry-run") == 2
    assert "will fail: reel" in capsys.readouterr().err


def test_the_readme_lists_them():
    readme = (ROOT / "README.md").read_text()
    for option in SHORTCUTS:
        assert f"`{option}" in readme or f" {option} " in readme, option


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--codec", "divx"], "--codec: invalid choice: 'divx'"),
        (["--frames", "jpg"], "--frames: invalid choice: 'jpg'"),
        (["--deinterlace", "yadif"], "--deinterlace: invalid choice"),
        (["--container", "avi"], "--container: invalid choice"),
        (["--fps", "fast"], "--fps: invalid float value: 'fast'"),
        (["--as-film", "--fps=-1"], "video.fps: -1.0 is not allowed (use at least 0)"),
        (["--fps", "24"], "add --as-film"),
    ],
)
def test_a_mistake_costs_one_line(
    options: list[str], said: str, film: Path, capsys: pytest.CaptureFixture[str]
):
    assert colorize_archive.main([*options, "--", str(film)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert said in lines[0]
    assert list(film.parent.iterdir()) == [film]
