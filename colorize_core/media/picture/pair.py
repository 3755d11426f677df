"""Names of the small pictures that the run's page shows of an item, relative to its thumbnails."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ThumbnailPair:
    """Before and after, JPEGs of one size in pixels."""

    before: str
    after: str
    width: int
    height: int


@dataclass(frozen=True)
class PhotoThumbnails(ThumbnailPair):
    """Of a photo, with a large JPEG of its source, and of a result that browsers cannot show."""

    source: str = ""
    result: str = ""


@dataclass(frozen=True)
class StripPair(ThumbnailPair):
    """A frame of a film, `time` seconds after its start."""

    time: float


@dataclass(frozen=True)
class PreviewClip:
    """A short film of before and after."""

    file: str
    seconds: float


@dataclass(frozen=True)
class FilmThumbnails(ThumbnailPair):
    """A film's poster, a strip with one frame per shot, and a clip."""

    strip: tuple[StripPair, ...]
    preview: PreviewClip
