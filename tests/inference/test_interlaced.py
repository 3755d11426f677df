"""Interlaced film: a field's lines of chroma have the color of what that field shows."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from colorize_core.media.film.planes import plane
from colorize_core.media.film.probe import probe_film
from tests.film_helpers import decode, make_film
from tests.inference.test_film_segments import colorize

SIZE = (288, 192)
BLOCK, STEP = 72, 14  # pixels; from one field to the next
TOP = slice(60, 132)
DARK, BRIGHT = 60, 190


def left_of(field: int) -> int:
    return 20 + STEP * field


def drawn(*fields: int, pix_fmt: str) -> av.VideoFrame:
    """A bright block over a dark, shaded ground, on every second line where it is at a moment."""
    luma = np.tile(np.linspace(DARK - 10, DARK + 10, SIZE[0]), (SIZE[1], 1))
    for parity in (0, 1):
        left = left_of(fields[parity])
        luma[TOP.start + parity : TOP.stop : 2, left : left + BLOCK] = BRIGHT
    frame = av.VideoFrame(*SIZE, pix_fmt)
    for number in range(3):
        plane(frame, number)[:] = luma.round() if number == 0 else 128
    return frame


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p"])
def test_no_comb_of_color_appears(tmp_path: Path, pix_fmt: str):
    woven, whole = tmp_path / "woven.mkv", tmp_path / "whole.mkv"
    how = {"size": SIZE, "pix_fmt": pix_fmt}
    options = {"crf": "2", "preset": "veryfast"}
    make_film(
        woven,
        frames=5,
        options=options | {"x264-params": "tff=1"},
        draw=lambda n: drawn(2 * n, 2 * n + 1, pix_fmt=pix_fmt),
        **how,
    )
    # The same moments, each as a picture of its own.
    make_film(whole, frames=10, options=options, draw=lambda n: drawn(n, n, pix_fmt=pix_fmt), **how)
    assert probe_film(woven).is_interlaced
    results = [decode(colorize(path, tmp_path / path.stem)[0]) for path in (woven, whole)]
    for index, frame in enumerate(results[0]):
        assert frame.interlaced_frame
        warmth = warmth_of(frame)
        rows = (len(warmth) * edge // SIZE[1] for edge in (TOP.start + 8, TOP.stop - 8))
        inside = slice(*(row // 2 * 2 for row in rows))
        # From where one field begins to show the block to where the other one ends.
        moving = slice(left_of(2 * index) // 2 - 2, (left_of(2 * index + 1) + BLOCK) // 2 + 2)
        for parity in (0, 1):  # the upper field has the first line
            wanted = warmth_of(results[1][2 * index + parity])[inside, moving][parity::2]
            found = warmth[inside, moving][parity::2]
            assert np.abs(found - wanted).mean() < 0.07 * np.ptp(wanted)
            combed = warmth[inside, moving][1 - parity :: 2]
            assert np.abs(combed - wanted).mean() > 0.2 * np.ptp(wanted), "the fields differ"


def warmth_of(frame: av.VideoFrame) -> np.ndarray:
    """Cr - Cb, [h, w]."""
    return plane(frame, 2).astype(int) - plane(frame, 1)


def test_what_stands_still_is_colored_as_one_picture(tmp_path: Path):
    films = {}
    for name, more in (("woven", {"x264-params": "tff=1"}), ("whole", {})):
        path = tmp_path / f"{name}.mkv"
        make_film(path, frames=3, options={"crf": "4", "preset": "veryfast", **more})
        films[name] = decode(colorize(path, tmp_path / f"out {name}")[0])
    for one, other in zip(films["woven"], films["whole"], strict=True):
        for number in (1, 2):
            moved = plane(one, number).astype(int) - plane(other, number)
            assert np.abs(moved).mean() < 1.5
