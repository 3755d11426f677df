"""What a film leaves for the report page."""

import json

import av
import numpy as np
import pytest

from jobs import colorize_archive
from tests.film_helpers import make_film


@pytest.fixture
def film(tmp_path):
    """Two shots of 20 gray frames each, in four segments, with sound."""
    path = tmp_path / "in" / "film.mkv"
    path.parent.mkdir()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        ramp = np.linspace(0, 1, 96)[None, :] * np.ones((64, 1))
        for number in range(40):
            gray = (40 + 60 * ramp if number < 20 else 230 - 60 * ramp).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.repeat(gray[..., None], 3, 2), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture
def colorize(tiny_weights, tmp_path):
    def run(*more):
        out = tmp_path / "out"
        settings = ("render.size=64", "video.segment_frames=16", f"model.weights={tiny_weights}")
        fixed = [part for setting in settings for part in ("--set", setting)]
        source = str(tmp_path / "in")
        arguments = ["--out", str(out), "--runner", "serial", *fixed, *more, "--", source]
        assert colorize_archive.main(arguments) == 0
        summary = json.loads((out / ".colorize" / "summary.json").read_text())
        return out, summary["items"][0]["details"]

    return run


def test_each_shot_has_a_pair_of_frames_and_the_film_a_clip(film, colorize):
    out, details = colorize()
    thumbnails = details["thumbnails"]
    first, second = (frame["time"] for frame in thumbnails["strip"])
    assert first < 0.8 < second
    for frame in thumbnails["strip"]:
        for role in ("before", "after"):
            assert (out / "report" / "thumbs" / frame[role]).stat().st_size > 100
    with av.open(str(out / "report" / "thumbs" / thumbnails["preview"]["file"])) as clip:
        assert len(list(clip.decode(video=0))) > 10
    assert (details["width"], details["height"]) == (96, 64)
    assert {"colorfulness", "blotches", "cast", "flicker"} <= set(details["signals"])
    assert details["signals"]["frames"] == 40
    # The cut is no flicker: within each shot nothing changes.
    assert details["signals"]["flicker"] < 0.1
    assert (out / "report" / "index.html").exists()


def test_without_a_report_there_are_no_pictures_of_it(film, colorize):
    out, details = colorize("--no-report")
    assert "thumbnails" not in details
    assert not (out / "report").exists()


def test_streams_that_are_kept_are_named(tmp_path, colorize):
    (tmp_path / "in").mkdir()
    make_film(tmp_path / "in" / "film.mp4", frames=16, audio=["aac", "aac"])
    _, details = colorize()
    assert details["kept"] == ["2 audio streams"]


def test_a_film_does_not_fail_for_its_pictures_on_the_page(film, colorize, tmp_path):
    thumbs = tmp_path / "out" / "report" / "thumbs"
    thumbs.mkdir(parents=True)
    for number in range(256):  # where the folders of all keys would be
        (thumbs / f"{number:02x}").touch()
    out, details = colorize()
    assert (out / "film.mkv").exists()
    assert "thumbnails" not in details
    assert "no pictures of it on the run's page" in details["notes"][-1]
