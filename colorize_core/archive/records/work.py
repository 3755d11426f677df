"""What is sent to a worker, and what comes back. Small, frozen, picklable; never pixels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from colorize_core.archive.source.item import SourceItem
from colorize_core.config import ColorizeConfig, key_tree

# Bumped by hand when the same settings and weights give other pixels than before.
CODE_VERSION = 1

Status = Literal["done", "degraded", "skipped", "failed"]
Kind = Literal["photo", "segment", "film"]


@dataclass(frozen=True)
class PhotoTask:
    """One photo: where it comes from and where it goes (`output` is relative to OUT)."""

    key: str
    item: SourceItem
    output: str


@dataclass(frozen=True)
class ImageShard:
    """Some tens of pending photos with the same settings."""

    photos: tuple[PhotoTask, ...]
    config: ColorizeConfig

    @property
    def id(self) -> str:
        """Stable name of exactly this set of photos."""
        return "shard-" + _digest([p.key for p in self.photos])


@dataclass(frozen=True)
class VideoSegment:
    """The half-open range [start, stop) of a film's frames in presentation order.

    `probe` is media.video.FilmProbe (not imported here: archive may not know media).
    """

    key: str
    film_key: str
    item: SourceItem
    probe: Any = field(repr=False)
    index: int
    start: int
    stop: int
    output: str
    config: ColorizeConfig

    @property
    def id(self) -> str:
        """Stable name of this segment."""
        return f"segment-{self.key}"


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


@dataclass(frozen=True)
class ItemReport:
    """The lasting result of one photo, segment or film: one line of the manifest.

    `output` is relative to OUT and None when nothing was written. `sha256` and `size` are of the
    output file. `details` holds JSON values only (quality signals, lost streams, stage seconds).
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
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Fields that differ from their defaults, in order."""
        return {k: v for k, v in asdict(self).items() if v not in ("", None, {}, 0.0)}


@dataclass(frozen=True)
class Join:
    """Makes one film of its finished segments; `segments` are their reports in order."""

    key: str
    item: SourceItem
    probe: Any = field(repr=False)
    segments: tuple[ItemReport, ...]
    output: str
    config: ColorizeConfig

    @property
    def id(self) -> str:
        """Stable name of this join."""
        return f"join-{self.key}"


WorkUnit = ImageShard | VideoSegment | Join | FilmCopy


@dataclass(frozen=True)
class UnitReport:
    """What one execution of a unit gave.

    `retry` maps item keys to transient reasons; the driver runs those again. `blocked` names a
    reason outside the inputs (disk full) for which dispatch must stop. `seconds` and `cpu_seconds`
    (all threads) leave out loading the generator.
    """

    unit_id: str
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
