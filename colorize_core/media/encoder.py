"""Which encoder takes a film without touching its Y', and writing one segment with it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import av

from colorize_core.errors import OutOfSpaceError, UnsupportedError
from colorize_core.media.film import FilmProbe
from colorize_core.media.planes import PlanarFormat, parse_format

LOSSLESS = {"ffv1"}
_NVENC = {"h264_nvenc", "hevc_nvenc"}
# Who takes a film whose samples are too deep for the codec asked for.
_DEEPER = ("libx265", "ffv1")
# From the source's chroma layout to the nearest one that keeps as much.
_CHROMA = {
    "400": ("420", "422", "444"),
    "420": ("420", "422", "444"),
    "410": ("410", "420", "422", "444"),
    "411": ("411", "422", "444", "420"),
    "422": ("422", "444", "420"),
    "440": ("440", "444", "420"),
    "444": ("444", "422", "420"),
}
_SVT_PRESETS = {
    "veryslow": "2",
    "slower": "3",
    "slow": "4",
    "medium": "6",
    "fast": "8",
    "faster": "9",
    "veryfast": "10",
    "superfast": "11",
    "ultrafast": "12",
}
_BOTTOM_FIRST = {3, 5}  # AVFieldOrder: BB, BT
_GLOBAL_HEADER = 1 << 22
# Frames before the first one, so that no decode time is negative: muxers would shift all times.
_LEAD = 16


class EncoderSettings(Protocol):
    """The part of VideoSettings that this module reads."""

    @property
    def codec(self) -> str:
        """Name of the encoder."""
        ...

    @property
    def crf(self) -> int:
        """Constant quality, lower is better."""
        ...

    @property
    def preset(self) -> str:
        """Speed of the encoder."""
        ...

    @property
    def threads(self) -> int:
        """Threads of the encoder; part of the result's identity."""
        ...

    @property
    def deinterlace(self) -> str:
        """Either "keep" or "bwdif"."""
        ...

    @property
    def frames(self) -> str:
        """Either "none" or "png", for a folder of pictures instead of a film."""
        ...


@dataclass(frozen=True)
class Encoding:
    """How a film is written. `notes` say where that differs from what was asked for."""

    codec: str
    planar: PlanarFormat
    options: dict[str, str]
    threads: int
    notes: tuple[str, ...]

    @property
    def is_lossless(self) -> bool:
        """The decoded result equals what went in."""
        return self.codec in LOSSLESS


def choose_encoding(probe: FilmProbe, settings: EncoderSettings) -> Encoding:
    """Choose codec and pixel format so that every bit of the source's Y' reaches the encoder.

    A codec without the source's bit depth takes deeper samples, or gives way to one that has them.
    The chroma layout stays the source's where codec and picture size allow it.
    """
    notes: list[str] = []
    # Frames are taken from the segments again, so these must not lose anything.
    codec = "ffv1" if settings.frames == "png" else settings.codec
    planar = _fit(codec, probe)
    if planar is None:
        codec, planar = _deeper(probe)
        notes.append(f"{probe.planar.depth}-bit samples do not fit {settings.codec}: {codec}")
    wanted = probe.planar.subsampling
    if planar.subsampling != wanted and not (probe.planar.is_gray and planar.subsampling == "420"):
        asked = "4:2:0" if wanted == "400" else ":".join(wanted)
        notes.append(f"chroma is stored as {':'.join(planar.subsampling)}, not {asked}")
    if probe.is_rgb:
        notes.append("the source is RGB: its Y' is computed, once")
    interlaced = probe.is_interlaced and settings.deinterlace == "keep"
    options = _options(codec, settings, planar, field_order=probe.field_order if interlaced else 0)
    return Encoding(codec, planar, options, settings.threads, tuple(notes))


@cache
def is_encoder_available(codec: str) -> bool:
    """Tell whether an encoder opens on this machine, by opening it once."""
    try:
        context: Any = av.CodecContext.create(codec, "w")
        context.width, context.height, context.pix_fmt = 256, 256, "yuv420p"
        context.time_base = Fraction(1, 25)
        context.open()
    except (av.FFmpegError, ValueError):
        return False
    return True


