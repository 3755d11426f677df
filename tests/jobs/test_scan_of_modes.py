"""A film's scan for one mode of `--colored` is not taken for another's."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from skimage import data, transform

from jobs import colorize_archive

FRAMES = 12


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A film in color."""
    (tmp_path / "in").mkdir()
    picture = (255 * transform.resize(data.chelsea(), (64, 96), anti_aliasing=True)).astype(
        np.uint8
    )
    with av.open(str(tmp_path / "in" / "film.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=12)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for shift in range(FRAMES):
            frame = np.ascontiguousarray(np.roll(picture, shift, 1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return tmp_path / "in" / "film.mkv"


@pytest.mark.parametrize("modes", [("recolor", "copy"), ("copy", "recolor")])
def test_the_mode_decides_whatever_ran_before(film: Path, tmp_path: Path, modes: tuple[str, str]):
    out = tmp_path / "out"
    for mode in modes:
        words = ["--runner", "serial", "--device", "cpu", "--no-report", "--colored", mode]
        words += ["--set", "render.size=64"]
        assert colorize_archive.main([str(film.parent), "--out", str(out), *words]) == 0
        summary = json.loads((out / ".colorize" / "summary.json").read_text())
        (item,) = summary["items"]
        assert item["status"] == {"recolor": "done", "copy": "skipped"}[mode]
        same = (out / "film.mkv").read_bytes() == film.read_bytes()
        assert same == (mode == "copy")
