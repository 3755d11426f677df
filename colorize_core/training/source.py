"""The photos of a data set: read through the same sources as those that are colorized."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from colorize_core.archive.source.contents import MAX_FILE_BYTES, read_item
from colorize_core.archive.source.filters import is_archive
from colorize_core.archive.source.item import SourceItem
from colorize_core.archive.source.scan import scan
from colorize_core.errors import InputError, UsageError
from colorize_core.media.picture.names import PHOTO_SUFFIXES


@dataclass(frozen=True)
class RawPhoto:
    """A photo of the data set: `group` is its first folder or its archive, see GroupWeight."""

    group: str
    name: str
    item: SourceItem


def find_photos(source: Path, *, staging: Path) -> list[RawPhoto]:
    """Every photo of a folder, a zip or a tar, in a fixed order; archives in a folder are opened.

    Args:
        source: folder or file.
        staging: where compressed tars are unpacked; needed until the photos are read.

    Raises:
        UsageError: there are none, or an archive is damaged.
    """
    if source.is_file():
        return list(_of_archive(source, "", staging))
    if not source.is_dir():
        raise UsageError(f"{source}: does not exist", remedy="check DATA=")
    archives = sorted(p for p in source.rglob("*") if p.is_file() and is_archive(p.name))
    photos = list(_of_folder(source))
    for archive in archives:
        photos += _of_archive(archive, archive.relative_to(source).as_posix() + "!", staging)
    if not photos:
        raise UsageError(f"{source}: no photos or archives found", remedy="check DATA=")
    return photos


def _of_folder(folder: Path) -> Iterator[RawPhoto]:
    try:
        found = scan(str(folder), photo_suffixes=PHOTO_SUFFIXES, film_suffixes=frozenset())
    except UsageError:
        return  # no photo beside the archives; where there are none either, the caller says so
    for item in found.items:
        yield RawPhoto(item.path.split("/")[0] if "/" in item.path else "", item.path, item)


def _of_archive(path: Path, prefix: str, staging: Path) -> Iterator[RawPhoto]:
    found = scan(
        str(path), photo_suffixes=PHOTO_SUFFIXES, film_suffixes=frozenset(), staging=staging
    )
    for item in found.items:
        group = item.path.split("/")[0] if "/" in item.path else path.name.split(".")[0]
        yield RawPhoto(group, prefix + item.path, item)


def read_photos(photos: Sequence[RawPhoto]) -> Iterator[tuple[RawPhoto, bytes]]:
    """The bytes of each photo; one that cannot be read has none, and so counts as broken.

    Raises:
        UsageError: an archive is damaged.
    """
    for photo in photos:
        try:
            yield photo, read_item(photo.item, max_bytes=MAX_FILE_BYTES)
        except InputError:
            yield photo, b""
