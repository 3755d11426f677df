"""Finds photos and films in local folders, globs and list files; links do not lead outside."""

# A million strings are cheaper than a million Path objects:
# ruff: noqa: PTH100, PTH112, PTH113, PTH114, PTH115, PTH116, PTH118, PTH119, PTH120, PTH207

from __future__ import annotations

import errno
import glob
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from colorize_core.archive.source.filters import (
    LINK,
    OUTPUT,
    SPECIAL,
    Head,
    Row,
    ScanFilter,
    suffix_of,
)
from colorize_core.archive.source.head import read_head
from colorize_core.errors import InputError, MissingError, UsageError

_Accept = Callable[[str, Head], str | None]


@dataclass(frozen=True)
class Bounds:
    """Where a scan may go. `root` is the folder that links must not leave."""

    root: str
    follow_links: bool
    exclude: str | None = None  # real path of OUT
    is_in_out: bool = False

    @classmethod
    def of(cls, root: str, *, follow_links: bool, exclude: Path | None) -> Bounds:
        """Bounds for `root`.

        Raises:
            UsageError: OUT is the source itself.
        """
        real = os.path.realpath(root)
        out = os.path.realpath(exclude) if exclude is not None else None
        if out == real:
            raise UsageError(
                f"OUT {exclude} is the source folder itself", remedy="choose another OUT"
            )
        return cls(real, follow_links, out, out is not None and is_inside(real, out))

    def excludes(self, real_path: str) -> bool:
        """Whether a real path lies in OUT."""
        if self.exclude is None or not is_inside(real_path, self.exclude):
            return False
        # When the source lies inside OUT, leaving OUT out would leave nothing.
        return not (self.is_in_out and is_inside(real_path, self.root))

    def allows(self, real_path: str) -> bool:
        """Whether a link may lead to this real path."""
        return self.follow_links or is_inside(real_path, self.root)


def is_inside(path: str, folder: str) -> bool:
    """Whether an absolute path is `folder` or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def walk_folder(
    folder: str, notes: ScanFilter, bounds: Bounds, *, prefix: str = ""
) -> Iterator[Row]:
    """Yield the photos and films under `folder`, sorted by path, one folder's names in memory.

    Args:
        folder: absolute path.
        notes: receives what is ignored and what cannot be read.
        bounds: links and OUT.
        prefix: put before each path; "" or ending in "/".
    """
    # A stack instead of recursion: a path of 4,096 bytes can be 2,000 folders deep.
    trail = [os.path.realpath(folder)]
    stack = [iter(_sorted_entries(folder, prefix, notes))]
    while stack:
        entry = next(stack[-1], None)
        if entry is None:
            stack.pop()
            trail.pop()
            continue
        real = os.path.realpath(entry.location) if entry.is_link else f"{trail[-1]}/{entry.name}"
        if not entry.is_folder:
            yield from _file_rows(entry, real, notes, bounds, notes.accept)
        elif _may_enter(entry, real, trail, notes, bounds):
            trail.append(real)
            stack.append(iter(_sorted_entries(entry.location, entry.path + "/", notes)))


class _Entry(NamedTuple):
    path: str
    location: str
    name: str
    is_link: bool
    is_folder: bool


def _sorted_entries(folder: str, prefix: str, notes: ScanFilter) -> list[_Entry]:
    """Entries in the order of their full paths: a folder sorts as if its name ended in "/"."""
    try:
        with os.scandir(folder) as found:
            entries = [
                _Entry(prefix + e.name, e.path, e.name, e.is_symlink(), _is_folder(e))
                for e in found
            ]
    except OSError as error:
        name = prefix.rstrip("/")
        if not name:
            raise UsageError(
                f"{folder}: cannot be read: {error.strerror}", remedy="check its permissions"
            ) from error
        notes.problem(name, unreadable(name, error))
        return []
    return sorted(entries, key=lambda e: e.path + "/" if e.is_folder else e.path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that cannot be resolved: reported as a file
        return False


def _may_enter(
    entry: _Entry, real: str, trail: list[str], notes: ScanFilter, bounds: Bounds
) -> bool:
    if notes.leaves_out(entry.path):
        pass
    elif bounds.excludes(real):
        notes.ignored[OUTPUT] += 1
    elif entry.is_link and (not bounds.follow_links or real in trail):
        # Also a link to a folder inside the source: its photos would be done twice.
        notes.ignored[LINK] += 1
    else:
        return True
    return False


def _file_rows(
    entry: _Entry, real: str, notes: ScanFilter, bounds: Bounds, accept: _Accept
) -> Iterator[Row]:
    """Yield the entry's row, or note why there is none."""
    path = entry.path
    if entry.is_link and not suffix_of(entry.name) and not _exists(real):
        notes.problem(path, _broken_link(entry))  # perhaps to a folder of photos
        return
    may_read = not bounds.excludes(real) and (not entry.is_link or bounds.allows(real))
    added = accept(path, lambda: read_head(entry.location) if may_read else b"")
    if added is None:
        return
    if entry.is_link and not bounds.allows(real):
        notes.ignored[LINK] += 1
        return
    if bounds.excludes(real):
        notes.ignored[OUTPUT] += 1
        return
    try:
        status = os.stat(entry.location)
    except OSError as error:
        broken = entry.is_link and error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
        notes.problem(path, _broken_link(entry) if broken else unreadable(path, error))
        return
    if stat.S_ISREG(status.st_mode):
        yield Row(path, None, status.st_size, status.st_mtime_ns, added)
    else:
        notes.ignored[SPECIAL] += 1  # opening a pipe would wait for ever


