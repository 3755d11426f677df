"""Encrypted films are refused in one line; films that only look alike are not."""

from __future__ import annotations

import pytest

from colorize_core.errors import UnsupportedError
from colorize_core.media.film.probe import probe_film
from tests.ffmpeg_helpers import ffmpeg
from tests.film_helpers import make_film

KEY = "76a6c65c5ea762046bd749a2e632ccbb"


def is_refused(path) -> None:
    with pytest.raises(UnsupportedError, match="it is encrypted") as raised:
        probe_film(path)
    assert "\n" not in str(raised.value)


def test_common_encryption_of_mp4(tmp_path):
    plain, path = tmp_path / "a.mp4", tmp_path / "b.mp4"
    make_film(plain, frames=10)
    ffmpeg(
        *("-i", plain, "-c", "copy", "-encryption_scheme", "cenc-aes-ctr"),
        *("-encryption_key", KEY, "-encryption_kid", KEY, path),
    )
    assert probe_film(plain).frames == 10
    is_refused(path)


def scrambled_packs(data: bytes) -> bytes:
    """Packs of a program stream of which every other one has its packet scrambled, as on DVDs."""
    changed = bytearray(data)
    for place in range(0, len(data) - 2047, 4096):
        start = place + 14 + (data[place + 13] & 7)
        if data[start + 3] == 0xE0:
            changed[start + 6] |= 0x10
            changed[place + 128 : place + 2048] = bytes(b ^ 0x5A for b in data[128:2048])
    return bytes(changed)


def test_a_dvd_with_copy_protection(tmp_path):
    plain, path = tmp_path / "a.vob", tmp_path / "b.vob"
    ffmpeg(*("-f", "lavfi", "-i", "testsrc=d=1:r=25", "-c:v", "mpeg2video", "-f", "vob", plain))
    path.write_bytes(scrambled_packs(plain.read_bytes()))
    assert probe_film(plain).frames == 25
    is_refused(path)


def test_a_scrambled_broadcast(tmp_path):
    plain, path = tmp_path / "a.ts", tmp_path / "b.ts"
    make_film(plain, frames=20)
    data = bytearray(plain.read_bytes())
    for place in range(188 * 3, len(data), 188):
        data[place + 3] |= 0x80
    path.write_bytes(data)
    assert probe_film(plain).frames == 20
    is_refused(path)
