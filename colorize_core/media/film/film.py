"""What is known about a film before a frame of it is colored."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from colorize_core.media.film import display_matrix
from colorize_core.media.film.hdr import HdrLight
from colorize_core.media.film.planes import PlanarFormat, WorkingFormat

# Values of ISO/IEC 23091-2 (H.273).
MATRIX_BT709, MATRIX_SMPTE170M, MATRIX_BT2020 = 1, 6, 9
_BT601 = {4, 5, 6}
_BT709 = {1, 7}
_BT2020 = {9, 10}
_COMPUTED = {"bt601": MATRIX_SMPTE170M, "bt709": MATRIX_BT709, "bt2020nc": MATRIX_BT2020}
RANGE_UNKNOWN, RANGE_LIMITED, RANGE_FULL = 0, 1, 2
Transfer = Literal["bt1886", "srgb", "gamma22", "gamma28", "linear", "pq", "hlg"]
_TRANSFERS: dict[int, Transfer] = {
    16: "pq",
    18: "hlg",
    8: "linear",
    4: "gamma22",
    5: "gamma28",
    13: "srgb",
}

# From how many keyframes before a range decoding is tried, see media.film.reader.
KEYFRAMES_TRIED = 5
# Frames on each side that deinterlacing looks at.
DEINTERLACE_REACH = 2

StreamKind = Literal["video", "audio", "subtitle", "data", "attachment", "unknown"]


@dataclass(frozen=True)
class StreamInfo:
    """One stream of a container.

    Attributes:
        muxable_in: containers that take it as it is.
        is_redundant: it repeats what the container says elsewhere (chapters, time code), so the
            muxer writes it anew; or it holds nothing.
        sample_format: FFmpeg's name for how sound is decoded, "" without a decoder.
        is_plain_latm: AAC in LATM that can go over as plain AAC.
    """

    index: int
    kind: StreamKind
    codec: str
    name: str
    language: str
    muxable_in: frozenset[str]
    is_attached_picture: bool
    is_redundant: bool
    sample_format: str = ""
    is_plain_latm: bool = False


@dataclass(frozen=True)
class ColorTags:
    """Color tags as in ISO/IEC 23091-2 (H.273); 2 (0 for range) is "not said"."""

    range: int
    matrix: int
    primaries: int
    transfer: int


@dataclass(frozen=True, eq=False)
class FilmProbe:
    """All that planning, decoding and joining must know about a film. Picklable.

    Attributes:
        container: FFmpeg's name of the demuxer.
        brand: major brand of MP4 and QuickTime files.
        working: planar format in which frames are worked on.
        sample_aspect: width of a pixel through its height.
        display_matrix: how a player turns and mirrors the picture, see media.orientation.
        hdr: HDR side data of the first frame, which encoders here do not pass on.
        field_order: FFmpeg's AVFieldOrder; above 1 is interlaced.
        time_base: unit of `pts`, in seconds.
        pts: int64, when each frame is shown, ascending: of all frames, or of a `window`.
        last_duration: how long the last frame is shown, in units of `time_base`.
        keyframes: int64, numbers of the frames from which decoding can start, ascending.
        is_timed: decoded frames carry the times in `pts`; otherwise they match in order only.
        is_segmentable: any range of frames can be decoded by itself.
        reason: why not, when it is not.
        notes: damage seen so far, in words for the report.
        remarks: what is unusual about it and no damage, in words for the report.
        earliest: seconds at which its sound or pictures begin, at most 0.
        unkept: qualities of its pictures that no result has, in words for the report.
        aperture: content of QuickTime's clap box: which part of the pictures is clean.
        light: of an HDR film, which some encoders write.
        captions: kinds of closed captions inside the pictures, see media.film.captions.
        chapters: how many it has.
        pieces: names of the files that it lies in, where they are several.
        sound: path of the WAV of a folder of pictures, "" without one.
        first: number of the frame that `pts` begins with; 0 but in a window.
        total: frames of the whole film where `pts` is a window; else 0.
        origin: `pts` of the film's first frame where `pts` is a window.
    """

    container: str
    brand: str
    streams: tuple[StreamInfo, ...]
    video_index: int
    codec: str
    pix_fmt: str
    working: WorkingFormat
    width: int
    height: int
    sample_aspect: Fraction
    display_matrix: display_matrix.Matrix
    color: ColorTags
    hdr: tuple[str, ...]
    field_order: int
    time_base: Fraction
    frame_rate: Fraction
    pts: NDArray[np.int64]
    last_duration: int
    keyframes: NDArray[np.int64]
    duration_seconds: float
    is_timed: bool
    is_segmentable: bool
    reason: str
    notes: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    earliest: Fraction = Fraction(0)
    unkept: tuple[str, ...] = ()
    aperture: bytes = b""
    light: HdrLight = field(default_factory=HdrLight)
    captions: frozenset[str] = frozenset()
    chapters: int = 0
    pieces: tuple[str, ...] = ()
    sound: str = ""
    first: int = 0
    total: int = 0
    origin: int = 0

    @property
    def frames(self) -> int:
        """How many frames the film has, also where only a window of them is known."""
        return self.total or len(self.pts)

    @property
    def start_pts(self) -> int:
        """When the film's first frame is shown."""
        return self.origin if self.total else int(self.pts[0])

    def pts_of(self, frame: int) -> int:
        """When a frame is shown, in units of `time_base`."""
        return int(self.pts[frame - self.first])

    @property
    def shown_seconds(self) -> float:
        """From the first frame to the end of the last one; of a whole probe, not of a window."""
        ticks = int(self.pts[-1]) - int(self.pts[0]) + max(1, self.last_duration)
        return float(ticks * self.time_base)

    def frame_after(self, seconds: float) -> int:
        """Number of the frame that is shown so long after the first one; the last one at the end.

        Of a whole probe, not of a window.
        """
        pts = int(self.pts[0]) + round(Fraction(seconds) / self.time_base)
        return max(0, int(np.searchsorted(self.pts, pts, side="right")) - 1)

    def frame_at(self, pts: int) -> int | None:
        """Number of the frame that is shown from this time on; None if none is, or not in here."""
        place = int(np.searchsorted(self.pts, pts))
        found = place < len(self.pts) and self.pts[place] == pts
        return self.first + place if found else None

    def window(self, start: int, stop: int) -> FilmProbe:
        """What decoding frames [start, stop) needs, in a few kilobytes where it can be cut.

        A film that cannot be decoded from its middle is needed whole.
        """
        if not self.is_segmentable:
            return self
        keyframes = self.keyframes[self.keyframes < stop]
        near = max(0, int(np.searchsorted(keyframes, start, side="right")) - KEYFRAMES_TRIED)
        first = min(start, int(keyframes[near])) if len(keyframes) else 0
        return replace(
            self,
            pts=self.pts[first:stop].copy(),
            keyframes=keyframes[near:].copy(),
            first=first,
            total=self.frames,
            origin=self.start_pts,
        )

    @property
    def planar(self) -> PlanarFormat:
        """Planes of a frame in its working format."""
        return self.working.planar

    @property
    def is_webm(self) -> bool:
        """The container is the WebM kind of Matroska, as far as its streams tell."""
        codecs = {s.codec for s in self.streams if s.kind in ("video", "audio", "subtitle")}
        return codecs <= {"vp8", "vp9", "av1", "vorbis", "opus", "webvtt"}

    @property
    def is_rgb(self) -> bool:
        """The source stores R, G and B (or a palette): its Y' is computed."""
        return self.working.is_computed

    @property
    def rotation(self) -> int:
        """Degrees counter-clockwise by which a player turns the picture."""
        return display_matrix.rotation(self.display_matrix)

    @property
    def is_mirrored(self) -> bool:
        """A player shows the turned picture as in a mirror, left to right."""
        return display_matrix.is_mirrored(self.display_matrix)

    @property
    def is_interlaced(self) -> bool:
        """Frames hold two fields."""
        return self.field_order > 1

    @property
    def is_full_range(self) -> bool:
        """Y' runs from 0 to the largest sample. Untagged gray counts as full, as in FFmpeg."""
        if self.working.is_computed or self.color.range == RANGE_FULL:
            return True
        return self.planar.is_gray and self.color.range == RANGE_UNKNOWN

    @property
    def matrix(self) -> Literal["bt601", "bt709", "bt2020nc"]:
        """Matrix between Y'CbCr and R'G'B'; guessed from the size where the tag is missing."""
        if self.color.matrix in _BT601:
            return "bt601"
        if self.color.matrix in _BT709:
            return "bt709"
        if self.color.matrix in _BT2020:
            return "bt2020nc"
        return "bt709" if self.width > 1024 or self.height > 576 else "bt601"

    @property
    def transfer(self) -> Transfer:
        """Curve between samples and light; "bt1886" stands for all camera curves."""
        return _TRANSFERS.get(self.color.transfer, "bt1886")

    @property
    def output_color(self) -> ColorTags:
        """Tags of the result: the source's, plus the matrix and range it leaves unsaid.

        A matrix other than the one that chroma is computed with (RGB, YCgCo) is not the result's.
        """
        matrix = self.color.matrix
        if self.working.is_computed or matrix not in _BT601 | _BT709 | _BT2020:
            matrix = _COMPUTED[self.matrix]
        value_range = RANGE_FULL if self.is_full_range else self.color.range
        return ColorTags(value_range, matrix, self.color.primaries, self.color.transfer)

    @property
    def frame_bytes(self) -> int:
        """Of one decoded frame with chroma of half its height and width."""
        return self.width * self.height * 3 // 2 * (1 if self.planar.depth == 8 else 2)

    @property
    def display_size(self) -> tuple[int, int]:
        """Width and height upright and with square pixels, at the source's sharper axis."""
        wide = max(Fraction(1), self.sample_aspect)
        high = max(Fraction(1), 1 / self.sample_aspect)
        size = (round(self.width * wide), round(self.height * high))
        return size if self.rotation % 180 == 0 else size[::-1]
