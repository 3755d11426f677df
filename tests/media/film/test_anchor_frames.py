import numpy as np
import pytest

from colorize_core.media.film.anchor_frames import (
    AnchorReader,
    AnchorShot,
    anchor_shots,
    anchors_near,
    spread_frames,
)
from colorize_core.media.film.planes import plane
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.reader import read_frames
from tests.film_helpers import make_film, spoil_packet


@pytest.mark.parametrize(("seconds", "count"), [(0.2, 0), (1, 3), (6, 6), (39, 6), (650, 100)])
def test_key_frames_lie_all_over_a_shot(seconds, count):
    start, stop = 1000, 1000 + round(25 * seconds)
    frames = spread_frames(start, stop, 25.0)
    assert len(frames) == count
    steps = np.diff([start, *frames, stop])
    assert not count or (steps.min() >= 0 and steps.max() <= 1 + (stop - start) / count)


def test_keyframes_of_the_stream_are_preferred():
    frames = spread_frames(0, 100, 25.0, np.array([0, 15, 50, 99, 100]))
    assert frames == (15, 37, 62, 87)


def test_segments_get_what_is_in_their_reach():
    shots = (AnchorShot(0, 50, (10, 40)), AnchorShot(50, 90, (60,)), AnchorShot(90, 99, (95,)))
    assert anchors_near(shots, 45, 60, 10) == (AnchorShot(0, 50, (40,)), AnchorShot(50, 90, (60,)))


@pytest.mark.parametrize("suffix", [".mp4", ".264"])
def test_key_frames_are_read_but_damaged_ones(tmp_path, suffix):
    path = tmp_path / f"film{suffix}"
    make_film(path, frames=60, options={"g": "20", "bf": "0", "sc_threshold": "0"})
    if suffix == ".mp4":
        spoil_packet(path, 21)
    probe = probe_film(path)
    (shot,) = anchor_shots(probe, ())
    assert len(shot.frames) == 3
    wanted = (5, 7, 21, 59)
    reader = AnchorReader(path, probe)
    parts = (wanted[:2], (), wanted[2:])  # as segments ask: some, nothing, some more
    found = {p.index: np.array(plane(p.frame, 0)) for part in parts for p in reader.read(part)}
    assert list(found) == [5, 7, 59] if suffix == ".mp4" else [5, 7, 21, 59]
    for picture in read_frames(path, probe, 0, 60):
        if picture.index in found:
            assert np.array_equal(found[picture.index], plane(picture.frame, 0))
