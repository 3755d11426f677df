"""Color photos from folders, tar and zip, decoded once into memory-mapped uint8 squares."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from colorize_core.atomic import TEMP_PREFIX, publish_bytes, sync_file, sync_folder
from colorize_core.config import TrainDataConfig, as_tree
from colorize_core.errors import InputError, UsageError
from colorize_core.media.photo.codec import decode_photo
from colorize_core.media.photo.raster import to_uint8
from colorize_core.media.picture.resize import squeezed
from colorize_core.metrics.image import colorfulness_signed
from colorize_core.training.source import RawPhoto, find_photos, read_photos

CACHE_VERSION = 2
_CHUNK = 256
_SMALLEST_SIDE = 32
_ENLARGE = 1.15  # a photo may be stored this much larger than it is
_MAX_PIXELS = 250_000_000
_STAGING = TEMP_PREFIX + "unpacked"

UInt8Array = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Decoded:
    """A photo as a square, or the reason why it is left out."""

    pixels: UInt8Array | None
    dropped: str = ""


@dataclass(frozen=True)
class PhotoCache:
    """Decoded photos: for each stored side, uint8 [N,side,side,3] on disk, and each one's group."""

    folder: Path
    arrays: dict[int, UInt8Array]
    groups: dict[int, tuple[str, ...]]
    dropped: dict[str, int]

    @property
    def count(self) -> int:
        """How many photos there are."""
        return sum(len(groups) for groups in self.groups.values())


def open_cache(source: str, root: Path, config: TrainDataConfig) -> PhotoCache:
    """Decode `source` under `root`, or open it if done before.

    `source` is a folder, a tar (also compressed) or a zip, or the URL of one; a folder may hold
    archives too.

    Raises:
        UsageError: `source` is missing or holds no usable color photo.
    """
    photos = find_photos(source, staging=root / _STAGING)
    folder = root / _key(photos, config)
    if not (folder / "index.json").is_file():
        _build(photos, folder, config)
    shutil.rmtree(root / _STAGING, ignore_errors=True)
    cache = _open(folder)
    if cache.count == 0:
        raise UsageError(
            f"{source}: no usable color photo ({cache.dropped})",
            remedy="lower data.min_colorfulness if they are colored",
        )
    return cache


def _key(photos: Sequence[RawPhoto], config: TrainDataConfig) -> str:
    digest = hashlib.sha256(
        json.dumps([CACHE_VERSION, config.cache_sizes, config.min_colorfulness]).encode()
    )
    for photo in photos:
        name = photo.name.encode("utf-8", "surrogateescape")
        digest.update(b"%s\0%d\0%s\n" % (name, photo.item.size, photo.item.stamp.encode()))
    return digest.hexdigest()[:16]


def decode_square(data: bytes, name: str, config: TrainDataConfig) -> Decoded:
    """Decode one photo and squeeze it to the largest stored side that does not enlarge it."""
    try:
        photo = decode_photo(data, name=name, max_pixels=_MAX_PIXELS)
    except InputError:
        return Decoded(None, "broken")
    if photo.is_damaged:
        return Decoded(None, "broken")
    pixels = to_uint8(photo.pages[0].pixels)
    if pixels.ndim == 2:
        return Decoded(None, "gray")
    short = min(pixels.shape[:2])
    if short < _SMALLEST_SIDE:
        return Decoded(None, "small")
    fitting = [s for s in config.cache_sizes if s <= short * _ENLARGE]
    side = fitting[-1] if fitting else config.cache_sizes[0]
    square = squeezed(pixels, side, side)
    if colorfulness(square) < config.min_colorfulness:
        return Decoded(None, "gray")
    return Decoded(square)


def colorfulness(rgb: UInt8Array) -> float:
    """Hasler & Suesstrunk 2003 (signed) of uint8 RGB [H,W,3]; 0 for gray, about 40 for photos."""
    unit = torch.from_numpy(rgb[::2, ::2].copy()).permute(2, 0, 1)[None] / 255
    return float(colorfulness_signed(unit))


def _build(photos: Sequence[RawPhoto], folder: Path, config: TrainDataConfig) -> None:
    building = folder.with_name(TEMP_PREFIX + folder.name)
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    groups: dict[int, list[str]] = {side: [] for side in config.cache_sizes}
    dropped = {"gray": 0, "broken": 0, "small": 0}
    outputs = {side: (building / f"{side}.u8").open("wb") for side in config.cache_sizes}
    try:
        with ThreadPoolExecutor() as pool:
            for chunk in _chunks(read_photos(photos)):
                decoded = pool.map(lambda read: decode_square(read[1], read[0].name, config), chunk)
                for (raw, _), photo in zip(chunk, decoded, strict=True):
                    if photo.pixels is None:
                        dropped[photo.dropped] += 1
                        continue
                    side = photo.pixels.shape[0]
                    outputs[side].write(photo.pixels.tobytes())
                    groups[side].append(raw.group)
    finally:
        for output in outputs.values():
            output.close()
    for side in config.cache_sizes:
        sync_file(building / f"{side}.u8")
    index = {"groups": groups, "dropped": dropped, "config": as_tree(config)}
    publish_bytes(building / "index.json", json.dumps(index).encode())
    building.replace(folder)
    sync_folder(folder.parent)


def _chunks(photos: Iterator[tuple[RawPhoto, bytes]]) -> Iterator[list[tuple[RawPhoto, bytes]]]:
    chunk: list[tuple[RawPhoto, bytes]] = []
    for photo in photos:
        chunk.append(photo)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _open(folder: Path) -> PhotoCache:
    index = json.loads((folder / "index.json").read_text())
    groups = {int(side): tuple(names) for side, names in index["groups"].items()}
    arrays = {
        side: np.memmap(
            folder / f"{side}.u8", np.uint8, mode="r", shape=(len(names), side, side, 3)
        )
        for side, names in groups.items()
        if names
    }
    return PhotoCache(folder, dict(arrays), groups, index["dropped"])
