"""The same frames give the same pixels: in every run, and with every kind of processor."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from colorize_core.config import VideoSettings
from colorize_core.media.film.encoder import SegmentEncoder
from colorize_core.media.film.encoder_choice import choose_encoding
from colorize_core.media.film.planes import parse_format, plane
from colorize_core.media.film.probe import probe_film
from tests.film_helpers import make_film

# Encoded twice by x264 with AVX-512, films of these sizes differed by up to 26 codes of luma.
UNSTEADY = [(192, 108), (176, 144)]
SIZES = [
    *((192, 108), (160, 120), (176, 144), (720, 576), (96, 64), (128, 96), (320, 240)),
    *((352, 288), (200, 150), (256, 144), (320, 180), (64, 64), (240, 180), (98, 66)),
    *((130, 98), (480, 270), (400, 300), (176, 120), (640, 360), (426, 240)),
]
PRESETS = ["veryslow", "slower", "slow", "medium", "fast", "faster", "veryfast", "superfast"]
CODECS = ["libx264", "libx265", "libsvtav1", "ffv1", "prores_ks"]
RUNS = 3


def _frames(probe, planar, count):
    """Moving waves under grain: without grain the encoder has nothing to weigh."""
    rng = np.random.default_rng(1)
    for index in range(count):
        frame = av.VideoFrame(probe.width, probe.height, planar.name)
        for number, target in enumerate(plane(frame, i) for i in range(3)):
            y, x = np.mgrid[: target.shape[0], : target.shape[1]]
            waves = 60 * np.sin((x + 3 * index) / 9) + 40 * np.cos((y - 2 * index) / 7)
            noise = rng.normal(0, 6, target.shape)
            values = 128 + (waves + noise) * (1.0 if number == 0 else 0.3)
            scale = 1 << (parse_format(planar.name).depth - 8)
            target[:] = (np.clip(values, 16, 235) * scale).astype(target.dtype)
        yield frame


def _encoded(folder: Path, size, count, *, no_simd=False, **video) -> str:
    """Hash of the packets of one segment, as the encoder of a film writes it."""
    source = folder / f"{size[0]}x{size[1]}.mkv"
    if not source.exists():
        make_film(source, frames=1, size=size, codec="ffv1")
    probe = probe_film(source)
    encoding = choose_encoding(probe, VideoSettings(**video))
    if no_simd:
        params = encoding.options["x264-params"] + ":asm=0"
        encoding = replace(encoding, options={**encoding.options, "x264-params": params})
    target = folder / "segment"
    with SegmentEncoder(target, probe, encoding, 0) as encoder:
        for frame in _frames(probe, encoding.planar, count):
            encoder.write(frame)
    digest = hashlib.sha256()
    with av.open(str(target)) as container:
        for packet in container.demux(video=0):
            digest.update(bytes(packet))
    return digest.hexdigest()


@pytest.mark.parametrize("size", UNSTEADY)
def test_h264_is_the_same_in_every_run_and_without_simd(tmp_path, size):
    runs = {_encoded(tmp_path, size, 25, preset="faster") for _ in range(RUNS)}
    runs.add(_encoded(tmp_path, size, 25, preset="faster", no_simd=True))
    assert len(runs) == 1


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_is_the_same_in_every_run(tmp_path, codec, size):
    count = 50 if size[0] < 400 else 16
    preset = "medium" if codec == "libx264" else "veryfast"
    runs = {_encoded(tmp_path, size, count, codec=codec, preset=preset) for _ in range(RUNS)}
    assert len(runs) == 1


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_the_same_in_every_run_and_without_simd(tmp_path, preset):
    runs = {_encoded(tmp_path, (192, 108), 50, preset=preset) for _ in range(RUNS)}
    runs.add(_encoded(tmp_path, (192, 108), 50, preset=preset, no_simd=True))
    assert len(runs) == 1
