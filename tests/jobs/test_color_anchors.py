"""Colors that hold over a shot, in a film that the job colors."""

import json
from pathlib import Path

import av
import numpy as np
import torch
from skimage import data

from colorize_core.cli.main import main
from colorize_core.media.film.planes import plane
from tests.film_helpers import decode, make_film

CUT, FRAMES = 22, 44


def views(photo: np.ndarray, count: int) -> list[np.ndarray]:
    """A view of 96 x 64 that moves over a photo."""
    gray = torch.from_numpy(photo.mean(2).astype(np.float32))[None, None]
    small = torch.nn.functional.interpolate(gray, (120, 180), mode="area")[0, 0].numpy()
    return [small[i // 2 : i // 2 + 64, i : i + 96] for i in range(count)]


def two_shots(path: Path) -> None:
    pictures = views(data.coffee(), CUT) + views(data.astronaut(), FRAMES - CUT)

    def draw(index: int) -> av.VideoFrame:
        frame = av.VideoFrame(96, 64, "yuv420p")
        plane(frame, 0)[:] = np.clip(16 + pictures[index] * 219 / 255, 16, 235).astype(np.uint8)
        for number in (1, 2):
            plane(frame, number)[:] = 128
        return frame

    make_film(path, frames=FRAMES, draw=draw, options={"g": "12"})


def test_segments_agree_on_the_colors_of_a_shot_to_the_bit(tmp_path: Path):
    film = tmp_path / "film.mp4"
    two_shots(film)

    def chroma(name: str, *settings: str) -> list[np.ndarray]:
        out = tmp_path / name
        given = ["video.codec=ffv1", "render.size=64", *settings]
        options = [word for setting in given for word in ("--set", setting)]
        command = ["run", str(film), "--out", str(out)]
        assert main([*command, "--runner", "serial", *options]) == 0
        (result,) = out.glob("film.*")
        return [np.array(plane(frame, n)) for frame in decode(result) for n in (1, 2)]

    whole = chroma("whole")
    assert np.array_equal(chroma("parts", "video.segment_frames=16"), whole)
    assert not np.array_equal(chroma("off", "temporal.anchors=false"), whole)
    lines = (tmp_path / "whole" / ".colorize" / "manifest.jsonl").read_text().splitlines()
    scans = [json.loads(line) for line in lines if '"kind":"scan"' in line]
    assert [scan["details"]["cuts"] for scan in scans] == [[CUT]]
