"""FFmpeg's own command, from a wheel: makes films that PyAV cannot, and judges results."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np

_EXE = imageio_ffmpeg.get_ffmpeg_exe()
# Gray pictures without end, and a tone on two channels.
PICTURES = ("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=2,format=gray,format=yuv420p")
TONE = ("-f", "lavfi", "-i", "aevalsrc=sin(440*2*PI*t)/3|cos(300*2*PI*t)/3:d=2:s=48000")


def ffmpeg(*arguments: str | Path) -> str:
    """Run FFmpeg; returns its output. A failure fails the test."""
    command = [_EXE, "-hide_banner", "-nostdin", "-y", "-v", "error", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode()


def described(path: Path) -> str:
    """What `ffmpeg -i` says about a file: streams, tags, side data."""
    command = [_EXE, "-hide_banner", "-i", str(path)]
    return subprocess.run(command, capture_output=True, check=False).stderr.decode()


def samples(path: Path, index: int = 0, kind: str = "s32le") -> np.ndarray:
    """All samples of a sound stream, interleaved, as FFmpeg decodes them."""
    command = [_EXE, "-v", "error", "-i", str(path), "-map", f"0:a:{index}", "-f", kind, "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    return np.frombuffer(done.stdout, {"s32le": "<i4", "f32le": "<f4"}[kind])


def shown(
    path: Path, stream: str = "v:0", *, before: tuple[str, ...] = ()
) -> list[tuple[Fraction, str]]:
    """Seconds and MD5 of every frame that a player shows (or plays) of a stream."""
    arguments = ("-i", path, "-map", f"0:{stream}", "-fps_mode", "passthrough")
    if stream.startswith("a"):
        arguments = arguments[:4]
    lines = ffmpeg("-copyts", *before, *arguments, "-f", "framemd5", "-").splitlines()
    base = Fraction(1)
    found = []
    for line in lines:
        if line.startswith("#tb"):
            base = Fraction(line.split()[-1])
        elif line and not line.startswith("#"):
            fields = [field.strip() for field in line.split(",")]
            found.append((int(fields[2]) * base, fields[-1]))
    return found


def first_frame(path: Path) -> str:
    """What FFmpeg says about the first decoded frame: its tags and side data."""
    show = (
        "-i",
        str(path),
        "-map",
        "0:v:0",
        "-vf",
        "showinfo",
        "-frames:v",
        "1",
        "-f",
        "null",
        "-",
    )
    done = subprocess.run([_EXE, "-hide_banner", *show], capture_output=True, check=True)
    return done.stderr.decode()
