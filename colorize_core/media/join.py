"""From finished segments to one film: no re-encoding, the source's times, all its other streams."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from colorize_core.atomic import publish
from colorize_core.errors import VerifyError
from colorize_core.media import matroska
from colorize_core.media.containers import (
    CONVERTED_SUBTITLES,
    MUXERS,
    ContainerChoice,
    is_kept,
)
from colorize_core.media.copying import Copies
from colorize_core.media.encoder import frame_number, writing
from colorize_core.media.film import FilmProbe
from colorize_core.media.luma import LumaCheck, compare_luma
from colorize_core.media.opening import open_film

# The muxer writes these about the file itself; copied, they would describe the source.
_OWN_TAGS = {
    "encoder",
    "major_brand",
    "minor_version",
    "compatible_brands",
    "duration",
    "number_of_frames",
    "number_of_bytes",
    "bps",
    "vendor_id",
}
# Their streams say nothing about the shape of pixels; Matroska has to.
_WITHOUT_ASPECT = {"ffv1", "av1", "prores"}
_PROGRESSIVE = 1  # AVFieldOrder
_REDO = "delete the film's segments and run again"


@dataclass(frozen=True)
class JoinResult:
    """What was published. `lost` names streams and qualities of the source that are not in it.

    `damage` says what went wrong, in the source already or on the way; `notes` are differences
    that no viewer sees. `luma` is there if it was compared.
    """

    frames: int
    seconds: float
    lost: tuple[str, ...]
    damage: tuple[str, ...]
    notes: tuple[str, ...]
    luma: LumaCheck | None


def join_segments(
    path: Path,
    probe: FilmProbe,
    segments: Sequence[Path],
    output: Path,
    *,
    choice: ContainerChoice,
    note: str,
    verify_luma: bool = False,
    deinterlace: bool = False,
) -> JoinResult:
    """Put segments behind each other, add the source's other streams, verify and publish.

    Args:
        path: the source film.
        probe: of the source.
        segments: files of SegmentEncoder in order, together all frames of the film.
        output: final path; it appears whole or not at all.
        choice: of `what_container_keeps`.
        note: put into the file's comment; says that the color is computed.
        verify_luma: decode source and result and compare Y' bit for bit.
        deinterlace: the segments are, so the result is not marked as interlaced.

    Raises:
        VerifyError: segments do not fit each other, the result differs from the plan, or Y' of a
            lossless result from the source's.
        OutOfSpaceError: the disk is full.
        UndecodableError: the source or a segment is not readable any more.
    """
    depth = _check_segments(segments, probe)
    with publish(output) as temporary:
        with writing(output):
            shown = replace(probe, field_order=_PROGRESSIVE) if deinterlace else probe
            muxed = _mux(path, shown, segments, temporary, depth, choice, note)
        seconds, offset, lost = _verify(temporary, probe, muxed)
        luma = None
        if verify_luma:
            luma = compare_luma(path, probe, temporary, deinterlace=deinterlace)
            if luma.differing and luma.is_lossless:
                raise VerifyError(f"Y' differs from the source's in {luma.differing} frames")
    notes = list(choice.notes)
    if offset:
        notes.append(f"all streams start {offset} ms later, to keep early sound")
    return JoinResult(
        frames=probe.frames,
        seconds=seconds,
        lost=choice.lost + lost,
        damage=probe.notes + muxed.damage,
        notes=tuple(notes),
        luma=luma,
    )


def _check_segments(segments: Sequence[Path], probe: FilmProbe) -> int:
    """Check that segments belong together and hold exactly the film's frames.

    Returns:
        How many places, at most, a packet comes after the number of its frame.
    """
    count = 0
    depth = 0
    header: bytes | None = None
    for index, segment in enumerate(segments):
        with open_film(segment) as container:
            stream = container.streams.video[0]
            extra = bytes(stream.codec_context.extradata or b"")
            if header is not None and extra != header:
                message = f"segment {index} was made by another encoder than the first"
                raise VerifyError(message, remedy=_REDO)
            header = extra
            numbers = [frame_number(p, probe) for p in container.demux(stream) if p.size]
        if sorted(numbers) != list(range(count, count + len(numbers))):
            message = f"segment {index} does not continue at frame {count}"
            raise VerifyError(message, remedy=_REDO)
        depth = max([depth, *(count + i - number for i, number in enumerate(numbers))])
        count += len(numbers)
    if count != probe.frames:
        message = f"the segments hold {count} frames, the film {probe.frames}"
        raise VerifyError(message, remedy=_REDO)
    return depth


@dataclass(frozen=True)
class _Muxed:
    """What went into the file: the index of the color stream, packets per stream, streams."""

    color_index: int
    packets: Counter[int]
    kinds: Counter[str]
    damage: tuple[str, ...]


def _mux(
    path: Path,
    probe: FilmProbe,
    segments: Sequence[Path],
    temporary: Path,
    depth: int,
    choice: ContainerChoice,
    note: str,
) -> _Muxed:
    with ExitStack() as stack:
        source = stack.enter_context(open_film(path, probe.frame_rate))
        first = stack.enter_context(open_film(segments[0]))
        codec = first.streams.video[0].codec_context.codec.canonical_name
        patch_aspect = _must_patch_aspect(probe, choice.container, codec)
        options = _muxer_options(source, probe, choice.container)
        options |= matroska.MUXER_OPTIONS if patch_aspect else {}
        result = av.open(str(temporary), "w", format=MUXERS[choice.container], options=options)
        stack.enter_context(result)
        result.metadata.update(_file_tags(source.metadata, note))
        targets = _add_streams(path, source, first, result, probe, choice.container)
        result.set_chapters(source.chapters())
        color = targets.pop(probe.video_index)
        if patch_aspect:
            color.set_display_rotation(matroska.PLACEHOLDER_ROTATION)
        result.start_encoding()
        kinds = Counter(_kind(stream) for stream in result.streams)
        copies = Copies(source, targets, choice.container)
        packets: Counter[int] = Counter()
        own = _color_packets(segments, probe, depth, color)
        for packet in heapq.merge(own, copies.packets(), key=_decode_time):
            packets[packet.stream_index] += 1
            result.mux_one(packet)
        muxed = _Muxed(color.index, packets, kinds, copies.damage())
    if patch_aspect:
        matroska.write_sample_aspect(temporary, probe.width, probe.height, probe.sample_aspect)
    return muxed


def _must_patch_aspect(probe: FilmProbe, container: str, codec: str) -> bool:
    is_square = probe.sample_aspect == 1
    return (
        container in ("mkv", "webm")
        and codec in _WITHOUT_ASPECT
        and not is_square
        and not probe.rotation
    )


def _kind(stream: Any) -> str:
    """Kind of a stream; covers count as attachments, which they are in Matroska."""
    is_cover = stream.type == "video" and stream.disposition & type(stream.disposition).attached_pic
    return "attachment" if is_cover else str(stream.type)


def _muxer_options(source: Any, probe: FilmProbe, container: str) -> dict[str, str]:
    if container not in ("mp4", "mov"):
        return {}
    # Edit lists count in movie time; its default of 1/1000 s would round the first pts.
    options = {"movie_timescale": str(probe.time_base.denominator)}
    if probe.time_base.numerator == 1:
        options["video_track_timescale"] = str(probe.time_base.denominator)
    if any("." in key for key in source.metadata):
        # Reverse-domain keys (Apple, Android) need this kind of tag.
        options["movflags"] = "use_metadata_tags"
    return options


def _file_tags(tags: dict[str, str], note: str) -> dict[str, str]:
    kept = {key: value for key, value in tags.items() if key.lower() not in _OWN_TAGS}
    name = next((key for key in kept if key.lower() == "comment"), "comment")
    kept[name] = f"{kept[name]}\n{note}" if kept.get(name) else note
    return kept


def _stream_tags(tags: dict[str, str]) -> dict[str, str]:
    # mkvmerge writes BPS-eng, NUMBER_OF_FRAMES-eng and so on.
    return {
        key: value
        for key, value in tags.items()
        if key.lower().split("-")[0] not in _OWN_TAGS and not key.startswith("_STATISTICS")
    }


def _add_streams(
    path: Path, source: Any, first: Any, result: Any, probe: FilmProbe, container: str
) -> dict[int, Any]:
    """Create the result's streams in the source's order; map source index to new stream."""
    targets: dict[int, Any] = {}
    for info in probe.streams:
        stream = source.streams[info.index]
        is_color = info.index == probe.video_index
        if not is_color and (info.is_redundant or not is_kept(info, container)):
            continue
        if info.kind == "attachment":
            result.add_attachment(info.name or "attachment", stream.mimetype or "", stream.data)
            continue
        if info.is_attached_picture and container == "mkv":
            _attach_cover(path, info.index, result)
            continue
        if is_color:
            new = _add_color(first.streams.video[0], result, probe)
        elif container in info.holders:
            new = result.add_stream_from_template(stream, opaque=True)
            new.time_base = stream.time_base
        else:
            new = result.add_mux_stream(CONVERTED_SUBTITLES[info.codec, container])
            new.time_base = stream.time_base
        new.disposition = int(stream.disposition)
        new.metadata.update(_stream_tags(stream.metadata))
        targets[info.index] = new
    return targets


def _add_color(template: Any, result: Any, probe: FilmProbe) -> Any:
    color = probe.output_color
    new = result.add_stream_from_template(
        template,
        opaque=True,
        sample_aspect_ratio=probe.sample_aspect,
        color_range=color.range,
        colorspace=color.matrix,
        color_primaries=color.primaries,
        color_trc=color.transfer,
        field_order=probe.field_order,
    )
    new.time_base = probe.time_base
    if probe.rotation:
        new.set_display_rotation(probe.rotation)
    return new


def _attach_cover(path: Path, index: int, result: Any) -> None:
    with open_film(path) as container:
        stream = container.streams[index]
        data = next(bytes(p) for p in container.demux(stream) if p.size)
        is_png = stream.codec_context.codec.canonical_name == "png"
        name = stream.metadata.get("filename", "cover.png" if is_png else "cover.jpg")
        kind = stream.metadata.get("mimetype", "image/png" if is_png else "image/jpeg")
    result.add_attachment(name, kind, data)


def _color_packets(
    segments: Sequence[Path], probe: FilmProbe, depth: int, target: Any
) -> Iterator[Any]:
    """The film's own packets with the source's times, in decode order."""
    pts = probe.pts
    step = max(1, round(1 / (probe.frame_rate * probe.time_base)))
    count = 0
    for segment in segments:
        with open_film(segment) as container:
            for packet in container.demux(container.streams.video[0]):
                if not packet.size:
                    continue
                number = frame_number(packet, probe)
                packet.time_base = probe.time_base
                packet.pts = int(pts[number])
                early = int(pts[0]) - (depth - count) * step
                packet.dts = int(pts[count - depth]) if count >= depth else early
                is_last = number + 1 == len(pts)
                packet.duration = step if is_last else int(pts[number + 1] - pts[number])
                packet.stream = target
                count += 1
                yield packet


def _decode_time(packet: Any) -> Fraction:
    seconds: Fraction = packet.dts * packet.time_base
    return seconds


def _verify(result: Path, probe: FilmProbe, muxed: _Muxed) -> tuple[float, int, tuple[str, ...]]:
    """Demux the result and compare it with what went in.

    Returns:
        Its duration in seconds, by how many milliseconds all its streams were moved, and what of
        the geometry is lost.
    """
    with open_film(result) as container:
        kinds = Counter(_kind(stream) for stream in container.streams)
        # MP4 shows chapters as a data track of their own.
        missing = muxed.kinds - kinds
        color = container.streams[muxed.color_index]
        packets: Counter[int] = Counter()
        shown: list[int] = []
        for packet in container.demux():
            if packet.size == 0:
                continue
            packets[packet.stream_index] += 1
            if packet.stream_index == color.index:
                shown.append(packet.pts)
        seconds = float(container.duration or 0) / av.time_base
        is_subtitle = [stream.type == "subtitle" for stream in container.streams]
        time_base = color.time_base
        aspect = color.sample_aspect_ratio or Fraction(1)
    if missing:
        raise VerifyError(f"the joined film lacks streams: {dict(missing)}")
    for index, count in muxed.packets.items():
        # MP4 fills the pauses between subtitles with empty packets.
        if packets[index] != count and not (is_subtitle[index] and packets[index] > count):
            raise VerifyError(f"stream {index}: {packets[index]} of {count} packets arrived")
    is_near = abs(aspect / probe.sample_aspect - 1) < Fraction(1, 1000)
    lost = () if is_near else (f"the pixels' shape {probe.sample_aspect}",)
    return seconds, _compare_times(np.sort(shown), time_base, probe), lost


def _compare_times(shown: NDArray[np.int64], time_base: Fraction, probe: FilmProbe) -> int:
    """Moved by how many milliseconds; frames must keep their distances within one tick."""
    wanted = probe.pts * float(probe.time_base)
    difference = shown * float(time_base) - wanted
    moved = float(np.median(difference)) if len(difference) else 0.0
    # Matroska counts milliseconds; elsewhere the tick is the source's own.
    tolerance = max(float(time_base), 1e-9) if time_base != probe.time_base else 1e-6
    if np.abs(difference - moved).max(initial=0.0) > tolerance:
        raise VerifyError("the joined film shows frames at other times than the source")
    milliseconds = round(moved * 1000)
    return milliseconds if abs(moved) > tolerance else 0
