"""Sources: what there is to colorize, and where it is."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote

from colorize_core.archive.source import local, remote, remote_listing
from colorize_core.archive.source.collisions import Place, without_collisions
from colorize_core.archive.source.filters import (
    ARCHIVE_SUFFIXES,
    Head,
    Row,
    ScanFilter,
    is_archive,
)
from colorize_core.archive.source.globs import Glob
from colorize_core.archive.source.head import read_head
from colorize_core.archive.source.item import Items, Scan
from colorize_core.archive.source.kinds import by_suffix
from colorize_core.archive.source.out_names import OutNames
from colorize_core.archive.source.pieces import BelongTogether, joined
from colorize_core.archive.source.zip_tar import opened
from colorize_core.archive.source.zip_tar.unpack import FREE_SPACE, fetched, unpacked
from colorize_core.errors import (
    InputError,
    OutOfSpaceError,
    UsageError,
    is_disk_full,
)


def scan(
    source: str,
    *,
    photo_suffixes: frozenset[str],
    film_suffixes: frozenset[str],
    exclude: Path | None = None,
    follow_links: bool = False,
    staging: Path | None = None,
    name_photo: Callable[[str, Head], str] | None = None,
    is_photo: Callable[[bytes], bool] | None = None,
    outputs_of: Callable[[Row], Sequence[str]] | None = None,
    exclude_globs: Sequence[str] = (),
    include_globs: Sequence[str] = (),
    references: frozenset[str] = frozenset(),
    names: OutNames | None = None,
    exclude_url: str = "",
    belong_together: BelongTogether = lambda _path, _files: False,
    is_film: Callable[[str], bool] | None = None,
) -> Scan:
    """Find everything in a source.

    Args:
        source: a file, a folder, a glob, `@` and a list file (see `local.list_file`), a zip or
            tar (also compressed), or an fsspec URL of one of these.
        photo_suffixes: lower case, with the dot.
        film_suffixes: likewise.
        exclude: OUT, which is left out where it lies inside the source. An item whose output would
            not lie in it, or would lie among the originals, is a problem.
        follow_links: also take what links lead to outside the source, and enter linked folders.
        staging: where compressed tars are unpacked, and archives go whose server cannot send
            parts. Without it, compressed tars are listed and read in place, which is slow.
        name_photo: see ScanFilter. Default: the same name.
        is_photo: see ScanFilter. Default: suffixes alone count.
        outputs_of: from a film to the paths that its output may get, to find items that would
            overwrite each other. Default: the same path.
        exclude_globs: files and folders to leave out; see Glob for the language.
        include_globs: where there are any, nothing else is taken.
        references: see ScanFilter.
        names: what OUT's file system takes. Default: any name.
        exclude_url: OUT, relative to a source that is a URL; "" where it is not in it.
        belong_together: whether films are pieces of one, see `pieces.joined`. Default: none are.
        is_film: see ScanFilter. Default: suffixes alone count.

    Raises:
        UsageError: nothing there, nothing of use in it, or not readable at all.
        OutOfSpaceError: no space in `staging`.
    """
    notes = ScanFilter(
        photo_suffixes,
        film_suffixes,
        name_photo or (lambda path, _head: path),
        is_photo or (lambda _head: False),
        is_film or (lambda _location: False),
        tuple(map(Glob, exclude_globs)),
        tuple(map(Glob, include_globs)),
        references=references,
    )
    try:
        prefix, rows = _rows(source, notes, exclude, follow_links, staging, exclude_url)
    except OSError as error:
        if is_disk_full(error):
            raise OutOfSpaceError(f"{staging}: no space left", remedy=FREE_SPACE) from error
        raise UsageError(f"{source}: cannot be read: {error}", remedy="check SRC") from error
    except InputError as error:
        raise UsageError(f"{source}: {error.message}", remedy=error.remedy) from error
    rows = joined(rows, prefix, film_suffixes, belong_together)
    place = Place.of(exclude, prefix) if exclude is not None else None
    kept = without_collisions(rows, notes, outputs_of or _same, names or OutNames(None), place)
    if not kept and not notes.problems:
        raise UsageError(_nothing_found(source, notes), remedy=_suffix_help(notes))
    notes.problems.sort(key=lambda problem: problem[0])
    return Scan(
        source=source,
        items=Items(kept, prefix, film_suffixes),
        ignored={reason: n for reason, n in sorted(notes.ignored.items()) if n},
        problems=tuple(notes.problems),
        unread=sorted(notes.unread),
        unused=notes.unused(),
    )


def _same(row: Row) -> tuple[str]:
    return (row.path,)


def _rows(
    source: str,
    notes: ScanFilter,
    exclude: Path | None,
    follow_links: bool,
    staging: Path | None,
    exclude_url: str,
) -> tuple[str, Iterable[Row]]:
    """Prefix of locations, and rows in any order."""
    if source.startswith("@"):
        return "", local.list_file(str(Path(source[1:]).expanduser()), notes, exclude)
    path = local_path(source) if source else None
    if not source or ("::" in source and path is None):
        raise UsageError(f"SRC {source!r} is not a plain path or URL", remedy="check SRC")
    if path is None:
        if is_archive(remote.name_of(source)):
            return _archive_rows(source, notes, staging)
        return "", remote_listing.list_url(source, notes, exclude_url)
    if path.is_dir():
        bounds = local.Bounds.of(str(path), follow_links=follow_links, exclude=exclude)
        return f"{path}/", local.walk_folder(str(path), notes, bounds)
    if os.path.lexists(path):
        return _file_rows(path, notes, exclude, staging)
    if glob.has_magic(str(path)):
        base, pattern = local.glob_base(str(path))
        bounds = local.Bounds.of(base, follow_links=follow_links, exclude=exclude)
        return f"{base}/", local.list_glob(base, pattern, notes, bounds)
    raise UsageError(f"{source}: no such file or folder", remedy="check SRC")


def local_path(source: str) -> Path | None:
    """Absolute path of a source on this machine; None for other URLs."""
    found = re.match(r"^(?:file|local)://(?:localhost(?=/))?", source)
    if found:
        plain = source[found.end() :]
        path = Path(plain if os.path.lexists(plain) else unquote(plain))
    elif remote.is_url(source):
        return None
    else:
        path = Path(source)
    # make passes a quoted SRC=~/photos on as it is.
    return Path(os.path.abspath(path if os.path.lexists(path) else path.expanduser()))  # noqa: PTH100


def _file_rows(
    path: Path, notes: ScanFilter, exclude: Path | None, staging: Path | None
) -> tuple[str, Iterable[Row]]:
    if is_archive(path.name):
        return _archive_rows(str(path), notes, staging)
    is_film = notes.is_named_film(str(path))
    added = "" if is_film else notes.accept(path.name, lambda: read_head(str(path)))
    if added is None:
        for unread in notes.unread:
            raise UsageError(f"{path}: {unread.reason}", remedy=unread.remedy)
        raise UsageError(f"{path}: not a photo, film or archive", remedy=_suffix_help(notes))
    if exclude is not None and exclude.resolve() == path.parent.resolve():
        raise UsageError(f"OUT {exclude} holds SRC itself", remedy="choose another OUT")
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{path}: not a regular file", remedy="check SRC")
    row = Row(path.name, None, status.st_size, status.st_mtime_ns, added, is_film=is_film)
    return f"{path.parent}/", [row]


def _archive_rows(
    archive: str, notes: ScanFilter, staging: Path | None
) -> tuple[str, Iterable[Row]]:
    cache = staging.absolute() if staging is not None else None
    if cache is not None and opened.is_compressed_tar(archive):
        folder = str(unpacked(archive, cache, notes))
        bounds = local.Bounds.of(folder, follow_links=False, exclude=None)
        return f"{folder}/", local.walk_folder(folder, notes, bounds)
    try:
        container = opened.cached_container(archive)
    except opened.NoPartsError:
        if cache is None:
            raise
        archive = str(fetched(archive, cache))
        container = opened.cached_container(archive)
    return "", (
        Row(path, opened.member_location(archive, member.name), member.size, member.stamp, added)
        for path, member, added in container.members(notes, may_look=not remote.is_url(archive))
    )


def _nothing_found(source: str, notes: ScanFilter) -> str:
    counts = [(f"{suffix} (not read)", n) for suffix, n in by_suffix(notes.unread).items()]
    counts += sorted(notes.ignored.items())
    ignored = ", ".join(f"{count} {reason}" for reason, count in counts if count)
    return f"{source}: no photo or film in it" + (f"; left out: {ignored}" if ignored else "")


def _suffix_help(notes: ScanFilter) -> str:
    known = sorted(notes.photo_suffixes | notes.film_suffixes) + list(ARCHIVE_SUFFIXES)
    return f"known by their suffix: {' '.join(known)}"


def default_out(source: str) -> Path:
    """`<SRC>-color` beside SRC; for a URL in the current folder.

    The suffixes of files, lists and archives are left out; a glob counts as its fixed folder.
    """
    path = Path(source[1:]) if source.startswith("@") else local_path(source)
    if path is None:
        return Path.cwd() / f"{_stem(remote.name_of(source)) or 'archive'}-color"
    path = path.expanduser().absolute()
    if glob.has_magic(str(path)) and not os.path.lexists(path):
        path = Path(local.glob_base(str(path))[0])
    elif not path.is_dir():
        path = path.with_name(_stem(path.name))
    return path.parent / f"{path.name or 'archive'}-color"


def _stem(name: str) -> str:
    archive = next((s for s in ARCHIVE_SUFFIXES if name.lower().endswith(s)), "")
    return name[: -len(archive)] if archive else name.removesuffix(Path(name).suffix)
