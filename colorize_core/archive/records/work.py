"""What is sent to a worker, and what comes back. Small, frozen, picklable; never pixels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from colorize_core.archive.records.details import Details, ScanDetails, SegmentDetails
from colorize_core.archive.source.item import SourceItem
from colorize_core.config import ColorizeConfig, key_tree
from colorize_core.errors import InputError

if TYPE_CHECKING:
    from colorize_core.media.film.film import FilmProbe
    from colorize_core.media.film.plan import FilmPlan
    from colorize_core.media.film.shot import Shot

# Bumped by hand when the same settings and weights give other pixels than before.
CODE_VERSION = 1

Status = Literal["done", "degraded", "skipped", "failed"]
Kind = Literal["photo", "scan", "segment", "film"]


@dataclass(frozen=True)
class ItemId:
    """Whom a report is about: `film` is the key of the film that a scan or segment belongs to."""

    key: str
    kind: Kind
    source: str
    film: str = ""


@dataclass(frozen=True)
class PhotoTask:
    """One photo: where it comes from and where it goes (`output` is relative to OUT)."""

    key: str
    item: SourceItem
    output: str

    @property
    def about(self) -> ItemId:
        """Whom its report is about."""
        return ItemId(self.key, "photo", self.item.path)


@dataclass(frozen=True)
class ImageShard:
    """Some tens of pending photos with the same settings."""

    photos: tuple[PhotoTask, ...]
    config: ColorizeConfig

    @property
    def id(self) -> str:
        """Stable name of exactly this set of photos."""
        return "shard-" + _digest([p.key for p in self.photos])

    @property
    def items(self) -> tuple[ItemId, ...]:
        """Whom its reports are about."""
        return tuple(photo.about for photo in self.photos)


@dataclass(frozen=True)
class FilmScan:
    """One look at a whole film before its segments, for what they must know of it: see ScanDetails.

    There is one for a film that has room for color; others need none.
    """

    key: str
    film_key: str
    item: SourceItem
    probe: FilmProbe = field(repr=False)
    config: ColorizeConfig

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

    `probe` and `shots` are windows of the film's: see `FilmProbe.window` and `window_of`.
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
    """A film that already has color: copied byte for byte, or left out with `leave`."""

    key: str
    item: SourceItem
    output: str
    leave: bool

    @property
    def id(self) -> str:
        """Stable name of this copy."""
        return f"copy-{self.key}"

    @property
    def items(self) -> tuple[ItemId, ...]:
        """Whom its report is about."""
        return (ItemId(self.key, "film", self.item.path),)


_OF_FILMS: Final = {"segment": SegmentDetails, "scan": ScanDetails}


@dataclass(frozen=True)
class ItemReport:
    """The lasting result of one photo, scan, segment or film: one line of the manifest.

    `output` is relative to OUT and None when nothing was written. `sha256` and `size` are of the
    output file.
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
            details=_OF_FILMS[about.kind](about.film) if about.kind in _OF_FILMS else None,
        )

    @classmethod
    def of_error(cls, about: ItemId, error: InputError) -> ItemReport:
        """The report of an input that cannot be used."""
        return cls.failed(about, reason=error.message, remedy=error.remedy, error=error.kind)

    @property
    def film_key(self) -> str:
        """Key of the film that this is, or is a part of; empty for photos."""
        if isinstance(self.details, SegmentDetails | ScanDetails):
            return self.details.film
        return self.key if self.kind == "film" else ""


@dataclass(frozen=True)
class Join:
    """Makes one film of its finished segments; `segments` are their reports in order."""

    key: str
    item: SourceItem
    probe: FilmProbe = field(repr=False)
    shots: tuple[Shot, ...]
    plan: FilmPlan = field(repr=False)
    segments: tuple[ItemReport, ...]
    output: str
    config: ColorizeConfig

    @property
    def id(self) -> str:
        """Stable name of this join."""
        return f"join-{self.key}"

    @property
    def items(self) -> tuple[ItemId, ...]:
        """Whom its report is about."""
        return (ItemId(self.key, "film", self.item.path),)


FilmUnit = FilmScan | VideoSegment | Join | FilmCopy
WorkUnit = ImageShard | FilmUnit


@dataclass(frozen=True)
class UnitReport:
    """What one execution of a unit gave.

    `retry` maps item keys to transient reasons; the driver runs those again. `blocked` names a
    reason outside the inputs (disk full) for which dispatch must stop. `seconds` and `cpu_seconds`
    (all threads) leave out loading the generator.
    """

    items: tuple[ItemReport, ...] = ()
    retry: Mapping[str, str] = field(default_factory=dict)
    blocked: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0


def item_key(
    item: SourceItem, *, settings: Mapping[str, Any], weights_sha256: str, what: str
) -> str:
    """Identity of a result: everything that can change its pixels, and nothing else.

    Args:
        item: path in the source, size and stamp are used; the location is not, so that an archive
            can move.
        settings: the part of ColorizeConfig that applies to this kind of item.
        weights_sha256: of the generator file.
        what: "photo", "film", or a segment's range.
    """
    parts = [item.path, item.size, item.stamp, settings, weights_sha256, what, CODE_VERSION]
    return _digest(parts)


def photo_settings(config: ColorizeConfig) -> dict[str, Any]:
    """The settings that change a photo; others must not redo it."""
    # Shard size packs work; it does not change a pixel.
    photo = {k: v for k, v in key_tree(config.photo).items() if k != "shard_photos"}
    return {
        "precision": config.model.precision,
        "render": key_tree(config.render),
        "photo": photo,
        "colored": config.colored,
    }


def scan_settings(config: ColorizeConfig) -> dict[str, Any]:
    """The settings that change what a scan of a film finds."""
    return {"cut_threshold": config.temporal.cut_threshold, "fps": config.video.fps}


def film_settings(config: ColorizeConfig) -> dict[str, Any]:
    """The settings that change a film; others must not redo it."""
    return {
        "precision": config.model.precision,
        "render": key_tree(config.render),
        "video": key_tree(config.video),
        "temporal": key_tree(config.temporal),
        "colored": config.colored,
    }


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
