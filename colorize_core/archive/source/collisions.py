"""Two items must not write one output, and none may write outside OUT or over an original."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from colorize_core.archive.source.filters import TWICE, Row, ScanFilter, check_length, is_own
from colorize_core.archive.source.local import is_inside
from colorize_core.archive.source.out_names import OutNames
from colorize_core.errors import UnsafePathError


@dataclass(frozen=True)
class Place:
    """Real paths of OUT and of the folder that holds the originals, None if there is no such one.

    Where OUT lies in that folder, the scan has left it out: there its files are no originals.
    """

    out: str
    originals: str | None

    @classmethod
    def of(cls, out: Path, originals: str) -> Place:
        """Place of any spelling of the two paths; "" for no such folder."""
        return cls(os.path.realpath(out), os.path.realpath(originals) if originals else None)

    def holds_originals(self, real_path: str) -> bool:
        """Whether a file that is written there may be, or become, one of the source."""
        if self.originals is None or not is_inside(real_path, self.originals):
            return False
        return not (is_inside(self.out, self.originals) and is_inside(real_path, self.out))


def without_collisions(
    rows: Iterable[Row],
    notes: ScanFilter,
    outputs_of: Callable[[Row], Sequence[str]],
    names: OutNames,
    place: Place | None = None,
) -> list[Row]:
    """Rows by path, each once, with outputs in `place`; of two with one output, the first stays.

    `outputs_of` gives all outputs that an item may get.
    """
    # Rows come folder by folder.
    real = lru_cache(1024)(os.path.realpath)
    kept: list[Row] = []
    files: set[str] = set()
    folders: set[str] = set()
    for row in sorted(rows, key=lambda row: row.path):
        if kept and kept[-1].path == row.path:
            if kept[-1] == row:
                notes.ignored[TWICE] += 1
            else:
                notes.problem(row.path, _of_one_path(kept[-1], row))
            continue
        keys = {names.key(output): output for output in _outputs(row, outputs_of)}
        problem = (
            next(filter(None, (_misplaced(o, place, real) for o in keys.values())), None)
            or _overlong(row, list(keys.values()))
            or _refused(row.path, keys.values(), names)
            or _clash(row.path, keys, files, folders)
        )
        if problem:
            notes.problem(row.path, problem)
            continue
        files.update(keys)
        for key in keys:
            folders.update(_parents(key, folders))
        kept.append(row)
    return kept


def _outputs(row: Row, outputs_of: Callable[[Row], Sequence[str]]) -> Sequence[str]:
    """A photo that is copied, because it has color, keeps its name."""
    return (row.path + row.added, row.path) if row.added else outputs_of(row)


def _overlong(row: Row, outputs: Sequence[str]) -> UnsafePathError | None:
    if len(outputs) > 1 and not row.added:
        return None  # which one it will be, is known when the film has been looked at
    try:
        check_length(row.path, outputs[0])
    except UnsafePathError as error:
        return error
    return None


def _refused(path: str, outputs: Iterable[str], names: OutNames) -> UnsafePathError | None:
    for output in outputs:
        if reason := names.refusal(output):
            return UnsafePathError(
                f"{path}: the file system of OUT does not take {reason}",
                remedy="rename it in the source, or choose an OUT on another disk",
            )
    return None


def _clash(
    path: str, keys: Mapping[str, str], files: set[str], folders: set[str]
) -> UnsafePathError | None:
    for key, output in keys.items():
        parents = _parents(key, folders)
        if key in files or key in folders or any(parent in files for parent in parents):
            return UnsafePathError(
                f"{path}: its output {output} would overwrite that of another item",
                remedy="rename one of the two in the source",
            )
    return None


def _parents(path: str, known: set[str]) -> Iterator[str]:
    """Folders of `path` that are not yet known to be folders, innermost first."""
    while (path := path.rpartition("/")[0]) and path not in known:
        yield path


def _of_one_path(first: Row, second: Row) -> UnsafePathError:
    return UnsafePathError(
        f"{second.path}: two items have this path; {second.location} was left out, "
        f"{first.location} was taken",
        remedy="rename one of the two in the source",
    )


def _leads_up(output: str) -> bool:
    return ".." in output and ".." in output.split("/")


def _misplaced(
    output: str, place: Place | None, real: Callable[[str], str]
) -> UnsafePathError | None:
    if not output or output.startswith("/") or _leads_up(output):
        return UnsafePathError(
            f"{output!r}: this output would not lie in OUT", remedy="rename the item in the source"
        )
    if is_own(output):
        return UnsafePathError(
            f"{output}: this name is kept for the records of a run",
            remedy="rename it in the source",
        )
    if place is None:
        return None
    folder, _, name = f"{place.out.rstrip('/')}/{output}".rpartition("/")
    # Also through a link in OUT.
    lies_in = real(folder or "/")
    if not is_inside(lies_in, place.out):
        return UnsafePathError(
            f"{output}: this output would be written out of OUT, through a link to {lies_in}",
            remedy="remove the link, or choose another OUT",
        )
    if place.holds_originals(f"{lies_in.rstrip('/')}/{name}"):
        return UnsafePathError(
            f"{output}: this output would be written into the source", remedy="choose another OUT"
        )
    return None
