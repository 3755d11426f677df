"""From a joined film back to one of its segments, without decoding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from colorize_core.atomic import file_sha256, publish
from colorize_core.errors import InputError, is_disk_full
from colorize_core.media.film.demux import DEMUX_ERRORS, main_video, open_film
from colorize_core.media.film.encoder import SegmentEncoder
from colorize_core.media.film.encoder_choice import Encoding
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.pyav import VideoPacket, shown_at, unit

# Matroska rounds times to milliseconds.
_NEAR: Final = Fraction(1, 1000)
_LONG, _SHORT = b"\0\0\0\1", b"\0\0\1"
_SIZE_BYTES: Final = 4
_HEADERS_264: Final = frozenset({7, 8})  # SPS, PPS (ITU-T H.264, table 7-1)
_HEADERS_265: Final = frozenset({32, 33, 34})  # VPS, SPS, PPS (ITU-T H.265, table 7-1)
_IMPRINT_264: Final = b"\x06\x05"  # SEI with unregistered user data
_TEMPORAL_DELIMITER: Final = b"\x12\0"  # AV1, section 5.3
# Places by which decoding begins before showing: with B-frames, and where an encoder has none.
_DEPTHS: Final = dict.fromkeys(("libx264", "libx265", "h264_nvenc", "hevc_nvenc"), (2, 0))


class _OtherBytesError(Exception):
    """What came out is not what was recorded."""


def cut_segment(
    film: Path,
    probe: FilmProbe,
    start: int,
    stop: int,
    *,
    encoding: Encoding,
    sha256: str,
    output: Path,
) -> bool:
    """Publish the segment that a joined film was made of, if its bytes come out as they were.

    Muxers take start codes and delimiters out of packets; they are put back as the encoders of
    this program write them. Where another one was at work, or the film is not that segment's any
    more, the hash says so.

    Args:
        film: of `join_segments`; it may be gone.
        probe: of the source, or its window around the range.
        start: first frame of the segment.
        stop: after its last frame.
        encoding: of the film.
        sha256: of the segment, as it was recorded.
        output: of the segment.

    Returns:
        Whether it was published; nothing is where it was not.

    Raises:
        OutOfSpaceError: the disk is full.
    """
    return any(
        _publish(output, sha256, film, probe, start, stop, encoding, depth)
        for depth in _DEPTHS.get(encoding.codec, (0,))
    )


def _publish(output: Path, sha256: str, *what: Any) -> bool:
    try:
        with publish(output) as temporary:
            _write(temporary, *what)
            if file_sha256(temporary) != sha256:
                raise _OtherBytesError
    except (_OtherBytesError, InputError):
        return False
    except DEMUX_ERRORS as error:
        if is_disk_full(error):
            raise
        return False
    return True


def _write(
    target: Path,
    film: Path,
    probe: FilmProbe,
    start: int,
    stop: int,
    encoding: Encoding,
    depth: int,
) -> None:
    whole = _UNPACKED.get(encoding.codec, bytes)
    with open_film(film) as container, SegmentEncoder(target, probe, encoding, start) as encoder:
        stream = main_video(container, film)
        # Twice over: the packets of a segment may take gigabytes.
        shown = sorted(
            shown_at(packet) for packet in _packets(container, stream, probe, start, stop)
        )
        place = {pts: number for number, pts in enumerate(shown)}
        for packet in _packets(container, stream, probe, start, stop):
            copied = av.Packet(whole(bytes(packet)))
            copied.is_keyframe = packet.is_keyframe
            encoder.copy(copied, place[shown_at(packet)], depth)


def _packets(
    container: InputContainer, stream: VideoStream, probe: FilmProbe, start: int, stop: int
) -> Iterator[VideoPacket]:
    """Of frames [start, stop), in decode order: each segment begins with a keyframe."""
    begin = (stream.start_time or 0) * unit(stream) - probe.start_pts * probe.time_base
    first = begin + probe.pts_of(start) * probe.time_base - _NEAR
    container.seek(max(0, int(first / unit(stream))), stream=stream, backward=True)
    count = 0
    for packet in container.demux(stream):
        if not packet.size or packet.pts is None:
            continue
        if not count and packet.pts * packet.time_base < first:
            continue
        count += 1
        yield packet
        if count == stop - start:
            return


def _of_264(packet: bytes) -> bytes:
    return b"".join(_with_start_codes(packet, lambda unit: unit[0] & 31 in _HEADERS_264))


def _of_265(packet: bytes) -> bytes:
    return b"".join(_with_start_codes(packet, lambda unit: unit[0] >> 1 & 63 in _HEADERS_265))


def _with_start_codes(packet: bytes, is_header: Callable[[bytes], bool]) -> Iterator[bytes]:
    """NAL units behind their lengths to NAL units behind start codes (annex B).

    Encoders give the long code to the first unit of a picture and to headers. What x264 says of
    itself belongs to no picture.
    """
    place, is_first = 0, True
    while place < len(packet):
        size = int.from_bytes(packet[place : place + _SIZE_BYTES])
        unit = packet[place + _SIZE_BYTES : place + _SIZE_BYTES + size]
        place += _SIZE_BYTES + size
        is_imprint = unit.startswith(_IMPRINT_264)
        yield _LONG if (is_first and not is_imprint) or is_header(unit) else _SHORT
        yield unit
        is_first = is_first and is_imprint


def _of_av1(packet: bytes) -> bytes:
    return _TEMPORAL_DELIMITER + packet


_UNPACKED: Final = {
    "libx264": _of_264,
    "h264_nvenc": _of_264,
    "libx265": _of_265,
    "hevc_nvenc": _of_265,
    "libsvtav1": _of_av1,
}
