"""Known colors over twenty hard cuts: nothing leaks, for any number of workers, after a kill."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from skimage import data, transform

from jobs import colorize_archive
from tests.processes import Started

pytestmark = pytest.mark.slow

SHOT, SHOTS = 14, 21  # frames; segments have 40, so that most hold a cut
RATE = 14
KNOWN = (4, 11, 17)  # shots with a point


def pictures() -> list[np.ndarray]:
    found = [data.chelsea(), data.astronaut(), data.coffee(), data.rocket(), data.brick()]
    gray = [p.mean(-1) / 255 if p.ndim == 3 else p / 255 for p in found]
    return [transform.resize(p, (112, 128), anti_aliasing=True) for p in gray]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a film of twenty cuts and a point in three shots."""
    folder = tmp_path_factory.mktemp("cuts")
    shots = pictures()
    with av.open(str(folder / "film.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 96, 96, "gray"
        for n in range(SHOT * SHOTS):
            at = n % SHOT
            small = shots[n // SHOT % len(shots)][at // 4 : at // 4 + 96, at : at + 96]
            picture = np.ascontiguousarray((255 * small).astype(np.uint8))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray")))
        container.mux(stream.encode(None))
    return folder


def rules(color: str) -> dict:
    times = [(SHOT * shot + 5) / RATE for shot in KNOWN]
    point = {"x": 0.4, "y": 0.6, "color": color, "radius": 0.1}
    return {"film.mkv": {"hints": [{**point, "time": time} for time in times]}}


def words(source: Path, out: Path, *more: str) -> list[str]:
    found = [str(source), "--out", str(out), "--no-report", "--device", "cpu", *more]
    for setting in ("render.size=96", "video.segment_frames=40", "video.codec=ffv1"):
        found += ["--set", setting]
    return found


def with_rules(tmp_path: Path, color: str) -> list[str]:
    path = tmp_path / "rules.yaml"
    path.write_text(json.dumps(rules(color)))
    return ["--overrides", str(path)]


def frames(out: Path) -> list[np.ndarray]:
    with av.open(str(next(out.glob("film.*")))) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_nothing_leaks_for_any_workers_and_after_a_kill(source: Path, tmp_path: Path):
    serial = ("--runner", "serial")
    assert colorize_archive.main(words(source, tmp_path / "plain", *serial)) == 0
    plain = frames(tmp_path / "plain")
    blue = with_rules(tmp_path, "#2040c0")
    assert colorize_archive.main(words(source, tmp_path / "one", *serial, *blue)) == 0
    one = frames(tmp_path / "one")
    assert len(plain) == len(one) == SHOT * SHOTS
    for n, (without, given) in enumerate(zip(plain, one, strict=True)):
        if n // SHOT in KNOWN:
            assert np.abs(given.astype(int) - without).max() > 8, f"frame {n} has a point"
        else:
            np.testing.assert_array_equal(given, without, err_msg=f"frame {n}")
    for workers in (2, 3):
        out = tmp_path / f"workers-{workers}"
        ray = ("--runner", "ray", "--workers", str(workers))
        if workers == 3:
            kill_on_the_way(words(source, out, *ray, *blue), out)
        assert colorize_archive.main(words(source, out, *ray, *blue)) == 0
        for n, (expected, found) in enumerate(zip(one, frames(out), strict=True)):
            np.testing.assert_array_equal(found, expected, err_msg=f"{workers} workers, {n}")


def kill_on_the_way(command: list[str], out: Path) -> None:
    """Kill the whole job when some segments are recorded and some are not."""
    with Started([sys.executable, "-m", "colorize_core", "run", *command]) as process:
        end = time.monotonic() + 120
        while len(list(out.glob(".colorize/segments/*/*.nut"))) < 2:
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < end
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    assert not list(out.glob("film.*")), "killed in the middle"
