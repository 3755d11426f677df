"""Which container holds the result, and what of the source it cannot hold."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Protocol

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.stream import Stream

from colorize_core.errors import UnsupportedError
from colorize_core.media.film.captions import LINE_21
from colorize_core.media.film.conversions import captions_stream, conversion
from colorize_core.media.film.film import FilmProbe, StreamInfo
from colorize_core.media.film.hdr import WRITERS_OF_LIGHT

MUXERS = {"mkv": "matroska", "mp4": "mp4", "mov": "mov", "webm": "webm"}
_ENCODERS = {
    "mkv": {"libx264", "libx265", "libsvtav1", "ffv1", "prores_ks", "h264_nvenc", "hevc_nvenc"},
    "mp4": {"libx264", "libx265", "libsvtav1", "ffv1", "h264_nvenc", "hevc_nvenc"},
    "mov": {"libx264", "libx265", "prores_ks", "h264_nvenc", "hevc_nvenc"},
    "webm": {"libsvtav1"},
}
APERTURE = "the clean aperture (which part of the picture is meant to be seen)"
# Possible, but hardly any player opens it and its color tags are lost: on request only.
_UNUSUAL = {("mp4", "ffv1")}


class ContainerSettings(Protocol):
    """The part of VideoSettings that this module reads."""

    @property
    def container(self) -> str:
        """Either "source" or the name of one."""
        ...

    @property
    def codec(self) -> str:
        """Name of the encoder."""
        ...


@dataclass(frozen=True)
class ContainerChoice:
    """The chosen container ("mkv", "mp4", "mov", "webm") and what of the source is lost in it.

    `notes` are differences that no viewer sees. `captions` is the codec of a stream that takes the
    closed captions out of the pictures.
    """

    container: str
    lost: tuple[str, ...]
    notes: tuple[str, ...]
    captions: str | None = None


def what_container_keeps(probe: FilmProbe, container: str, codec: str) -> ContainerChoice:
    """Choose where a film goes.

    Args:
        probe: the source.
        container: "source" takes the source's own if nothing is lost in it that MKV keeps.
        codec: the encoder, as given by `choose_encoding`.

    Raises:
        UnsupportedError: the container cannot hold what the encoder makes.
    """
    if container != "source":
        if codec not in _ENCODERS[container]:
            able = ", ".join(name for name, codecs in _ENCODERS.items() if codec in codecs)
            raise UnsupportedError(f"{container} cannot hold {codec}", remedy=f"use {able}")
        return _choice(probe, container, codec)
    own = source_container(probe)
    usual = own is not None and codec in _ENCODERS[own] and (own, codec) not in _UNUSUAL
    # Editors expect ProRes in QuickTime.
    home = "mov" if codec == "prores_ks" else "mkv"
    choices = [
        _choice(probe, name, codec) for name in (own if usual else None, home, "mkv") if name
    ]
    best = min(choices, key=lambda choice: len(choice.lost))
    if own is None or best.container == own:
        return best
    why = f"{own} holds less of it" if usual else f"{codec} has no place in {own}"
    return replace(best, notes=(*best.notes, f"goes into {best.container}: {why}"))


def source_container(probe: FilmProbe) -> str | None:
    """Name of the source's container where it is one this project writes."""
    if probe.container == "matroska,webm":
        return "webm" if probe.is_webm else "mkv"
    if probe.container.startswith("mov,"):
        return "mov" if probe.brand == "qt" else "mp4"
    return None


def muxable_in(stream: Stream) -> frozenset[str]:
    """Find the containers that take a stream as it is, by writing a header for each."""
    return frozenset(name for name in MUXERS if _holds(stream, name))


def _holds(stream: Stream, container: str) -> bool:
    if stream.type not in ("video", "audio", "subtitle"):
        return stream.type == "attachment" and container == "mkv"
    try:
        with av.open(io.BytesIO(), "w", format=MUXERS[container]) as trial:
            trial.add_stream_from_template(stream, opaque=True)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return not (container == "mp4" and _is_pcm_without_places(stream))


