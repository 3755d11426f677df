"""How much memory a worker takes for a film: reckoned from its frames before the work begins.

Measured with PyAV 17's encoders and decoders at 1600x1600 to 8192x8192, one thread each.
"""

from __future__ import annotations

from typing import Final, Protocol

from colorize_core.errors import TooLargeError
from colorize_core.media.film.encoder_choice import Encoding, encoder_bytes
from colorize_core.media.film.film import FilmProbe

# Of decoded frames on their way, from decoding until they are encoded. Where they take more, as
# above UHD, they are not kept: what is to be encoded is decoded a second time.
IN_FLIGHT_BYTES: Final = 400_000_000

_WORKER_BYTES: Final = 450_000_000  # Python, torch, the generator and a batch of its work
_USUALLY_WAITING: Final = 30  # frames on their way
_DECODER_FRAMES: Final = 8  # of one whose frames build on others, with what it knows of each
_INTRA_FRAMES: Final = 2
_AT_HAND: Final = 3  # being read, put together, and handed to the encoder


def keeps_frames(probe: FilmProbe, waiting: int) -> bool:
    """Whether so many decoded frames may be kept on their way."""
    return waiting * probe.frame_bytes <= IN_FLIGHT_BYTES


def needed_bytes(probe: FilmProbe, encoding: Encoding, preset: str) -> int:
    """What a worker takes at the most for a segment of a film, to about a tenth above 4K."""
    frame = probe.frame_bytes
    decoder = _INTRA_FRAMES if len(probe.keyframes) >= probe.frames else _DECODER_FRAMES
    frames = decoder + _AT_HAND
    frames += _USUALLY_WAITING if keeps_frames(probe, _USUALLY_WAITING) else decoder
    return _WORKER_BYTES + frames * frame + encoder_bytes(probe, encoding.codec, preset)


class MemorySettings(Protocol):
    """The part of VideoSettings that decides how much memory a film takes, and may take."""

    @property
    def preset(self) -> str:
        """Of the encoder."""
        ...

    @property
    def max_memory(self) -> float:
        """Gigabytes that a worker may take."""
        ...


def require_memory(
    path: str, probe: FilmProbe, encoding: Encoding, settings: MemorySettings
) -> None:
    """Refuse a film that is to be colored and for which a worker would take more than it may.

    Args:
        path: of the item in its source.
        probe: of the film.
        encoding: of its segments.
        settings: VideoSettings.

    Raises:
        TooLargeError: it would.
    """
    needed, most = needed_bytes(probe, encoding, settings.preset) / 1e9, settings.max_memory
    if needed > most:
        raise TooLargeError(
            f"{path}: frames of {probe.width} x {probe.height} with {encoding.codec} would take "
            f"about {needed:.1f} GB of memory in a worker, above video.max_memory ({most:g})",
            remedy=f"with that much for each worker, run again with --retry-failed --set "
            f"video.max_memory={needed + 0.1:.1f}; or make the film smaller",
        )
