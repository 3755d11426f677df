"""What is sent to a worker, and what comes back. Small, frozen, picklable; never pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from colorize_core.archive.records.details import Details, ScanDetails, SegmentDetails
from colorize_core.archive.records.item_hints import NO_HINTS, ItemHints, ShotHints
from colorize_core.archive.records.keys import digest
from colorize_core.archive.source.item import SourceItem
from colorize_core.config import ColorizeConfig
from colorize_core.config.hints import Polygon
from colorize_core.errors import InputError, NoScanError

if TYPE_CHECKING:
    from colorize_core.media.film.anchor_frames import AnchorShot
    from colorize_core.media.film.film import FilmProbe
    from colorize_core.media.film.plan import FilmPlan
    from colorize_core.media.film.shot import Shot

Status = Literal["done", "degraded", "skipped", "failed"]
Kind = Literal["photo", "scan", "segment", "film"]


@dataclass(frozen=True)
class ItemId:
    """Whom a report is about.

    Attributes:
        key: of the result.
        kind: of the item, or the part of a film that it is.
        source: path of the item in its source.
        film: key of the film that a scan or segment belongs to.
        stamp: of the item in its source.
        pieces: names of the files that follow in a film in pieces.
    """

    key: str
    kind: Kind
    source: str
    film: str = ""
    stamp: str = ""
    pieces: tuple[str, ...] = ()

    @classmethod
    def of_film(cls, key: str, item: SourceItem, stamp: str) -> ItemId:
        """A film as a whole; its item is as workers read it, the stamp is that of its source."""
        return cls(key, "film", item.path, stamp=stamp, pieces=item.piece_names)


@dataclass(frozen=True)
class PhotoTask:
    """One photo: where it comes from and where it goes.

    Attributes:
        key: of its result.
        item: in the source.
        output: relative to OUT.
        finished: what an earlier run made of it. It stays if the content is still the same, though
            the date of the file is not.
        hints: what is known of its colors.
    """

    key: str
    item: SourceItem
    output: str
    finished: ItemReport | None = None
    hints: ItemHints = NO_HINTS

    @property
    def about(self) -> ItemId:
        """Whom its report is about."""
        return ItemId(self.key, "photo", self.item.path, stamp=self.item.stamp)


@dataclass(frozen=True)
class ImageShard:
    """Some tens of pending photos with the same settings."""

    photos: tuple[PhotoTask, ...]
    config: ColorizeConfig

    @property
    def id(self) -> str:
        """Stable name of exactly this set of photos."""
        return "shard-" + digest([p.key for p in self.photos])

    @property
    def items(self) -> tuple[ItemId, ...]:
        """Whom its reports are about."""
        return tuple(photo.about for photo in self.photos)


@dataclass(frozen=True)
class FilmScan:
    """A look at a film before its segments, for what they must know of it: see ScanDetails.

    There is one for a film that has room for color, or whose shots have to be known; a long film
    has more for its cuts.

    Attributes:
        key: of the scan.
        film_key: of the film.
        item: as the worker reads it.
        stamp: of the item in its source.
        probe: of the whole film, or what decoding the range of `cuts` needs.
        config: of the film.
        wants_shots: False where only the content is compared with that of `finished`.
        finished: see PhotoTask; the answer is its report where the content is the same.
        key_frames: whose shots are looked for.
        cuts: frames [start, stop) among which all cuts are looked for, unless the whole film is in
            color.
    """

    key: str
    film_key: str
    item: SourceItem
    stamp: str
    probe: FilmProbe = field(repr=False)
    config: ColorizeConfig
    wants_shots: bool
    finished: ItemReport | None
    key_frames: tuple[int, ...] = ()
    cuts: tuple[int, int] | None = None

    @property
    def id(self) -> str:
        """Stable name of this scan."""
        return f"scan-{self.key}"

    @property
    def items(self) -> tuple[ItemId, ...]:
        """Whom its report is about."""
        return (ItemId(self.key, "scan", self.item.path, self.film_key),)


@dataclass(frozen=True)
class VideoSegment:
    """The half-open range [start, stop) of a film's frames in presentation order.

    `probe` and `shots` are windows of the film's: see `FilmProbe.window` and `window_of`. `known`
    is what is known of the shots in it, `windows` what decoding their key frames needs,
    `keep_gray` areas without color, and `anchors` the key frames that speak for its colors, which
    lie in the window of `probe`. `recorded` is what a run made of it whose film may still hold it.
    """

    key: str
    film_key: str
    item: SourceItem
    probe: FilmProbe = field(repr=False)
    index: int
    start: int
    stop: int
    shots: tuple[Shot, ...]
    plan: FilmPlan = field(repr=False)
    output: str
    config: ColorizeConfig
    known: tuple[ShotHints, ...] = ()
    windows: Mapping[int, FilmProbe] = field(default_factory=dict, repr=False)
    keep_gray: tuple[Polygon, ...] = ()
    anchors: tuple[AnchorShot, ...] = ()
    recorded: ItemReport | None = None

    @property
    def id(self) -> str:
        """Stable name of this segment."""
        return f"segment-{self.key}"

    @property
    def items(self) -> tuple[ItemId, ...]:
        """Whom its report is about."""
        return (ItemId(self.key, "segment", self.item.path, self.film_key),)


@dataclass(frozen=True)
class FilmCopy:
    """A film that already has color: copied byte for byte, or left out with `leave`.

    `stamp` is that of the item in its source.
    """

    key: str
    item: SourceItem
    stamp: str
    output: str
    leave: bool

    @property
    def id(self) -> str:
        """Stable name of this copy."""
        return f"copy-{self.key}"

    @property
    def items(self) -> tuple[ItemId, ...]:
        """Whom its report is about."""
        return (ItemId.of_film(self.key, self.item, self.stamp),)


_OF_FILMS: Final = {"segment": SegmentDetails, "scan": ScanDetails}


@dataclass(frozen=True)
class ItemReport:
    """The lasting result of one photo, scan, segment or film: one line of the manifest.

    `output` is relative to OUT and None when nothing was written. `sha256` and `size` are of the
    output file, `source_sha256` and `stamp` (see SourceItem) of the source. `ended` is when, in UTC
    as in ISO 8601. `pieces` are names of the files that follow the source in a film in pieces.
    """

    key: str
    kind: Kind
    source: str
    status: Status
    output: str | None = None
    reason: str = ""
    remedy: str = ""
    error: str = ""
    sha256: str = ""
    size: int = 0
    seconds: float = 0.0
    frames: int = 1
    source_sha256: str = ""
    stamp: str = ""
    ended: str = ""
    pieces: tuple[str, ...] = ()
    details: Details | None = None

    @classmethod
    def failed(cls, about: ItemId, *, reason: str, remedy: str = "", error: str) -> ItemReport:
        """The report of an item that could not be done; `error` is a kind of errors.py."""
        return cls(
            about.key,
            about.kind,
            about.source,
            "failed",
            reason=reason,
            remedy=remedy,
            error=error,
            frames=0 if about.kind == "film" else 1,
            stamp=about.stamp,
            pieces=about.pieces,
            details=_OF_FILMS[about.kind](about.film) if about.kind in _OF_FILMS else None,
        )

    @classmethod
    def of_error(cls, about: ItemId, error: InputError) -> ItemReport:
        """The report of an input that cannot be used: failed, or skipped where it is none."""
        found = cls.failed(about, reason=error.message, remedy=error.remedy, error=error.kind)
        return replace(found, status="skipped") if isinstance(error, NoScanError) else found

    @property
    def film_key(self) -> str:
        """Key of the film that this is, or is a part of; empty for photos."""
        if isinstance(self.details, SegmentDetails | ScanDetails):
            return self.details.film
        return self.key if self.kind == "film" else ""


@dataclass(frozen=True)
class Join:
    """Makes one film of its finished segments; `segments` are their reports in order.

    `stamp` is that of the item in its source, `problems` what of its hints could not be used.
    """

    key: str
    item: SourceItem
    stamp: str
    probe: FilmProbe = field(repr=False)
    shots: tuple[Shot, ...]
    plan: FilmPlan = field(repr=False)
    segments: tuple[ItemReport, ...]
    output: str
    config: ColorizeConfig
    problems: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Stable name of this join."""
        return f"join-{self.key}"

    @property
    def items(self) -> tuple[ItemId, ...]:
        """Whom its report is about."""
        return (ItemId.of_film(self.key, self.item, self.stamp),)


@dataclass(frozen=True)
class FileState:
    """What tells a published file from another one under its name."""

    size: int
    mtime_ns: int
    inode: int


FilmUnit = FilmScan | VideoSegment | Join | FilmCopy
WorkUnit = ImageShard | FilmUnit


@dataclass(frozen=True)
class UnitReport:
    """What one execution of a unit gave.

    `retry` maps item keys to transient reasons; the driver runs those again. `blocked` names a
    reason outside the inputs (disk full) for which dispatch must stop. `seconds` and `cpu_seconds`
    (all threads) leave out loading the generator. `files` is what the worker published, by its path
    relative to OUT.
    """

    items: tuple[ItemReport, ...] = ()
    retry: Mapping[str, str] = field(default_factory=dict)
    blocked: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    files: Mapping[str, FileState] = field(default_factory=dict)