def _is_pcm_without_places(stream: Stream) -> bool:
    """MP4 says where channels of PCM sound; its muxer fails at the end where nobody knows."""
    codec = stream.codec_context
    if not isinstance(codec, AudioCodecContext):
        return False
    is_pcm = codec.codec.canonical_name.startswith("pcm_")
    return is_pcm and str(codec.layout.name).endswith("channels")


def _choice(probe: FilmProbe, container: str, codec: str) -> ContainerChoice:
    rounded = container in ("mkv", "webm") and not _in_milliseconds(probe)
    notes = [*probe.remarks, *["frame times are rounded to milliseconds"] * rounded]
    notes += [
        f"video stream {stream.index} is copied as it is"
        for stream in probe.streams
        if stream.kind == "video"
        and stream.index != probe.video_index
        and not stream.is_attached_picture
        and not stream.is_redundant
        and container in stream.muxable_in
    ]
    notes += _converted_sound(probe, container)
    captions = captions_stream(container, codec) if LINE_21 in probe.captions else None
    if captions:
        notes.append(f"closed captions are in a stream of their own ({captions})")
    lost = _lost(probe, container, codec) + _lost_of_captions(probe, container, codec)
    return ContainerChoice(container, lost, tuple(notes), captions)


def _converted_sound(probe: FilmProbe, container: str) -> list[str]:
    sound = [
        s
        for s in probe.streams
        if s.kind == "audio" and not s.is_redundant and container not in s.muxable_in
    ]
    kept = [(stream, conversion(stream, container)) for stream in sound]
    return [
        f"audio stream {stream.index} ({stream.codec}) is kept as {codec}, "
        f"{'packet by packet' if codec == 'aac' else 'sample by sample'}"
        for stream, codec in kept
        if codec
    ]


def _lost_of_captions(probe: FilmProbe, container: str, codec: str) -> tuple[str, ...]:
    stream = captions_stream(container, codec)
    kept = probe.captions if stream is None else {LINE_21} if stream else set()
    lost = [f"closed captions ({kind})" for kind in sorted(probe.captions - kept)]
    tracks = [s for s in probe.streams if s.codec == "eia_608" and container not in s.muxable_in]
    texts = {conversion(track, container) for track in tracks}
    if "mov_text" in texts or (stream == "mov_text" and LINE_21 in probe.captions):
        lost.append("places and colors of closed captions")
    return tuple(lost)


def _lost(probe: FilmProbe, container: str, codec: str) -> tuple[str, ...]:
    lost = [
        f"{stream.kind} stream {stream.index} ({stream.codec or stream.name or 'unknown'})"
        for stream in probe.streams
        if stream.index != probe.video_index and not is_kept(stream, container)
    ]
    if probe.working.drops_alpha:
        lost.append("transparency")
    written = _written_light(probe, codec)
    lost += [f"{name} of the picture" for name in probe.hdr if name not in written]
    lost += probe.unkept
    if probe.aperture and container not in ("mov", "mp4"):
        lost.append(APERTURE)
    if (container, codec) in _UNUSUAL:
        lost.append("color tags")
    return tuple(lost)


def _written_light(probe: FilmProbe, codec: str) -> set[str]:
    if codec not in WRITERS_OF_LIGHT:
        return set()
    known = {"mastering display": probe.light.has_screen}
    known["content light level"] = bool(probe.light.content)
    return {name for name, is_known in known.items() if is_known}


def is_kept(stream: StreamInfo, container: str) -> bool:
    """Tell whether a stream is found again in the result, converted if need be."""
    if stream.is_redundant or container in stream.muxable_in:
        return True
    if stream.is_attached_picture:
        return container == "mkv"
    return conversion(stream, container) is not None


def _in_milliseconds(probe: FilmProbe) -> bool:
    per_tick = probe.time_base * 1000
    return bool(np.all(probe.pts * per_tick.numerator % per_tick.denominator == 0))
