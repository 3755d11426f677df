"""Which parts of a film have color of their own, and what of a probe travels with a segment."""

from __future__ import annotations

import itertools

import av
import numpy as np
import pytest
from skimage.data import astronaut, camera

from bench.house import largest_segment
from colorize_core.config import ColorizeConfig
from colorize_core.media.film.plan import plan_film
from colorize_core.media.film.planes import plane
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.reader import read_frames
from colorize_core.media.film.scan import scan_film
from colorize_core.media.film.segments import plan_segments
from colorize_core.media.film.shot import Shot, as_one, colored_frames, is_wholly_colored, window_of
from tests.film_helpers import HEIGHT, WIDTH, make_film, make_frame

SETTINGS = ColorizeConfig()


def scan(path, probe=None):
    threshold = SETTINGS.temporal.cut_threshold
    return scan_film(path, probe or probe_film(path), cut_threshold=threshold)


def shots_of(*lengths):
    """Draw shots that look like nothing before them; those of odd number are in color."""
    ends = np.cumsum(lengths).tolist()

    def draw(index):
        number = int(np.searchsorted(ends, index, side="right"))
        frame = make_frame(index, colored=number % 2 == 1)
        y, x = np.mgrid[:HEIGHT, :WIDTH]
        angle = 0.7 * number
        waves = np.sin((x * np.cos(angle) + y * np.sin(angle) + index) / (3 + 4 * (number % 3)))
        plane(frame, 0)[:] = 120 + 90 * waves
        return frame

    return draw


@pytest.mark.parametrize(
    ("codec", "keyint"), [("libx264", "12"), ("libx264", "250"), ("ffv1", "1")]
)
def test_shots_in_color_are_found_to_the_frame(tmp_path, codec, keyint):
    path = tmp_path / "a.mkv"
    make_film(path, frames=90, codec=codec, options={"g": keyint}, draw=shots_of(30, 25, 35))
    shots = scan(path)
    assert [(s.start, s.stop) for s in shots if s.is_colored] == [(30, 55)]
    assert colored_frames(shots) == 25
    assert shots[0].start == 0
    assert shots[-1].stop == 90
    assert all(a.stop == b.start for a, b in itertools.pairwise(shots))


def test_color_that_comes_without_a_cut_is_found_to_the_frame(tmp_path):
    path = tmp_path / "a.mkv"
    make_film(path, frames=90, codec="ffv1", draw=lambda i: make_frame(i, colored=40 <= i < 70))
    assert [(s.start, s.stop) for s in scan(path) if s.is_colored] == [(40, 70)]


def test_a_few_odd_frames_make_no_shot(tmp_path):
    path = tmp_path / "a.mkv"
    make_film(path, frames=60, codec="ffv1", draw=lambda i: make_frame(i, colored=30 <= i < 33))
    assert colored_frames(scan(path)) == 0


def test_a_film_all_alike_is_one_shot(tmp_path):
    gray, colored = tmp_path / "g.mp4", tmp_path / "c.mp4"
    make_film(gray, frames=40)
    make_film(colored, frames=40, colored=True)
    assert scan(gray) == (Shot(0, 40, is_colored=False),)
    assert scan(colored) == (Shot(0, 40, is_colored=True),)


def test_black_frames_in_a_film_in_color_are_no_gray_shots(tmp_path):
    def draw(index):
        if index not in range(20, 30):
            return make_frame(index, colored=True)
        frame = make_frame(index)
        plane(frame, 0)[:] = 16
        return frame

    path = tmp_path / "a.mkv"
    make_film(path, frames=50, codec="ffv1", draw=draw)
    assert is_wholly_colored(scan(path))


def taped(index, noise, *, saturation, shift):
    """A moving crop [120, 160] of a photo, its chroma scaled, with the noise of a tape over it."""
    rng = np.random.default_rng(index)
    rgb = astronaut()[288:408, 40 + shift * index : 200 + shift * index] / 255
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    chroma = [(rgb[..., n] - luma) * saturation for n in (2, 0)]
    y, x = np.mgrid[:120, :160]
    if noise == "smeared":
        draws = rng.normal(0, 6 / 255, (2, 120, 168)).cumsum(2)
        added = (draws[..., 8:] - draws[..., :-8]) / np.sqrt(8)
    else:
        phase = 2 * np.pi * (x / 50 + y / 40 - index / (15 if noise == "rainbow" else 50))
        added = 0.03 * np.stack([np.sin(phase), np.cos(phase)])
    b, r = (luma + c + 1.7 * n for c, n in zip(chroma, added, strict=True))
    g = (luma - 0.299 * r - 0.114 * b) / 0.587
    picture = np.clip(np.stack([r, g, b], -1) * 255, 0, 255).astype(np.uint8)
    return av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")


