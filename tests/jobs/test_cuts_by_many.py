"""The cuts of a long film are looked for by many workers: they find what one finds."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from skimage import data, transform

from colorize_core.pipeline import film_units
from jobs import colorize_archive

SHOTS = (8, 12, 10, 6)  # two cuts where one look ends and the next begins


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a gray film of four shots."""
    (tmp_path / "in").mkdir()
    pictures = (data.camera(), data.brick(), data.grass(), data.coins())
    with av.open(str(tmp_path / "in" / "film.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "8"})
        stream.width, stream.height, stream.pix_fmt = 96, 96, "yuv420p"
        for picture, frames in zip(pictures, SHOTS, strict=True):
            wide = (255 * transform.resize(picture, (112, 128), anti_aliasing=True)).astype("u1")
            for at in range(frames):
                shown = np.ascontiguousarray(wide[at // 4 : at // 4 + 96, at : at + 96])
                frame = av.VideoFrame.from_ndarray(shown, format="gray")
                container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    return tmp_path / "in"


def run(source: Path, out: Path) -> None:
    words = ["--runner", "serial", "--device", "cpu", "--no-report", "--codec", "ffv1"]
    words += ["--set", "render.size=96", "--set", "video.segment_frames=18"]
    assert colorize_archive.main([str(source), "--out", str(out), *words]) == 0


def looks(out: Path) -> list[tuple[int, ...]]:
    """The cuts that each look found."""
    lines = (out / ".colorize" / "manifest.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines if '"kind":"scan"' in line.replace(": ", ":")]
    return [tuple(line["details"].get("cuts", ())) for line in found]


def frames(out: Path) -> list[bytes]:
    with av.open(str(out / "film.mkv")) as container:
        return [frame.to_ndarray().tobytes() for frame in container.decode(video=0)]


def test_many_looks_find_what_one_finds(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    one, many = tmp_path / "one", tmp_path / "many"
    run(source, one)
    assert looks(one) == [(8, 20, 30)]
    monkeypatch.setattr(film_units, "CUT_FRAMES", 10)
    run(source, many)
    assert looks(many) == [(), (8,), (), (20,), (30,)]
    assert frames(many) == frames(one)
    (many / "film.mkv").unlink()
    run(source, many)
    assert len(looks(many)) == 5
