"""The start of a film: its streams, its first frame, and how its frames carry their times."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.codeccontext import AudioCodecContext
from av.container import InputContainer
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

from colorize_core.errors import TooLargeError, UndecodableError
from colorize_core.media.film.container_choice import muxable_in
from colorize_core.media.film.demux import (
    DEMUX_ERRORS,
    decode_packet,
    is_attached_picture,
    main_video,
    open_film,
)
from colorize_core.media.film.encryption import refuse_encrypted
from colorize_core.media.film.film import ColorTags, StreamInfo
from colorize_core.media.film.latm import is_plain
from colorize_core.media.film.pieces import container_name, is_list, pieces_of
from colorize_core.media.film.pyav import side_data, unit
from colorize_core.media.film.unkept import aperture_box, unkept_qualities

_HDR = {
    "MASTERING_DISPLAY_METADATA": "mastering display",
    "CONTENT_LIGHT_LEVEL": "content light level",
    "DYNAMIC_HDR_PLUS": "HDR10+ data",
    "DOVI_METADATA": "Dolby Vision data",
}
_SAMPLED_PACKETS = 60


@dataclass(frozen=True)
class Head:
    """The start of a film, decoded.

    `is_timed`: its frames carry the times of its packets. `delay`: how many packets, less one, the
    decoder takes before the first frame.
    """

    container: str
    brand: str
    streams: tuple[StreamInfo, ...]
    stream_index: int
    codec: str
    frame: av.VideoFrame
    sample_aspect: Fraction
    color: ColorTags
    field_order: int
    time_base: Fraction
    guessed_rate: Fraction | None
    is_timed: bool
    delay: int
    unkept: tuple[str, ...]
    aperture: bytes
    chapters: int
    pieces: tuple[str, ...]


def read_head(path: Path, rate: Fraction, max_pixels: int | None) -> Head:
    """Decode the first frames of a film.

    Raises:
        UndecodableError, UnsupportedError, TooLargeError: see `probe_film`.
    """
    with open_film(path, rate) as container:
        name = container_name(container, path)
        refuse_encrypted(path, name)
        stream = main_video(container, path)
        times: set[int] = set()
        # Only the first frame is kept: some tens of them fill the memory at 4K.
        first: av.VideoFrame | None = None
        shown: list[int | None] = []
        is_interlaced = False
        delay = 0
        with contextlib.suppress(*DEMUX_ERRORS):
            for count, packet in enumerate(container.demux(stream)):
                if packet.pts is not None:
                    times.add(packet.pts)
                for frame in decode_packet(packet)[0]:
                    if first is None:
                        _check_size(path, frame, max_pixels)
                        first, delay = frame, count
                    shown.append(frame.pts)
                    is_interlaced |= frame.interlaced_frame
                if count >= _SAMPLED_PACKETS and first is not None:
                    break
        if first is None:
            raise UndecodableError(
                f"{path.name}: no frame of its {stream.codec_context.name} stream can be decoded",
                remedy="try to play it; if no player can, the pictures are lost",
            )
        return Head(
            container=name,
            brand=container.metadata.get("major_brand", "").strip(),
            streams=tuple(_stream_info(s, container, name) for s in container.streams),
            stream_index=stream.index,
            codec=stream.codec_context.codec.canonical_name,
            frame=first,
            sample_aspect=stream.sample_aspect_ratio or Fraction(1),
            color=_color_tags(first, stream.codec_context),
            field_order=_field_order(stream.codec_context, is_interlaced=is_interlaced),
            time_base=unit(stream),
            guessed_rate=stream.guessed_rate,
            is_timed=_are_in_order(shown, times),
            delay=delay,
            unkept=unkept_qualities(path, name, stream, first),
            aperture=aperture_box(path, name, first),
            chapters=len(container.chapters()),
            pieces=tuple(piece.name for piece in pieces_of(path)) if is_list(path) else (),
        )


def _are_in_order(shown: list[int | None], times: set[int]) -> bool:
    """Whether frames come with times of packets, one after the other."""
    known = [pts for pts in shown if pts is not None]
    is_each = len(known) == len(shown) and times.issuperset(known)
    return is_each and known == sorted(set(known))


def _check_size(path: Path, frame: av.VideoFrame, max_pixels: int | None) -> None:
    if max_pixels is not None and frame.width * frame.height > max_pixels:
        raise TooLargeError(
            f"{path.name}: {frame.width} x {frame.height} is above {max_pixels} pixels",
            remedy="raise video.max_pixels",
        )


def _stream_info(stream: Stream, container: InputContainer, name: str) -> StreamInfo:
    codec = stream.codec_context.codec.canonical_name if stream.codec_context else ""
    tags = stream.metadata
    in_mov = name.startswith("mov,")
    return StreamInfo(
        index=stream.index,
        kind=stream.type,
        codec=codec,
        name=tags.get("handler_name", "") or tags.get("filename", ""),
        language=tags.get("language", ""),
        muxable_in=muxable_in(stream),
        is_attached_picture=stream.type == "video" and is_attached_picture(stream),
        # QuickTime keeps chapters and the time code in tracks of their own.
        is_redundant=stream.type == "data"
        and in_mov
        and (bool(container.chapters()) or "timecode" in tags),
        sample_format=_sample_format(stream),
        is_plain_latm=codec == "aac_latm" and is_plain(stream),
    )


def _sample_format(stream: Stream) -> str:
    context = stream.codec_context
    if not isinstance(context, AudioCodecContext) or context.format is None:
        return ""
    return str(context.format.name) if context.sample_rate and context.channels else ""


def _color_tags(frame: av.VideoFrame, context: VideoCodecContext) -> ColorTags:
    def pick(name: str, unknown: int) -> int:
        value = int(getattr(frame, name))
        return value if value != unknown else int(getattr(context, name))

    return ColorTags(
        range=pick("color_range", 0),
        matrix=pick("colorspace", 2),
        primaries=pick("color_primaries", 2),
        transfer=pick("color_trc", 2),
    )


def hdr_names(frame: av.VideoFrame) -> tuple[str, ...]:
    """Kinds of HDR side data of a frame, in words."""
    names: set[str] = set()
    # PyAV fails on kinds of side data that it does not know, such as EXIF.
    with contextlib.suppress(ValueError):
        names = {data.type.name for data in side_data(frame)} & _HDR.keys()
    return tuple(_HDR[name] for name in sorted(names))


def _field_order(context: VideoCodecContext, *, is_interlaced: bool) -> int:
    declared = int(context.field_order)
    if declared > 1:
        return declared
    if not is_interlaced:
        return declared
    # Flagged frames without a declared order: DV has the bottom field first, others rarely do.
    return 3 if context.codec.canonical_name == "dvvideo" else 2
