"""What is known of a finished item besides its file, by kind. JSON only in the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from colorize_core.media.film.counts import Damage, LumaCheck
from colorize_core.media.film.shot import Shot
from colorize_core.media.picture.pair import FilmThumbnails, PhotoThumbnails

Signals = Mapping[str, float]  # of the quality gate, see inference.signals


@dataclass(frozen=True)
class PhotoDetails:
    """Of a colored photo.

    Attributes:
        width: of the first page, upright, in pixels.
        height: likewise.
        signals: of the first page.
        growth: bytes of the output per byte of the source; 0 where nothing was made.
        thumbnails: names below the page's thumbnails.
    """

    width: int = 0
    height: int = 0
    signals: Signals = field(default_factory=dict)
    growth: float = 0.0
    thumbnails: PhotoThumbnails | None = None


@dataclass(frozen=True)
class ScanDetails:
    """Of a look at a whole film.

    Attributes:
        film: key of the film.
        shots: in order; together all frames.
        key_shots: for each frame that the scan was asked about, the shot [start, stop) around it.
        cuts: frames that begin a shot, but the first one, where the scan was asked for them.
    """

    film: str
    shots: tuple[Shot, ...] = ()
    key_shots: tuple[tuple[int, int], ...] = ()
    cuts: tuple[int, ...] = ()


@dataclass(frozen=True)
class SegmentDetails:
    """Of a segment of a film.

    Attributes:
        film: key of the film.
        index: of the segment in it.
        share: of the film's frames.
        damage: of the source inside the segment.
        notes: what the generator had to do otherwise.
        stages: processor seconds: decode, infer, flow, again, chroma, encode.
        signals: means over the segment.
        cuts: frames at which a new shot begins.
    """

    film: str
    index: int = 0
    share: float = 0.0
    damage: Damage = field(default_factory=Damage)
    notes: tuple[str, ...] = ()
    stages: Mapping[str, float] = field(default_factory=dict)
    signals: Signals = field(default_factory=dict)
    cuts: tuple[int, ...] = ()


@dataclass(frozen=True)
class SoundFile:
    """The WAV beside a folder of pictures that became a film with it.

    Attributes:
        path: as that of the item in its source.
        stamp: see SourceItem.sound_stamp.
        sha256: of the file.
    """

    path: str
    stamp: str
    sha256: str


@dataclass(frozen=True)
class FilmDetails:
    """Of a joined film, or of the folder of frames made of it.

    Attributes:
        width: as shown, upright, with square pixels.
        height: likewise.
        codec: encoder.
        container: "mkv", "mp4", "mov", "webm", or "png" or "tiff" for a folder.
        segments: how many.
        lost: what of the source is not in it.
        kept: what was copied.
        notes: differences that no viewer sees.
        luma: if it was compared.
        colored_frames: how many kept the color that they had.
        damage: of the source.
        stages: processor seconds of all segments.
        signals: of the whole film.
        thumbnails: names below the page's thumbnails.
        cuts: numbers of the frames at which a new shot begins.
        rate: frames per second, a mean where it varies.
        sound: of a folder of pictures, where it was asked for.
    """

    width: int = 0
    height: int = 0
    codec: str = ""
    container: str = ""
    segments: int = 0
    lost: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    luma: LumaCheck | None = None
    colored_frames: int = 0
    damage: Damage = field(default_factory=Damage)
    stages: Mapping[str, float] = field(default_factory=dict)
    signals: Signals = field(default_factory=dict)
    thumbnails: FilmThumbnails | None = None
    cuts: tuple[int, ...] = ()
    rate: float = 0.0
    sound: SoundFile | None = None


Details = PhotoDetails | ScanDetails | SegmentDetails | FilmDetails
