"""Color films as ground truth, and their figures computed again from the film itself."""

import json
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from skimage import data

from jobs import evaluate
from tests.film_helpers import decode, make_film

FRAMES = 8
WIDTH, HEIGHT = 96, 64
GRAY, PER_FRAME, STEADY, TRUTH = (
    "gray copy", "generator, per frame", "generator, stabilized", "ground truth",
)  # fmt: skip


def pan(index: int) -> av.VideoFrame:
    """A window that drifts over a photo."""
    left = 60 + 2 * index
    tile = np.ascontiguousarray(data.astronaut()[20 : 20 + HEIGHT, left : left + WIDTH])
    return av.VideoFrame.from_ndarray(tile, format="rgb24").reformat(format="yuv444p")


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    make_film(
        folder / "pan.mkv", frames=FRAMES, codec="ffv1", pix_fmt="yuv444p", draw=pan,
        size=(WIDTH, HEIGHT), tags={"colorspace": 5, "color_range": 1},
    )  # fmt: skip
    return folder


@pytest.fixture
def job(tmp_path: Path, tiny_weights: Path) -> Callable[..., int]:
    def run(source: Path, *more: str) -> int:
        settings = ["--set", "render.size=64", "--set", "resamples=100", "--set", "side=64"]
        out = ["--out", str(tmp_path / "out"), "--weights", str(tiny_weights)]
        return evaluate.main([str(source), *out, *settings, *more])

    return run


def values(tmp_path: Path) -> dict[str, dict[str, float]]:
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    return {
        name: {metric: cell["value"] for metric, cell in row.items()}
        for name, row in found["films"].items()
    }


def scipys_cdc(frames: list[np.ndarray]) -> float:
    shares = [
        [np.histogram(frame[..., c], 256, (0, 256))[0] / frame[..., c].size for c in range(3)]
        for frame in frames
    ]
    means = [
        np.mean([
            jensenshannon(shares[i][c], shares[i + t][c]) ** 2
            for i in range(len(frames) - t)
            for c in range(3)
        ])
        for t in (1, 2, 4)
    ]  # fmt: skip
    return float(np.mean(means))


def test_a_film_has_rows_for_gray_generator_and_truth(job, films, tmp_path, capsys):
    assert job(films) == 0
    rows = values(tmp_path)
    assert list(rows) == [GRAY, PER_FRAME, STEADY, TRUTH]
    pictures = [
        frame.to_ndarray(format="rgb24", src_colorspace="ITU601")
        for frame in decode(films / "pan.mkv")
    ]
    assert rows[TRUTH]["cdc"] == pytest.approx(scipys_cdc(pictures), rel=0.05)
    # The tiny generator flickers, a film that is panned over a photo hardly does.
    assert rows[GRAY]["colorfulness"] == pytest.approx(0, abs=0.01)
    assert rows[GRAY]["warp_dis_ab"] == 0
    assert rows[PER_FRAME]["colorfulness"] > 1
    assert rows[STEADY]["warp_dis_ab"] < rows[PER_FRAME]["warp_dis_ab"]
    assert rows[PER_FRAME]["ciede2000"] > 1
    assert "ciede2000" not in rows[TRUTH]
    assert rows[TRUTH]["colorfulness_to_truth"] == 1
    printed = capsys.readouterr().out
    assert f"films: 1, {FRAMES} frames" in printed
    assert "warp_dis" in printed
    assert "PSNR mean" not in printed
    html = (tmp_path / "out" / "examples.html").read_text()
    assert html.count("data:image/png;base64,") == 3
    assert "pan.mkv, frame 4" in html


def test_photos_and_films_have_a_table_each(job, films, tmp_path, capsys):
    cv2.imwrite(str(films / "photo.png"), data.astronaut()[:90, :120, ::-1])
    make_film(films / "gray.mkv", frames=6)
    make_film(films / "short.mkv", frames=3, codec="ffv1", pix_fmt="yuv444p", draw=pan)
    assert job(films, "--set", "clip_frames=6", "--set", "temporal.enabled=false") == 2
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    reasons = {item["path"]: item["reason"] for item in found["failed"]}
    assert set(reasons) == {"gray.mkv", "short.mkv"}
    assert "gray film" in reasons["gray.mkv"]
    assert "3 frames are too few" in reasons["short.mkv"]
    assert list(found["films"]) == [GRAY, PER_FRAME, TRUTH]
    assert list(found["photos"]) == [GRAY, "generator", TRUTH]
    assert found["facts"]["films"].startswith("1, 6 frames")
    assert set(found["each film"]) == {"pan.mkv"}
    printed = capsys.readouterr().out
    assert printed.index("photos:") < printed.index("films: 1") or "\nfilms:\n" in printed


def test_intervals_are_over_films(job, films, tmp_path):
    make_film(
        films / "second.mkv", frames=FRAMES, codec="ffv1", pix_fmt="yuv444p",
        draw=lambda i: pan(20 + 3 * i), size=(WIDTH, HEIGHT),
    )  # fmt: skip
    assert job(films) == 0
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    cell = found["films"][STEADY]["cdc"]
    each = [rows[STEADY]["cdc"] for rows in found["each film"].values()]
    assert cell["value"] == pytest.approx(np.mean(each))
    assert (cell["low"], cell["high"]) == pytest.approx((min(each), max(each)))