class SegmentEncoder:
    """Writes frames into one segment file. Use it as a context manager.

    Frames are encoded at a constant rate, so that irregular times do not steer the quality; a
    packet's time is its frame's number in the film (see `frame_number`). The first frame is an IDR
    and groups of pictures are closed: segments of one film can be put behind each other.

    Args:
        output: the file; whatever its suffix, it is NUT (QuickTime for ProRes).
        probe: the source.
        encoding: of `choose_encoding`, the same for all segments of a film.
        start: number of the segment's first frame.

    Raises:
        UnsupportedError: the encoder does not open on this machine.
        OutOfSpaceError: the disk is full.
    """

    def __init__(self, output: Path, probe: FilmProbe, encoding: Encoding, start: int) -> None:
        if encoding.codec in _NVENC and not is_encoder_available(encoding.codec):
            raise UnsupportedError(
                f"the encoder {encoding.codec} does not open on this machine",
                remedy="use --codec libx264",
            )
        self._probe = probe
        self._path = output
        self._start = start
        self._written = 0
        self._is_flushed = False
        self._container: Any = av.open(
            str(output), "w", format="mov" if encoding.codec == "prores_ks" else "nut"
        )
        self._stream: Any = self._add_stream(encoding)

    def write(self, frame: Any) -> None:
        """Encode the next frame, in the encoding's format."""
        frame.pts = self._written
        frame.time_base = 1 / self._probe.frame_rate
        # The source's picture types must not steer the encoder.
        frame.pict_type = 0 if self._written else 1
        self._written += 1
        self._mux(self._stream.encode(frame))

    def flush(self) -> None:
        """Encode what the encoder still holds back; no frame can follow."""
        if self._written and not self._is_flushed:
            self._is_flushed = True
            self._mux(self._stream.encode(None))

    def close(self) -> None:
        """Flush the encoder and finish the file."""
        self.flush()
        with writing(self._path):
            self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
            return
        with suppress(av.FFmpegError):
            # What it says adds nothing to the error that is on its way.
            self._container.close()

    def _add_stream(self, encoding: Encoding) -> Any:
        probe = self._probe
        stream = self._container.add_stream(
            encoding.codec, rate=probe.frame_rate, options=encoding.options
        )
        stream.width, stream.height = probe.width, probe.height
        stream.pix_fmt = encoding.planar.name
        context = stream.codec_context
        context.time_base = 1 / probe.frame_rate
        context.sample_aspect_ratio = probe.sample_aspect
        context.thread_count = encoding.threads
        context.thread_type = "FRAME"
        context.flags |= _GLOBAL_HEADER
        color = probe.output_color
        context.color_range, context.colorspace = color.range, color.matrix
        context.color_primaries, context.color_trc = color.primaries, color.transfer
        if encoding.codec == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")
        try:
            with writing(self._path):
                self._container.start_encoding()
        except (av.FFmpegError, ValueError) as error:
            self._container.close()
            raise UnsupportedError(
                f"{encoding.codec} does not take {encoding.planar.name} of "
                f"{probe.width} x {probe.height}: {error}",
                remedy="use another --codec",
            ) from error
        return stream

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            packet.pts += self._start + _LEAD
            packet.dts += self._start + _LEAD
            with writing(self._path):
                self._container.mux(packet)


def frame_number(packet: Any, probe: FilmProbe) -> int:
    """Number in the film of the frame in a segment's packet."""
    position: Fraction = packet.pts * packet.time_base * probe.frame_rate
    return round(position) - _LEAD


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name a full disk for what it is.

    Raises:
        OutOfSpaceError: the disk of `path` is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise OutOfSpaceError(
            f"the disk of {path.parent} is full", remedy="make room, then run again"
        ) from error


def _fit(codec: str, probe: FilmProbe) -> PlanarFormat | None:
    """Find the format of `codec` closest to the source's that holds its Y'; None without one."""
    offered = [parse_format(f.name) for f in av.codec.Codec(codec, "w").video_formats or ()]
    source = probe.planar
    fitting = [
        f
        for f in offered
        if f is not None
        and f.depth >= source.depth
        and not f.is_gray
        and (codec == "ffv1" or _divides(f, probe))
    ]
    order = _CHROMA[source.subsampling]
    fitting = [f for f in fitting if f.subsampling in order]
    return min(fitting, key=lambda f: (order.index(f.subsampling), f.depth), default=None)


def _divides(planar: PlanarFormat, probe: FilmProbe) -> bool:
    return probe.width % (1 << planar.shift_x) == 0 and probe.height % (1 << planar.shift_y) == 0


def _deeper(probe: FilmProbe) -> tuple[str, PlanarFormat]:
    for codec in _DEEPER:
        planar = _fit(codec, probe)
        if planar is not None:
            return codec, planar
    raise UnsupportedError(f"no encoder takes {probe.pix_fmt} of {probe.width} x {probe.height}")


def _options(
    codec: str, settings: EncoderSettings, planar: PlanarFormat, *, field_order: int
) -> dict[str, str]:
    field = "" if field_order <= 1 else "bff" if field_order in _BOTTOM_FIRST else "tff"
    crf, preset = str(settings.crf), settings.preset
    if codec == "libx264":
        # stitchable: headers do not depend on the content of a segment.
        extra = "stitchable=1:open-gop=0" + (f":{field}=1" if field else "")
        return {"crf": crf, "preset": preset, "forced-idr": "1", "x264-params": extra}
    if codec == "libx265":
        extra = f"open-gop=0:pools={settings.threads}:frame-threads=1:log-level=error"
        extra += f":interlace={field}" if field else ""
        return {"crf": crf, "preset": preset, "forced-idr": "1", "x265-params": extra}
    if codec == "libsvtav1":
        speed = _SVT_PRESETS.get(preset, preset)
        return {"crf": crf, "preset": speed, "svtav1-params": f"lp={settings.threads}"}
    if codec == "ffv1":
        return {"level": "3", "slicecrc": "1", "g": "1"}
    if codec == "prores_ks":
        return {"profile": "4444" if planar.subsampling == "444" else "hq"}
    return {"rc": "constqp", "qp": crf, "preset": "p5", "forced-idr": "1", "strict_gop": "1"}
