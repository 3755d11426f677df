"""A joined film gives its segments back, byte for byte."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from colorize_core.config import VideoSettings
from colorize_core.media.film.encoder_choice import choose_encoding
from colorize_core.media.film.mux.cut import cut_segment
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.segments import plan_segments
from tests.film_helpers import make_film
from tests.segment_helpers import color_film

LENGTH = 30


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def cut(source: Path, film: Path, number: int, output: Path, recorded: str, **video) -> bool:
    settings = VideoSettings(**video)
    probe = probe_film(source)
    start, stop = plan_segments(probe, LENGTH)[number]
    encoding = choose_encoding(probe, settings)
    window = probe.window(start, stop)
    return cut_segment(film, window, start, stop, encoding=encoding, sha256=recorded, output=output)


@pytest.mark.parametrize("container", ["mkv", "mp4", "mov"])
@pytest.mark.parametrize(
    ("codec", "preset"),
    [
        ("ffv1", "medium"),
        ("libx264", "medium"),
        ("libx265", "ultrafast"),
        ("libsvtav1", "ultrafast"),
        ("prores_ks", "medium"),
    ],
)
def test_each_segment_comes_out_as_it_went_in(tmp_path, codec, preset, container):
    source = tmp_path / f"a.{container}"
    steps = np.random.default_rng(0).integers(900, 5000, 99)
    times = np.cumsum([2002, *steps]).tolist()
    make_film(source, pts=times, time_base=Fraction(1, 90000), audio=["aac"])
    video = {"codec": codec, "preset": preset}
    film, _ = color_film(source, tmp_path / "out", length=LENGTH, **video)
    made = sorted((tmp_path / "out").glob("*.nut"))
    assert len(made) >= 2
    for number, segment in enumerate(made):
        again = tmp_path / "again" / segment.name
        assert cut(source, film, number, again, sha256(segment), **video)
        assert again.read_bytes() == segment.read_bytes()


def test_interlaced_pictures_and_many_keyframes(tmp_path):
    source = tmp_path / "a.mp4"
    options = {"g": "12", "flags": "+ilme+ildct", "x264-params": "tff=1"}
    make_film(source, frames=60, options=options)
    assert probe_film(source).is_interlaced
    film, _ = color_film(source, tmp_path / "out", length=LENGTH, crf=0, preset="medium")
    made = sorted((tmp_path / "out").glob("*.nut"))
    video = {"crf": 0, "preset": "medium"}
    for number, segment in enumerate(made):
        assert cut(source, film, number, tmp_path / segment.name, sha256(segment), **video)


def test_other_bytes_are_no_segment(tmp_path):
    source = tmp_path / "a.mkv"
    make_film(source, frames=100)
    film, _ = color_film(source, tmp_path / "out", length=LENGTH, codec="ffv1")
    segment = tmp_path / "out" / "001.nut"
    output = tmp_path / "again.nut"
    assert not cut(source, film, 1, output, "0" * 64, codec="ffv1")
    data = bytearray(film.read_bytes())
    data[len(data) // 2] ^= 1
    film.write_bytes(data)
    assert not cut(source, film, 1, output, sha256(segment), codec="ffv1")
    film.write_bytes(data[: len(data) // 3])
    assert not cut(source, film, 1, output, sha256(segment), codec="ffv1")
    film.write_bytes(b"no film")
    assert not cut(source, film, 1, output, sha256(segment), codec="ffv1")
    film.unlink()
    assert not cut(source, film, 1, output, sha256(segment), codec="ffv1")
    assert not output.exists()
    assert not list(tmp_path.glob(".colorize-tmp-*"))
