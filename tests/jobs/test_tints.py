"""Tinted silent film: what the job says about its tints, and how it keeps them."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from jobs import colorize_archive
from tests.film_helpers import decode, make_film, picture

AMBER, BLUE = (1.0, 0.86, 0.62), (0.72, 0.84, 1.0)


def tinted(index: int) -> av.VideoFrame:
    """Thirty frames in amber, then as many of another picture in blue."""
    gray = picture(index) if index < 30 else np.rot90(picture(index, 64, 96))
    rgb = gray[..., None] * np.array(AMBER if index < 30 else BLUE) * 255
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb.round().astype(np.uint8)))
    return frame.reformat(format="yuv444p")


def chroma(path: Path) -> np.ndarray:
    """Mean Cb and Cr of each frame, [N, 2]."""
    frames = [f.reformat(format="yuv444p").to_ndarray() for f in decode(path)]
    return np.array([f[1:].mean((1, 2)) for f in frames])


@pytest.fixture
def colored(tmp_path: Path, tiny_weights: Path):
    film = tmp_path / "film.mkv"
    options = {"pix_fmt": "yuv444p", "options": {"crf": "8", "preset": "veryfast", "g": "12"}}
    make_film(film, frames=60, draw=tinted, **options)

    def run(*more: str) -> tuple[np.ndarray, str]:
        out = tmp_path / "-".join(("out", *more))
        fixed = ["--out", str(out), "--runner", "serial", "--no-report", "--codec", "ffv1"]
        fixed += ["--set", f"model.weights={tiny_weights}", "--set", "render.size=64"]
        fixed += ["--set", "video.segment_frames=24", "--set", "render.strength=0.2"]
        assert colorize_archive.main([*fixed, *more, "--", str(film)]) == 0
        (item,) = json.loads((out / ".colorize" / "summary.json").read_text())["items"]
        assert item["status"] == "done"
        return chroma(out / item["output"]), json.dumps(item)

    return film, run


def test_a_tint_is_replaced_with_a_word_or_kept_for_each_shot(colored):
    film, run = colored
    own = chroma(film) - 128
    replaced, said = run()
    assert "it is tinted or toned, which computed color replaces" in said
    kept, said = run("--set", "video.tints=keep")
    assert "the tint of 60 frames is laid over the computed color" in said
    added = kept - replaced
    assert np.abs(added - own).max() < 4
    assert np.abs(added[:30].mean(0) - added[30:].mean(0)).max() > 15
