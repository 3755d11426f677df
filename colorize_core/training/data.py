"""Color photos from folders, tar and zip, decoded once into memory-mapped uint8 squares."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from colorize_core.atomic import TEMP_PREFIX, publish_bytes, sync_file, sync_folder
from colorize_core.config import TrainDataConfig, as_tree
from colorize_core.errors import UsageError

CACHE_VERSION = 1
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".zip")
_CHUNK = 256
_SMALLEST_SIDE = 32
_ENLARGE = 1.15  # a photo may be stored this much larger than it is

UInt8Array = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class RawPicture:
    """An undecoded file of the data set."""

    group: str
    name: str
    data: bytes


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


def open_cache(source: Path, root: Path, config: TrainDataConfig) -> PhotoCache:
    """Decode `source` under `root`, or open it if done before.

    `source` is a folder, a tar or a zip; a folder may hold archives too.

    Raises:
        UsageError: `source` is missing or holds no usable color photo.
    """
    files = list(_list_files(source))
    if not files:
        raise UsageError(f"{source}: no photos or archives found", remedy="check DATA=")
    folder = root / _key(source, files, config)
    if not (folder / "index.json").is_file():
        _build(source, files, folder, config)
    cache = _open(folder)
    if cache.count == 0:
        raise UsageError(
            f"{source}: no usable color photo ({cache.dropped})",
            remedy="lower data.min_colorfulness if they are colored",
        )
    return cache


def _list_files(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
    elif source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.is_file() and (
                path.suffix.lower() in PICTURE_SUFFIXES or path.name.endswith(ARCHIVE_SUFFIXES)
            ):
                yield path
    else:
        raise UsageError(f"{source}: does not exist", remedy="check DATA=")


def _key(source: Path, files: list[Path], config: TrainDataConfig) -> str:
    digest = hashlib.sha256(
        json.dumps([CACHE_VERSION, config.cache_sizes, config.min_colorfulness]).encode()
    )
    for path in files:
        stat = path.stat()
        name = path.name if path == source else path.relative_to(source).as_posix()
        digest.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def read_pictures(source: Path, files: list[Path]) -> Iterator[RawPicture]:
    """Every picture file of `files`, archives opened, in a fixed order.

    Raises:
        UsageError: an archive is damaged.
    """
    for path in files:
        name = path.name if path == source else path.relative_to(source).as_posix()
        if path.name.endswith(".zip"):
            members = _zip_members(path)
        elif path.name.endswith(ARCHIVE_SUFFIXES):
            members = _tar_members(path)
        else:
            group = name.split("/")[0] if "/" in name else ""
            yield RawPicture(group, name, path.read_bytes())
            continue
        try:
            for member, data in members:
                group = member.split("/")[0] if "/" in member else path.name.split(".")[0]
                yield RawPicture(group, f"{name}!{member}", data)
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise UsageError(
                f"{path}: damaged archive: {error}", remedy="replace it or take it out of DATA"
            ) from error


def _tar_members(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None and Path(member.name).suffix.lower() in PICTURE_SUFFIXES:
                yield member.name, file.read()


def _zip_members(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if Path(info.filename).suffix.lower() in PICTURE_SUFFIXES:
                yield info.filename, archive.read(info)


def decode_square(data: bytes, config: TrainDataConfig) -> Decoded:
    """Decode one photo and squeeze it to the largest stored side that does not enlarge it."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if min(image.size) < _SMALLEST_SIDE:
                return Decoded(None, "small")
            short = min(image.size)
            fitting = [s for s in config.cache_sizes if s <= short * _ENLARGE]
            side = fitting[-1] if fitting else config.cache_sizes[0]
            image.draft("RGB", (side, side))
            square = image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return Decoded(None, "broken")
    pixels = np.asarray(square)
    if colorfulness(pixels) < config.min_colorfulness:
        return Decoded(None, "gray")
    return Decoded(pixels)


def colorfulness(rgb: UInt8Array) -> float:
    """Hasler & Suesstrunk 2003 (signed) of uint8 RGB [H,W,3]; 0 for gray, about 40 for photos."""
    r, g, b = np.moveaxis(rgb[::2, ::2].astype(np.float32), -1, 0)
    rg, yb = r - g, (r + g) / 2 - b
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))


def _build(source: Path, files: list[Path], folder: Path, config: TrainDataConfig) -> None:
    building = folder.with_name(TEMP_PREFIX + folder.name)
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    groups: dict[int, list[str]] = {side: [] for side in config.cache_sizes}
    dropped = {"gray": 0, "broken": 0, "small": 0}
    outputs = {side: (building / f"{side}.u8").open("wb") for side in config.cache_sizes}
    try:
        with ThreadPoolExecutor() as pool:
            for chunk in _chunks(read_pictures(source, files)):
                decoded = pool.map(lambda raw: decode_square(raw.data, config), chunk)
                for raw, photo in zip(chunk, decoded, strict=True):
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


def _chunks(pictures: Iterator[RawPicture]) -> Iterator[list[RawPicture]]:
    chunk: list[RawPicture] = []
    for picture in pictures:
        chunk.append(picture)
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
