"""The photos of a data set: read through the same sources as those that are colorized."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from colorize_core.archive.source.contents import MAX_FILE_BYTES, read_item
from colorize_core.archive.source.filters import is_archive
from colorize_core.archive.source.item import SourceItem
from colorize_core.archive.source.remote import is_url, name_of
from colorize_core.archive.source.remote_listing import files_below
from colorize_core.archive.source.scan import scan
from colorize_core.errors import InputError, UsageError
from colorize_core.media.picture.names import PHOTO_SUFFIXES


@dataclass(frozen=True)
class RawPhoto:
    """A photo of the data set: `group` is its first folder or its archive, see GroupWeight."""

    group: str
    name: str
    item: SourceItem


def find_photos(source: str, *, staging: Path) -> list[RawPhoto]:
    """Every photo of a folder, a zip or a tar, in a fixed order; archives in a folder are opened.

    Args:
        source: folder or file, or the address of one (`s3://BUCKET/FOLDER`).
        staging: where compressed tars are unpacked; needed until the photos are read.

    Raises:
        UsageError: there are none, or an archive is damaged.
    """
    name = name_of(source) if is_url(source) else Path(source).name
    if is_archive(name) if is_url(source) else Path(source).is_file():
        return list(_of_archive(source, name, "", staging))
    if not is_url(source) and not Path(source).is_dir():
        raise UsageError(f"{source}: does not exist", remedy="check DATA=")
    photos = list(_of_folder(source))
    for inside, archive in _archives(source):
        photos += _of_archive(archive, inside.rpartition("/")[2], f"{inside}!", staging)
    if not photos:
        raise UsageError(f"{source}: no photos or archives found", remedy="check DATA=")
    return photos


def _archives(folder: str) -> list[tuple[str, str]]:
    """The zips and tars in a folder: their paths in it, and where they are; sorted."""
    if is_url(folder):
        return sorted((path, url) for path, url in files_below(folder) if is_archive(path))
    found = (p for p in Path(folder).rglob("*") if p.is_file() and is_archive(p.name))
    return sorted((path.relative_to(folder).as_posix(), str(path)) for path in found)


def _of_folder(folder: str) -> Iterator[RawPhoto]:
    try:
        found = scan(folder, photo_suffixes=PHOTO_SUFFIXES, film_suffixes=frozenset())
    except UsageError:
        return  # no photo beside the archives; where there are none either, the caller says so
    for item in found.items:
        yield RawPhoto(item.path.split("/")[0] if "/" in item.path else "", item.path, item)


def _of_archive(archive: str, name: str, prefix: str, staging: Path) -> Iterator[RawPhoto]:
    found = scan(archive, photo_suffixes=PHOTO_SUFFIXES, film_suffixes=frozenset(), staging=staging)
    for item in found.items:
        group = item.path.split("/")[0] if "/" in item.path else name.split(".")[0]
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