def _exists(path: str) -> bool:
    try:
        os.stat(path)
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
    return True


def _broken_link(entry: _Entry) -> MissingError:
    return MissingError(
        f"{entry.path}: the link's target {Path(os.readlink(entry.location)).name} is not there",
        remedy="restore it or remove the link",
    )


def unreadable(path: str, error: OSError) -> InputError:
    """The error of an item or folder that exists, but may not be read."""
    return InputError(
        f"{path}: cannot be read: {error.strerror or error}",
        remedy="give yourself permission to read and search and run again",
    )


def glob_base(pattern: str) -> tuple[str, str]:
    """Split a glob into its longest fixed folder (absolute) and the rest."""
    parts = PurePosixPath(os.path.abspath(pattern)).parts
    magic = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return os.path.join(*parts[:magic]), os.path.join(*parts[magic:])


def list_glob(base: str, pattern: str, notes: ScanFilter, bounds: Bounds) -> Iterator[Row]:
    """Yield the files that match, and what is in the folders that match, in no order.

    `*` leaves out names with a leading dot, as in a shell; `**` reaches into folders. A file may
    come twice.
    """
    is_plain: dict[str, bool] = {}
    takes_folders = "**" not in pattern.split("/")[-1]
    for match in glob.iglob(pattern, root_dir=base, recursive=True):
        path = match.rstrip("/")
        parent = os.path.dirname(path)
        if parent not in is_plain:
            # glob walks through links to folders; a scan of a folder does not.
            expected = os.path.join(bounds.root, parent).rstrip("/")
            is_plain[parent] = os.path.realpath(os.path.join(base, parent)) == expected
        if not bounds.follow_links and not is_plain[parent]:
            notes.ignored[LINK] += 1
            continue
        location = os.path.join(base, path)
        entry = _Entry(
            path,
            location,
            os.path.basename(path),
            os.path.islink(location),
            os.path.isdir(location),
        )
        if takes_folders or not entry.is_folder:
            yield from _named(entry, notes, bounds, notes.accept_inside)


def _named(entry: _Entry, notes: ScanFilter, bounds: Bounds, accept: _Accept) -> Iterator[Row]:
    """Rows for one file or folder that a glob or a list names."""
    real = os.path.realpath(entry.location)
    if not entry.is_folder:
        yield from _file_rows(entry, real, notes, bounds, accept)
    elif _may_enter(entry, real, [], notes, bounds):
        yield from walk_folder(entry.location, notes, bounds, prefix=entry.path + "/")


def list_file(list_path: str, notes: ScanFilter, exclude: Path | None) -> Iterator[Row]:
    r"""Yield what a list file names, in its order, with explicit locations.

    One path per line, relative to the list's folder or absolute; empty lines and lines that start
    with `#` are left out (write `./#name` for such a name); spaces belong to the name. A list with
    a NUL character in it, as `find -print0` writes, is split at NULs only, so that names may hold
    newlines. A folder stands for everything in it. Links that the list names are followed.

    The item's path is relative to the list's folder; for files outside of it, it is the absolute
    path without its leading slash, so that it does not depend on the other lines.

    Raises:
        UsageError: the list cannot be read, or names the root of the file system.
    """
    try:
        data = Path(list_path).read_bytes()
    except OSError as error:
        raise UsageError(
            f"the list {list_path} cannot be read: {error.strerror}", remedy="check SRC=@..."
        ) from error
    base = os.path.dirname(os.path.abspath(list_path))
    bounds = Bounds("/", True, os.path.realpath(exclude) if exclude is not None else None)
    for line in _list_lines(data):
        location = os.path.normpath(os.path.join(base, line))
        if is_inside(location, base) and location != base:
            path = os.path.relpath(location, base)
        else:
            path = location.lstrip("/")
        if not path:
            raise UsageError(
                f"the list {list_path} names {line}, the whole file system",
                remedy="name the folders in it that hold photos or films",
            )
        if not os.path.lexists(location):
            missing = MissingError(f"{line}: named in {list_path}, but not there")
            notes.problem(path, missing)
            continue
        # Who names a link wants it; inside a folder, links still do not lead outside.
        entry = _Entry(path, location, os.path.basename(location), False, os.path.isdir(location))
        folder_bounds = bounds
        if entry.is_folder and not bounds.excludes(os.path.realpath(location)):
            folder_bounds = Bounds.of(location, follow_links=False, exclude=exclude)
        if os.path.isfile(location) and notes.is_named_film(location):
            status = os.stat(location)
            yield Row(path, location, status.st_size, status.st_mtime_ns, is_film=True)
            continue
        for row in _named(entry, notes, folder_bounds, notes.accept_named):
            yield row._replace(location=location + row.path[len(path) :])


def _list_lines(data: bytes) -> list[str]:
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    if "\0" in text:
        return [entry for entry in text.split("\0") if entry.strip("\r\n")]
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    return [line for line in lines if line.strip() and not line.startswith("#")]
