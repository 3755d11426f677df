"""Probing: what a film is and when each of its frames is shown, found by demuxing."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from colorize_core.errors import TooLargeError, UndecodableError, UnsupportedError
from colorize_core.media.film.changes import longest_shape
from colorize_core.media.film.demux import open_film
from colorize_core.media.film.display_matrix import display_matrix
from colorize_core.media.film.ffmpeg_log import container_damage, listening
from colorize_core.media.film.film import FilmProbe, StreamInfo
from colorize_core.media.film.frame_files import find_frames, read_dpx_times, sound_beside
from colorize_core.media.film.frame_times import (
    film_rate,
    find_gaps,
    find_restart,
    frame_rate,
    frame_times,
    plain_rate,
    times_of_decoding,
)
from colorize_core.media.film.hdr import read_light
from colorize_core.media.film.head import Head, hdr_names, read_head
from colorize_core.media.film.packet_scan import PacketScan, scan_packets
from colorize_core.media.film.planes import working_format
from colorize_core.media.film.title_parts import title_note

# Containers in which seeking was measured to lose no frame. MPEG-TS and -PS seek late, raw
# streams not at all.
_SEEKABLE = {"matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "flv", "asf", "avi", "image2", "concat"}
_USUAL_RATE = 24.0
_UNORDERED_IN_AVI = {"h264", "hevc"}  # AVI has decode times only


def probe_film(
    path: Path,
    *,
    max_pixels: int | None = None,
    max_frames: int | None = None,
    fps: float = 0,
) -> FilmProbe:
    """Demux a film once and decode its first frames.

    Args:
        path: the film, a list of its pieces, or a folder of numbered pictures.
        max_pixels: of one frame.
        max_frames: of the film.
        fps: of a folder of pictures; 0 for what they say, else 24.

    Raises:
        MissingError: there is no such file.
        UndecodableError: not a film, damaged beyond use, or no frame decodes.
        UnsupportedError: without pictures, with samples this project cannot handle, or with a
            clock that starts anew inside the film.
        TooLargeError: above a limit.
    """
    rate = plain_rate(Fraction(fps)) if fps else _own_rate(path)
    head = read_head(path, rate, max_pixels)
    with listening() as messages:
        packets = scan_packets(path, rate)
    _refuse_change(path, head, packets)
    if max_frames is not None and len(packets.times) > max_frames:
        raise TooLargeError(
            f"{path.name}: {len(packets.times)} frames are above {max_frames}",
            remedy="raise video.max_frames",
        )
    restart = find_restart(packets.clock, head.time_base, head.container)
    if restart is not None:
        raise UnsupportedError(
            f"{path.name}: its clock starts anew at {restart:.1f} s, as in recordings put together",
            remedy="remux it first: ffmpeg -fflags +genpts -i FILM -map 0 -dn -c copy FILM.mkv",
        )
    probe = _assemble(head, packets)
    said = container_damage(messages, head.container)
    told = _folder_notes(path, rate) if path.is_dir() else title_note(path)
    sound, about_sound = _sound_of(path) if path.is_dir() else ("", ())
    return replace(
        probe,
        notes=probe.notes + said + told,
        remarks=probe.remarks + about_sound,
        sound=sound,
    )


def _own_rate(path: Path) -> Fraction:
    """Of a folder of pictures; of other films it plays no part."""
    own = read_dpx_times(find_frames(path).files[0]).rate if path.is_dir() else None
    return film_rate(own or _USUAL_RATE)


def _sound_of(folder: Path) -> tuple[str, tuple[str, ...]]:
    """Path of the WAV of a folder of pictures, and a remark on one that is none."""
    sound = sound_beside(folder)
    if sound is None:
        return "", ()
    try:
        with open_film(sound) as container:
            is_sound = bool(container.streams.audio)
    except UndecodableError:
        is_sound = False
    return (str(sound), ()) if is_sound else ("", (f"{sound.name} cannot be read as its sound",))


def _folder_notes(folder: Path, rate: Fraction) -> tuple[str, ...]:
    frames = find_frames(folder)
    own = read_dpx_times(frames.files[0]).rate
    if own is None or film_rate(own) == rate:
        return frames.notes
    return (*frames.notes, f"its pictures say {own:g} frames per second: --fps {own:g} takes that")


def _assemble(head: Head, packets: PacketScan) -> FilmProbe:
    known = [t for t in packets.times if t is not None]
    has_times = len(known) == len(packets.times) and len(set(known)) == len(known)
    is_fed = head.container == "avi" and head.codec in _UNORDERED_IN_AVI
    is_fed &= len(packets.clock) == len(packets.times)
    about_times = ""
    if is_fed:
        pts = times_of_decoding(packets.clock, min(head.delay, len(packets.clock)))
    else:
        pts, about_times = frame_times(packets.times, head.time_base, head.guessed_rate)
    rate = frame_rate(pts, head.time_base, head.guessed_rate)
    shape, others = longest_shape(packets.shapes, int(pts[-1]) if len(pts) else 0)
    aspect = shape * head.frame.height / head.frame.width if shape else head.sample_aspect
    streams, empty = _without_empty(head, packets)
    gaps, pauses = find_gaps(pts, head.time_base, packets, head.container)
    reason = _why_linear(head, has_times=has_times)
    return FilmProbe(
        container=head.container,
        brand=head.brand,
        streams=streams,
        video_index=head.stream_index,
        codec=head.codec,
        pix_fmt=head.frame.format.name,
        working=working_format(head.frame.format.name),
        width=head.frame.width,
        height=head.frame.height,
        sample_aspect=aspect,
        display_matrix=display_matrix(head.frame),
        color=head.color,
        hdr=hdr_names(head.frame),
        field_order=head.field_order,
        time_base=head.time_base,
        frame_rate=rate,
        pts=pts,
        last_duration=packets.last_duration or max(1, round(1 / (rate * head.time_base))),
        keyframes=np.searchsorted(pts, np.asarray(sorted(packets.keyframes), np.int64)),
        duration_seconds=packets.seconds,
        is_timed=has_times and head.is_timed and not is_fed,
        is_segmentable=not reason,
        reason=reason,
        notes=(
            *_cut_short(len(pts), packets),
            *gaps,
            *([about_times] if about_times else []),
            *_changed_sound(head, packets),
        ),
        remarks=(*pauses, *empty, *_joined(head.pieces)),
        unkept=(*head.unkept, *_lost_shapes(others, head)),
        aperture=head.aperture,
        light=read_light(head.frame),
        earliest=packets.earliest,
        captions=frozenset(packets.captions),
        chapters=head.chapters,
        pieces=head.pieces,
    )


def _joined(pieces: tuple[str, ...]) -> list[str]:
    return [f"one film of {len(pieces)} pieces: {', '.join(pieces)}"] if pieces else []


def _why_linear(head: Head, *, has_times: bool) -> str:
    if head.container not in _SEEKABLE:
        return f"seeking in {head.container} loses frames"
    if head.container == "avi" and head.codec in _UNORDERED_IN_AVI:
        return f"{head.codec} in AVI has no presentation times"
    if not has_times:
        return "some frames have no time or share one"
    if not head.is_timed:
        return "decoded frames do not carry the times of their packets"
    return ""


def _cut_short(frames: int, packets: PacketScan) -> list[str]:
    if packets.error:
        return [f"the source is damaged and cannot be read beyond {packets.seconds:.1f} s"]
    if packets.is_cut_short:
        return [f"the source is cut short: {frames} frames of {packets.seconds:.1f} s are there"]
    return []


def _refuse_change(path: Path, head: Head, packets: PacketScan) -> None:
    since = packets.foreign.get(head.stream_index)
    if since is not None:
        raise UnsupportedError(
            f"{path.name}: after {since:.1f} s its pictures are not {head.codec} any more",
            remedy="cut it there: each part is a film of its own",
        )


def _changed_sound(head: Head, packets: PacketScan) -> list[str]:
    return [
        f"audio stream {stream.index} is of another codec than {stream.codec} "
        f"from {packets.foreign[stream.index]:.1f} s on"
        for stream in head.streams
        if stream.kind == "audio" and stream.index in packets.foreign
    ]


def _lost_shapes(others: list[tuple[int, Fraction]], head: Head) -> list[str]:
    return [
        f"the picture's shape {float(shape):.3g}:1 from {float(time * head.time_base):.2f} s on"
        for time, shape in others
    ]


def _without_empty(
    head: Head, packets: PacketScan
) -> tuple[tuple[StreamInfo, ...], tuple[str, ...]]:
    """Mark streams without a packet; say which."""
    empty = [
        stream
        for stream in head.streams
        if stream.kind in ("video", "audio", "subtitle")
        and stream.index not in packets.filled
        and not stream.is_attached_picture
    ]
    streams = tuple(replace(s, is_redundant=True) if s in empty else s for s in head.streams)
    return streams, tuple(f"{s.kind} stream {s.index} is empty: left out" for s in empty)
