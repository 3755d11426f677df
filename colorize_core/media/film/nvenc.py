"""Whether this machine's GPU encodes film: drivers and chips differ, and FFmpeg only tries."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import av

from colorize_core.errors import ConfigError
from colorize_core.media.film.pyav import video_context

# The smallest side that every NVENC takes.
_SIDE = 256


def require_encoder(codec: str) -> None:
    """Refuse an encoder of the GPU that this machine cannot run, before any frame is colored.

    Raises:
        ConfigError: with what FFmpeg says.
    """
    if not codec.endswith("_nvenc"):
        return
    problem = _problem(codec)
    if problem:
        raise ConfigError(
            f"--codec {codec}: this machine cannot: {problem}",
            remedy="use libx264 or libx265, or a machine whose GPU has NVENC",
        )


@cache
def _problem(codec: str) -> str:
    """Encode one gray frame; what went wrong, or nothing."""
    try:
        context = video_context(codec, "w")
        context.width = context.height = _SIDE
        context.pix_fmt = "yuv420p"
        context.time_base = Fraction(1, 24)
        frame = av.VideoFrame(_SIDE, _SIDE, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        frame.pts = 0
        packets = [*context.encode(frame), *context.encode(None)]
    except (av.FFmpegError, ValueError) as error:
        return getattr(error, "strerror", None) or " ".join(str(error).split())
    return "" if packets else "it gave no packet"
