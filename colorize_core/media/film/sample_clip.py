"""Writes the built-in sample clip: slow pans over still pictures, cuts, and a quiet tone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_core.atomic import publish
from colorize_core.media.film.planes import plane

WIDTH, HEIGHT = 320, 240
FRAMES_PER_SECOND = 24
_AUDIO_RATE = 44_100
_TONE_HZ = 220.0
_TONE_LEVEL = 0.02  # of full scale: about -34 dB
_VIDEO_OPTIONS = {"crf": "18", "preset": "fast", "threads": "1"}  # one thread: the same bytes


def write_clip(path: Path, pictures: Sequence[NDArray[np.uint8]], *, frames: int = 72) -> None:
    """Publish a black-and-white H.264 clip with AAC sound, one shot per picture.

    Args:
        path: ends in .mp4 or .mkv.
        pictures: gray, [H, W] uint8, at least 320x240 pixels.
        frames: of the whole clip; 24 make a second.
    """
    with publish(path) as temporary, av.open(str(temporary), "w") as container:
        video = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=_VIDEO_OPTIONS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.color_range = av.video.reformatter.ColorRange.MPEG
        audio = container.add_stream("aac", rate=_AUDIO_RATE, layout="mono")
        for number, picture in enumerate(_shots(pictures, frames)):
            container.mux(video.encode(_frame(picture, number)))
            first = number * _AUDIO_RATE // FRAMES_PER_SECOND
            end = (number + 1) * _AUDIO_RATE // FRAMES_PER_SECOND
            container.mux(audio.encode(_tone(first, end)))
        container.mux(video.encode())
        container.mux(audio.encode())


def _shots(pictures: Sequence[NDArray[np.uint8]], frames: int) -> Iterator[NDArray[np.uint8]]:
    """Yield [240, 320] windows that drift to the right and close in by a fifth."""
    for number in range(frames):
        shot, within = divmod(number * len(pictures), frames)
        picture, progress = pictures[shot], within / frames
        height, width = picture.shape
        whole = min(height / HEIGHT, width / WIDTH)
        scale = whole * (1 - 0.2 * progress)
        left = (width - WIDTH * scale) * (0.3 + 0.4 * progress)
        top = (height - HEIGHT * scale) * 0.05  # heads are near the upper border
        # Pixel centers, so that the window moves evenly; the mild blur stands in for antialiasing.
        shift = np.array([[scale, 0, left + (scale - 1) / 2], [0, scale, top + (scale - 1) / 2]])
        soft = cv2.GaussianBlur(picture, (0, 0), max(0.3 * scale, 0.1))
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        window = cv2.warpAffine(
            soft, shift, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        yield np.asarray(window, np.uint8)


def _frame(picture: NDArray[np.uint8], number: int) -> av.VideoFrame:
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    # Limited range, as players expect of H.264.
    plane(frame, 0)[:] = np.round(16 + picture.astype(np.float32) * (219 / 255))
    plane(frame, 1)[:] = plane(frame, 2)[:] = 128
    frame.pts, frame.time_base = number, Fraction(1, FRAMES_PER_SECOND)
    return frame


def _tone(first: int, end: int) -> av.AudioFrame:
    """Samples [first, end) of a quiet tone."""
    phase = np.arange(first, end) * (2 * np.pi * _TONE_HZ / _AUDIO_RATE)
    samples = (_TONE_LEVEL * np.sin(phase)).astype(np.float32)[None]
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = _AUDIO_RATE, first, Fraction(1, _AUDIO_RATE)
    return frame
