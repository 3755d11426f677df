"""From finished segments to one film: no re-encoding, the source's times, all its other streams."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from colorize_core.atomic import publish
from colorize_core.errors import VerifyError
from colorize_core.media.film.boxes import add_picture_box
from colorize_core.media.film.container_choice import APERTURE, MUXERS, ContainerChoice
from colorize_core.media.film.counts import LumaCheck
from colorize_core.media.film.demux import open_film
from colorize_core.media.film.encoder import frame_number, writing
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.frame_files import sound_notes
from colorize_core.media.film.mux import matroska
from colorize_core.media.film.mux.captions import PictureCaptions
from colorize_core.media.film.mux.luma_check import compare_luma
from colorize_core.media.film.mux.sound import SoundBeside
from colorize_core.media.film.mux.stream_copier import StreamCopier
from colorize_core.media.film.mux.streams import add_streams, file_tags
from colorize_core.media.film.mux.verify import Muxed, PacketTally, stream_kind, verify_film
from colorize_core.media.film.pyav import AnyPacket, VideoPacket, decode_seconds, decoded_at

if TYPE_CHECKING:
    from av.container.core import Chapter

# Their streams say nothing about the shape of pixels; Matroska has to.
_WITHOUT_ASPECT = {"ffv1", "av1", "prores"}
_PRIMING = Fraction(1, 10)  # seconds, at most
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
    with_sound: bool = False,
    mtime_ns: int | None = None,
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
        with_sound: of a folder of pictures, the WAV that the probe found goes in.
        mtime_ns: the date that the file shall have; None for now.

    Raises:
        VerifyError: segments do not fit each other, the result differs from the plan, or Y' of a
            lossless result from the source's.
        OutOfSpaceError: the disk is full.
        UndecodableError: the source or a segment is not readable any more.
    """
    depth = _check_segments(segments, probe)
    with_sound = with_sound and bool(probe.sound)
    with publish(output, mtime_ns=mtime_ns) as temporary:
        shown = replace(probe, field_order=_PROGRESSIVE) if deinterlace else probe
        with writing(output), _named(choice.container):
            muxed = _mux(
                path, shown, segments, temporary, depth, choice, note, with_sound=with_sound
            )
        lost = _write_aperture(temporary, probe, choice.container)
        found = verify_film(temporary, probe, muxed)
        luma = None
        if verify_luma:
            luma = compare_luma(path, probe, temporary, deinterlace=deinterlace)
            if luma.differing and luma.is_lossless:
                raise VerifyError(f"Y' differs from the source's in {luma.differing} frames")
    notes = [*choice.notes, *sound_notes(probe.sound, is_wanted=with_sound)]
    if found.moved:
        notes.append(f"all streams start {found.moved} ms later, to keep what is early")
    return JoinResult(
        frames=probe.frames,
        seconds=found.seconds,
        lost=choice.lost + lost + found.lost,
        damage=probe.notes + muxed.damage + found.damage,
        notes=tuple(notes),
        luma=luma,
    )


@contextmanager
def _named(container: str) -> Iterator[None]:
    """Put what a muxer refuses into words."""
    try:
        yield
    except (MemoryError, OSError):
        raise
    except av.FFmpegError as error:
        raise VerifyError(
            f"the joined film cannot be written as {container}",
            remedy="use --container mkv; if it is that already, report it",
        ) from error


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


def _mux(
    path: Path,
    probe: FilmProbe,
    segments: Sequence[Path],
    temporary: Path,
    depth: int,
    choice: ContainerChoice,
    note: str,
    *,
    with_sound: bool,
) -> Muxed:
    with ExitStack() as stack:
        source = stack.enter_context(open_film(path, probe.frame_rate))
        first = stack.enter_context(open_film(segments[0]))
        codec = first.streams.video[0].codec_context.codec.canonical_name
        patch_aspect = _must_patch_aspect(probe, choice.container, codec)
        options = _muxer_options(source, probe, choice.container)
        options |= matroska.MUXER_OPTIONS if patch_aspect else {}
        result = av.open(str(temporary), "w", format=MUXERS[choice.container], options=options)
        stack.enter_context(result)
        result.metadata.update(file_tags(source.metadata, note))
        targets = add_streams(path, source, first, result, probe, choice.container)
        captions = (
            PictureCaptions(path, probe.codec, choice.captions, result) if choice.captions else None
        )
        sound = stack.enter_context(SoundBeside(Path(probe.sound), result)) if with_sound else None
        shift = _shift(probe, choice.container)
        result.set_chapters([_later(chapter, shift) for chapter in source.chapters()])
        color = targets.pop(probe.video_index).stream
        assert isinstance(color, VideoStream)
        if patch_aspect:
            color.set_display_rotation(matroska.PLACEHOLDER_ROTATION)
        result.start_encoding()
        kinds = tuple(stream_kind(stream) for stream in result.streams)
        copies = StreamCopier(source, targets, choice.container)
        own = _color_packets(segments, probe, depth, color)
        tally = PacketTally()
        others = [extra.packets() for extra in (captions, sound) if extra]
        for packet in heapq.merge(own, copies.packets(), *others, key=decode_seconds):
            tally.count(packet)
            _move(packet, shift)
            # A damaged packet of sound must not cost the film. Which one it was does not matter
            # (muxers hold packets back): the result is counted when it is verified.
            with suppress(av.InvalidDataError, av.ArgumentError):
                result.mux_one(packet)
        muxed = Muxed(color.index, tally, kinds, copies.damage())
    if patch_aspect:
        matroska.write_sample_aspect(temporary, probe.width, probe.height, probe.sample_aspect)
    return muxed


def _write_aperture(path: Path, probe: FilmProbe, container: str) -> tuple[str, ...]:
    if not probe.aperture or container not in ("mov", "mp4"):
        return ()
    return () if add_picture_box(path, "clap", probe.aperture) else (APERTURE,)


def _must_patch_aspect(probe: FilmProbe, container: str, codec: str) -> bool:
    is_square = probe.sample_aspect == 1
    return (
        container in ("mkv", "webm")
        and codec in _WITHOUT_ASPECT
        and not is_square
        and not probe.display_matrix
    )


def _muxer_options(source: InputContainer, probe: FilmProbe, container: str) -> dict[str, str]:
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


def _shift(probe: FilmProbe, container: str) -> Fraction:
    """Seconds by which all streams have to start later.

    Players of MP4 hide what comes before time 0. Coded sound may: decoders leave its start out.
    """
    if container not in ("mp4", "mov"):
        return Fraction(0)
    early = min(int(probe.pts[0]) * probe.time_base, probe.earliest + _PRIMING, Fraction(0))
    return -early // probe.time_base * probe.time_base


def _move(packet: AnyPacket, shift: Fraction) -> None:
    ticks = round(shift / packet.time_base)
    packet.dts = decoded_at(packet) + ticks
    if packet.pts is not None:
        packet.pts += ticks


def _later(chapter: Chapter, shift: Fraction) -> Chapter:
    assert chapter["time_base"] is not None
    ticks = round(shift / chapter["time_base"])
    return {**chapter, "start": chapter["start"] + ticks, "end": chapter["end"] + ticks}


def _color_packets(
    segments: Sequence[Path], probe: FilmProbe, depth: int, target: VideoStream
) -> Iterator[VideoPacket]:
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
                packet.duration = (
                    probe.last_duration if is_last else int(pts[number + 1] - pts[number])
                )
                packet.stream = target
                count += 1
                yield packet
