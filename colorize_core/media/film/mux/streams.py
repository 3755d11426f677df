"""The streams of a result: what of the source goes into it, under which names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.stream import AttachmentStream, Disposition, Stream
from av.subtitles.stream import SubtitleStream
from av.video.stream import VideoStream

from colorize_core.media.film.container_choice import is_kept
from colorize_core.media.film.conversions import conversion
from colorize_core.media.film.demux import open_film
from colorize_core.media.film.film import FilmProbe, StreamInfo
from colorize_core.media.film.latm import add_aac
from colorize_core.media.film.mux.captions import add_text
from colorize_core.media.film.mux.sound import add_pcm

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


def file_tags(tags: dict[str, str], note: str) -> dict[str, str]:
    """Tags of the result: the source's, and `note` in the comment."""
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


@dataclass(frozen=True)
class Target:
    """Stream of the result for one of the source; `rewritten_as` names its codec if it is new."""

    stream: Stream
    rewritten_as: str | None = None


def add_streams(
    path: Path,
    source: InputContainer,
    first: InputContainer,
    result: OutputContainer,
    probe: FilmProbe,
    container: str,
) -> dict[int, Target]:
    """Create the result's streams in the source's order, by index in the source."""
    targets: dict[int, Target] = {}
    for info in probe.streams:
        stream = source.streams[info.index]
        is_color = info.index == probe.video_index
        if not is_color and (info.is_redundant or not is_kept(info, container)):
            continue
        if info.kind == "attachment":
            assert isinstance(stream, AttachmentStream)
            result.add_attachment(info.name or "attachment", stream.mimetype or "", stream.data)
            continue
        if info.is_attached_picture and container == "mkv":
            _attach_cover(path, info.index, result)
            continue
        if is_color:
            target = Target(_add_color(first.streams.video[0], result, probe))
        else:
            target = _add_other(path, stream, info, result, container)
        target.stream.disposition = Disposition(int(stream.disposition))
        target.stream.metadata.update(_stream_tags(stream.metadata))
        targets[info.index] = target
    return targets


def _add_other(
    path: Path, stream: Stream, info: StreamInfo, result: OutputContainer, container: str
) -> Target:
    codec = None if container in info.muxable_in else conversion(info, container)
    if codec is None:
        new = result.add_stream_from_template(stream, opaque=True)
    elif info.codec == "eia_608":
        assert isinstance(stream, SubtitleStream)
        return Target(add_text(result, stream, codec), codec)
    elif info.kind == "audio" and codec == "aac":
        return Target(add_aac(result, stream, path), codec)
    elif info.kind == "audio":
        assert isinstance(stream, AudioStream)
        return Target(add_pcm(result, stream, codec), codec)
    else:
        new = result.add_mux_stream(codec)
    new.time_base = stream.time_base
    return Target(new, codec)


def _add_color(template: VideoStream, result: OutputContainer, probe: FilmProbe) -> VideoStream:
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
        framerate=probe.frame_rate,
    )
    new.time_base = probe.time_base
    if probe.display_matrix:
        new.set_display_matrix(probe.display_matrix)
    return new


def _attach_cover(path: Path, index: int, result: OutputContainer) -> None:
    with open_film(path) as container:
        stream = container.streams[index]
        data = next(bytes(p) for p in container.demux(stream) if p.size)
        is_png = stream.codec_context.codec.canonical_name == "png"
        name = stream.metadata.get("filename", "cover.png" if is_png else "cover.jpg")
        kind = stream.metadata.get("mimetype", "image/png" if is_png else "image/jpeg")
    result.add_attachment(name, kind, data)
