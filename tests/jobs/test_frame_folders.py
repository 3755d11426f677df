"""Frame folders in, frame folders out, through the main job."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import cv2
import numpy as np
import pytest

from colorize_core.media.film.mux.luma_check import compare_luma
from colorize_core.media.film.probe import probe_film
from jobs import colorize_archive
from tests.ffmpeg_helpers import ffmpeg, samples
from tests.film_helpers import make_film, picture

FAST = ("--set", "render.size=64", "--set", "video.preset=ultrafast")


@pytest.fixture
def colorize(tiny_weights: Path, tmp_path: Path):
    def run(source: Path, *more: str) -> Path:
        out = tmp_path / "out"
        fixed = ["--out", str(out), "--runner", "serial", "--no-report"]
        fixed += ["--set", f"model.weights={tiny_weights}", *FAST]
        assert colorize_archive.main([*fixed, *more, "--", str(source)]) == 0
        return out

    return run


def _write_frames(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for index in range(count):
        gray = np.round(picture(index) * 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{index:04d}.png"), gray)


def test_frame_folders_become_films(tmp_path, colorize):
    source = tmp_path / "reels"
    _write_frames(source / "reel 1", 40)
    _write_frames(source / "reel 2", 12)
    options = ("--set", "video.as_film=true", "--set", "video.fps=16")
    options += ("--set", "video.codec=ffv1", "--set", "video.segment_frames=16")
    make_film(source / "beside.mkv", frames=5)
    out = colorize(source, *options)
    assert probe_film(out / "beside.mkv").frames == 5
    for name, frames in (("reel 1", 40), ("reel 2", 12)):
        probe = probe_film(out / f"{name}.mkv")
        assert (probe.frames, probe.frame_rate) == (frames, 16)
        assert not probe.planar.is_gray
        folder = source / name
        check = compare_luma(folder, probe_film(folder, fps=16), out / f"{name}.mkv")
        assert (check.frames, check.differing) == (frames, 0)
    before = (out / "reel 1.mkv").stat().st_mtime_ns
    # One changed frame redoes its own film only.
    cv2.imwrite(str(source / "reel 2" / "0003.png"), np.full((64, 96), 90, np.uint8))
    other = (out / "reel 2.mkv").stat().st_mtime_ns
    colorize(source, *options)
    assert (out / "reel 1.mkv").stat().st_mtime_ns == before
    assert (out / "reel 2.mkv").stat().st_mtime_ns > other


def test_a_film_becomes_a_folder_of_frames(tmp_path, colorize):
    film = tmp_path / "film.mp4"
    make_film(film, frames=20)
    out = colorize(film, "--set", "video.frames=png")
    folder = out / "film.mp4.frames"
    pictures = [cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in sorted(folder.glob("*.png"))]
    assert len(pictures) == 20
    assert pictures[0].shape == (64, 96, 3)
    assert np.ptp(pictures[0].astype(int), axis=2).mean() > 0.5
    assert colorize_archive.main(["--verify", "--out", str(out), str(film)]) == 0
    (folder / "000007.png").write_bytes(b"of another film")
    assert colorize_archive.main(["--verify", "--out", str(out), str(film)]) == 2
    assert not (out / ".colorize" / "segments").exists() or not list(
        (out / ".colorize" / "segments").rglob("*.nut")
    )


def test_a_copied_frame_folder_leaves_the_films_of_folders_in_it(tmp_path, colorize):
    source = tmp_path / "reels"
    _write_frames(source / "a" / "b", 3)
    red = np.zeros((64, 96, 3), np.uint8)
    red[..., 2] = np.linspace(60, 255, 96)
    for index in range(3):
        cv2.imwrite(str(source / "a" / f"{index}.png"), red)
    out = colorize(source, "--set", "video.as_film=true")
    assert probe_film(out / "a" / "b.mkv").frames == 3
    assert colorize_archive.main(["--verify", "--out", str(out), str(source)]) == 0
    assert sorted(path.name for path in (out / "a.frames").iterdir()) == ["0.png", "1.png", "2.png"]
    assert (out / "a.frames" / "0.png").read_bytes() == (source / "a" / "0.png").read_bytes()


def _write_sound(path: Path, hertz: int) -> np.ndarray:
    tone = np.round(9000 * np.sin(np.arange(48000) * hertz * 2 * np.pi / 48000)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 48000, 0, "NONE", ""))
        file.writeframes(tone.tobytes())
    return tone


def _said_of_segments(out: Path) -> list[tuple[str, float]]:
    lines = map(json.loads, (out / ".colorize" / "manifest.jsonl").read_text().splitlines())
    return [(line["sha256"], line["seconds"]) for line in lines if line.get("kind") == "segment"]


def test_another_sound_beside_the_frames_is_joined_to_the_same_pictures(tmp_path, colorize, capsys):
    source = tmp_path / "reels"
    _write_frames(source / "reel", 24)
    _write_sound(source / "reel.wav", 440)
    options = ("--set", "video.as_film=true", "--set", "video.segment_frames=16", "--sound")
    out = colorize(source, *options)
    before = ffmpeg("-i", out / "reel.mkv", "-map", "0:v", "-c", "copy", "-f", "md5", "-")
    made = _said_of_segments(out)
    colorize(source, *options)
    assert "1 to do" not in capsys.readouterr().err.rpartition("items in")[2]
    verify = ["--verify", "--verify-source", "--out", str(out), *options, str(source)]
    assert colorize_archive.main(verify) == 0
    tone = _write_sound(source / "reel.wav", 300)
    assert colorize_archive.main(verify) == 2
    assert "reel.wav: another sound" in capsys.readouterr().err
    colorize(source, *options)
    after = ffmpeg("-i", out / "reel.mkv", "-map", "0:v", "-c", "copy", "-f", "md5", "-")
    assert after == before
    assert np.array_equal(samples(out / "reel.mkv", kind="s32le") >> 16, tone)
    assert _said_of_segments(out) == [*made, *made], "cut out of the film, not computed again"
    assert colorize_archive.main(verify) == 0