@pytest.mark.parametrize(
    ("noise", "saturation", "shift"),
    [("smeared", 0.0, 2), ("rainbow", 0.0, 0), ("slow rainbow", 0.0, 1), ("smeared", 0.6, 2)],
)
def test_noise_of_a_tape_is_no_color(tmp_path, noise, saturation, shift):
    path = tmp_path / "a.mp4"
    make_film(
        path,
        frames=50,
        size=(160, 120),
        draw=lambda i: taped(i, noise, saturation=saturation, shift=shift),
    )
    assert scan(path) == (Shot(0, 50, is_colored=saturation > 0),)


@pytest.mark.slow
def test_color_among_the_noise_of_a_tape_is_found(tmp_path):
    path = tmp_path / "a.mp4"

    def draw(index):
        frame = taped(index % 60, "smeared", saturation=float(index >= 60), shift=1)
        if index >= 60:
            plane(frame, 0)[:] = plane(frame, 0)[::-1].copy()
        return frame

    make_film(path, frames=110, size=(160, 120), draw=draw)
    shots = scan(path)
    assert [(s.start, s.stop) for s in shots if s.is_colored] == [(60, 110)]


def test_damage_that_looks_like_color_is_none(tmp_path):
    """Of a motion JPEG that breaks off, the rest of the picture is green."""
    path = tmp_path / "a.avi"
    picture = np.repeat(camera()[100:244:2, 60:252:2, None], 3, 2)
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mjpeg", rate=24)
        stream.width, stream.height, stream.pix_fmt = 96, 72, "yuvj420p"
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        film.mux([*stream.encode(frame), *stream.encode()])
    data = path.read_bytes()
    packet = data.index(b"00dc", data.index(b"movi"))
    size = int.from_bytes(data[packet + 4 : packet + 8], "little")
    path.write_bytes(data[: packet + 8 + size // 2])
    with av.open(str(path)) as film:
        [broken] = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert np.ptp(broken, axis=2).max() > 50
    assert not any(shot.is_colored for shot in scan(path))


def test_a_window_of_shots():
    shots = (Shot(0, 10, False), Shot(10, 20, True), Shot(20, 30, False))
    assert window_of(shots, 5, 15) == (Shot(5, 10, False), Shot(10, 15, True))
    assert window_of(shots, 20, 25) == (Shot(20, 25, False),)


def test_gray_formats_need_no_scan(tmp_path):
    for name, pix_fmt, expected in (("g", "gray", False), ("y", "yuv420p", True)):
        path = tmp_path / f"{name}.mkv"
        make_film(path, frames=3, codec="ffv1", pix_fmt=pix_fmt)
        plan = plan_film(path.name, probe_film(path), SETTINGS.video, is_folder=False)
        assert plan.may_be_colored is expected


def decoded(path, probe, start, stop):
    return [np.array(plane(f.frame, 0)) for f in read_frames(path, probe, start, stop)]


@pytest.mark.parametrize("codec", ["libx264", "ffv1", "mpeg4"])
def test_a_window_of_the_probe_decodes_the_same_frames(tmp_path, codec):
    path = tmp_path / "a.mkv"
    make_film(path, frames=100, codec=codec, options={"g": "9"})
    probe = probe_film(path)
    for start, stop in plan_segments(probe, 20):
        window = probe.window(start, stop)
        assert window.frames == 100
        assert window.pts_of(start) == probe.pts_of(start)
        for got, wanted in zip(
            decoded(path, window, start, stop), decoded(path, probe, start, stop), strict=True
        ):
            assert np.array_equal(got, wanted)


def test_a_segment_of_a_two_hour_film_is_small():
    assert 1_000 < largest_segment() < 20_000


@pytest.mark.parametrize(("colored", "whole"), [(0, False), (24, False), (25, True), (100, True)])
def test_as_one_a_film_is_in_color_from_a_quarter_on(colored: int, whole: bool):
    shots = (Shot(0, colored, True), Shot(colored, 100, False))
    assert as_one(shots) == (Shot(0, 100, whole),)
    assert as_one(()) == ()
