"""Folders of numbered pictures as films, and the films beside them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from colorize_core.archive.source.collisions import Place, without_collisions
from colorize_core.archive.source.filters import Row, ScanFilter
from colorize_core.archive.source.globs import comparable
from colorize_core.archive.source.item import Scan, SourceItem
from colorize_core.archive.source.local import unreadable
from colorize_core.archive.source.out_names import OutNames
from colorize_core.archive.source.pieces import BelongTogether, joined
from colorize_core.errors import UsageError


def scan_frame_folders(
    source: str,
    root: Path,
    *,
    suffixes: frozenset[str],
    film_suffixes: frozenset[str],
    out: Path,
    outputs_of: Callable[[Row], Sequence[str]],
    names: OutNames,
    references: frozenset[str] = frozenset(),
    belong_together: BelongTogether = lambda _path, _files: False,
    sound_beside: Callable[[Path], Path | None] = lambda _folder: None,
) -> Scan:
    """Take every folder of pictures at or below `root` as one film, and every film too.

    Args:
        source: as the user gave it.
        root: local folder.
        suffixes: of frames, lower case, with the dot.
        film_suffixes: likewise, of films.
        out: left out where it lies inside.
        outputs_of: as for `scan`.
        names: likewise.
        references: paths of pictures that are no frames, made `comparable`.
        belong_together: as for `scan`.
        sound_beside: of a folder of pictures, the WAV in it or beside it.

    Raises:
        UsageError: there is neither, or `root` cannot be read.
    """
    notes = ScanFilter(frozenset(), frozenset())
    rows = _rows(root, suffixes, film_suffixes, out.resolve(), references, notes)
    rows = joined(rows, "", film_suffixes, belong_together)
    kept = without_collisions(rows, notes, outputs_of, names, Place.of(out, str(root)))
    if not kept and not notes.problems:
        raise UsageError(
            f"{source}: no folder of pictures and no film in it",
            remedy=f"known suffixes: {', '.join(sorted(suffixes))}",
        )
    return Scan(
        source=source,
        items=[_item(row, sound_beside) for row in kept],
        ignored={},
        problems=tuple(sorted(notes.problems, key=lambda problem: problem[0])),
    )


def _item(row: Row, sound_beside: Callable[[Path], Path | None]) -> SourceItem:
    location, stamp = str(row.location), str(row.stamp)
    pieces = tuple(str(Path(location).with_name(name)) for name in row.pieces)
    item = SourceItem(row.path, location, row.size, stamp, "film", pieces=pieces)
    sound = sound_beside(Path(location)) if stamp.startswith("frames:") else None
    # What lies in the folder is a part of its stamp.
    if sound is None or sound.parent == Path(location):
        return item
    try:
        status = sound.stat()
    except FileNotFoundError:  # taken away while the folder was read
        return item
    measured = f"{status.st_size} mtime_ns:{status.st_mtime_ns}"
    return replace(item, sound=str(sound), sound_stamp=measured)


def _rows(
    root: Path,
    suffixes: frozenset[str],
    film_suffixes: frozenset[str],
    out: Path,
    references: frozenset[str],
    notes: ScanFilter,
) -> Iterator[Row]:
    def path_of(folder: Path) -> str:
        below = folder.relative_to(root).as_posix()
        return root.resolve().name if below == "." else below

    def refuse(error: OSError) -> None:
        folder = Path(error.filename)
        if folder == root:
            raise UsageError(
                f"{root}: cannot be read: {error.strerror}", remedy="check its permissions"
            ) from error
        notes.problem(path_of(folder), unreadable(path_of(folder), error))

    for name, folders, files in os.walk(root, onerror=refuse):
        folder = Path(name)
        folders[:] = sorted(f for f in folders if f[0] != "." and (folder / f).resolve() != out)
        # Macs leave a hidden `._0001.png` beside each picture on a share.
        shown = sorted(f for f in files if f[0] != ".")
        if references:
            below = (comparable((folder / f).relative_to(root).as_posix()) for f in shown)
            shown = [f for f, path in zip(shown, below, strict=True) if path not in references]
        yield from _films(folder, shown, film_suffixes, root, notes)
        if not any(Path(f).suffix.lower() in suffixes for f in shown):
            continue
        path = path_of(folder)
        try:
            size, stamp = measure_folder(folder)
        except OSError as error:
            notes.problem(path, unreadable(path, error))
        else:
            yield Row(path, str(folder.absolute()), size, stamp)


def _films(
    folder: Path, names: list[str], suffixes: frozenset[str], root: Path, notes: ScanFilter
) -> Iterator[Row]:
    for name in names:
        if Path(name).suffix.lower() not in suffixes:
            continue
        file = folder / name
        path = file.relative_to(root).as_posix()
        try:
            status = file.stat()
        except OSError as error:
            notes.problem(path, unreadable(path, error))
            continue
        if stat.S_ISREG(status.st_mode):
            stamp = f"mtime_ns:{status.st_mtime_ns}"
            yield Row(path, str(file.absolute()), status.st_size, stamp)


def measure_folder(folder: Path) -> tuple[int, str]:
    """Bytes of a folder's files, and a stamp that changes when one of them does."""
    digest = hashlib.sha256()
    size = 0
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_file():
                status = entry.stat()
                size += status.st_size
                line = f"{entry.name}\0{status.st_size}\0{status.st_mtime_ns}\n"
                digest.update(line.encode(errors="surrogateescape"))
    return size, f"frames:{digest.hexdigest()[:32]}"
