"""Letters and logos in color over gray film keep it; noise of a tape is no letter."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from skimage.data import camera

from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.scan import scan_film
from colorize_core.media.film.shot import Shot
from jobs import colorize_archive
from tests.film_helpers import decode, make_film

SIZE, FRAMES = (288, 216), 36
LOGO = (slice(16, 44), slice(240, 270))  # rows, columns
LETTERS = (slice(172, 200), slice(60, 230))
SHOWN = range(6, 34)
FONT = ImageFont.load_default(24)


def drawn(index: int, *, logo: bool = True, letters: bool = True, noise: float = 0.0) -> np.ndarray:
    """A gray picture in motion; a red logo in a corner all the time, and a subtitle for a while."""
    gray = camera()[60 : 60 + SIZE[1], 20 + index : 20 + index + SIZE[0]] // 2 + 30
    picture = Image.fromarray(np.repeat(gray[..., None], 3, 2))
    draw = ImageDraw.Draw(picture)
    if logo:
        draw.rectangle((240, 16, 269, 43), fill=(200, 20, 30))
        draw.text((247, 17), "L", fill="white", font=FONT)
    if letters and index in SHOWN:
        draw.text((60, 172), "Where is he?", fill=(240, 225, 20), font=FONT)
    rgb = np.asarray(picture).astype(float)
    if noise:  # smeared along the lines, as on tapes
        rng = np.random.default_rng(index)
        added = rng.normal(0, noise, (SIZE[1], SIZE[0] + 8, 3)).cumsum(1)
        rgb = rgb + (added[:, 8:] - added[:, :-8]) / np.sqrt(8)
    return np.clip(rgb, 0, 255).astype(np.uint8)


def film(path: Path, **how: object) -> None:
    def draw(index: int) -> av.VideoFrame:
        frame = av.VideoFrame.from_ndarray(drawn(index, **how), format="rgb24")
        return frame.reformat(format="yuv420p")

    options = {"crf": "12", "preset": "veryfast", "g": "12"}
    make_film(path, frames=FRAMES, size=SIZE, rate=24, options=options, draw=draw)


@pytest.fixture
def colorize(tmp_path: Path, tiny_weights: Path):
    def run(path: Path, *more: str) -> tuple[list[av.VideoFrame], str]:
        out = tmp_path / "-".join((path.stem, *more))
        fixed = ["--out", str(out), "--runner", "serial", "--no-report", "--codec", "ffv1"]
        fixed += ["--set", f"model.weights={tiny_weights}", "--set", "render.size=64"]
        fixed += ["--set", "video.segment_frames=24", "--set", "temporal.enabled=false"]
        assert colorize_archive.main([*fixed, *more, "--", str(path)]) == 0
        (item,) = json.loads((out / ".colorize" / "summary.json").read_text())["items"]
        assert item["status"] == "done"
        return decode(out / item["output"]), json.dumps(item)

    return run


def chroma(frame: av.VideoFrame) -> np.ndarray:
    """Cb and Cr [2, h, w] of a frame in 4:2:0."""
    whole = frame.to_ndarray().reshape(-1)[SIZE[0] * SIZE[1] :]
    return whole.reshape(2, SIZE[1] // 2, SIZE[0] // 2).astype(int)


def at(frame: av.VideoFrame, place: tuple[slice, slice]) -> np.ndarray:
    rows, columns = (slice(part.start // 2, part.stop // 2) for part in place)
    return chroma(frame)[:, rows, columns]


def test_a_logo_and_a_subtitle_keep_their_color(tmp_path: Path, colorize):
    path = tmp_path / "titled.mp4"
    film(path)
    result, said = colorize(path)
    assert "letters or logos keep their color, in shots of 36 frames" in said
    gray, _ = colorize(path, "--colored", "recolor")
    for index, (before, after, recolored) in enumerate(
        zip(decode(path), result, gray, strict=True)
    ):
        assert np.array_equal(at(before, LOGO), at(after, LOGO)), "white letters in it, too"
        place = at(before, LETTERS)
        is_strong = np.hypot(*(place - 128)) > 30
        assert bool(is_strong.any()) == (index in SHOWN)
        assert np.array_equal(place[:, is_strong], at(after, LETTERS)[:, is_strong])
        # Elsewhere, and where the letters are not yet or no more, the computed color stands.
        others = np.ones(chroma(after).shape[1:], bool)
        others[4:26, 114:140] = False
        if index in SHOWN:
            others[80:106, 22:122] = False
        moved = (chroma(after) != chroma(recolored)).any(0)
        assert (moved & others).sum() < 20, "remains of the letters in the source"


@pytest.mark.parametrize("noise", [0.0, 12.0])
def test_nothing_is_found_where_nothing_is(tmp_path: Path, noise: float):
    path = tmp_path / "plain.mp4"
    film(path, logo=False, letters=False, noise=noise)
    shots = scan_film(path, probe_film(path), cut_threshold=0.5)
    assert shots == (Shot(0, FRAMES, is_colored=False),)


def test_letters_are_found_in_the_noise_of_a_tape(tmp_path: Path, colorize):
    path = tmp_path / "tape.mp4"
    film(path, logo=False, noise=12.0)
    result, said = colorize(path)
    assert "letters or logos keep their color" in said
    source = decode(path)
    for index in (10, 30):
        place = at(source[index], LETTERS)
        is_strong = np.hypot(*(place - 128)) > 40
        assert is_strong.sum() > 100
        moved = np.abs(place - at(result[index], LETTERS))[:, is_strong]
        assert np.quantile(moved, 0.95) <= 3
