"""Two items must not write one output."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator

from colorize_core.archive.notes import TWICE, Notes, Row
from colorize_core.errors import UnsafePathError


def without_collisions(
    rows: Iterable[Row], notes: Notes, output_of: Callable[[str], str], fold_case: bool
) -> list[Row]:
    """Rows by path, each once; of two that give one output only the first stays."""
    kept: list[Row] = []
    files: set[str] = set()
    folders: set[str] = set()
    for row in sorted(rows, key=lambda row: row.path):
        if kept and kept[-1].path == row.path:
            notes.ignored[TWICE] += 1
            continue
        output = output_of(row.path)
        # Such file systems also take composed and decomposed accents for the same.
        key = unicodedata.normalize("NFC", output).casefold() if fold_case else output
        parents = list(_parents(key, folders))
        if key in files or key in folders or any(parent in files for parent in parents):
            clash = UnsafePathError(
                f"{row.path}: its output {output} would overwrite that of another item",
                remedy="rename one of the two in the source",
            )
            notes.problem(row.path, clash)
            continue
        files.add(key)
        folders.update(parents)
        kept.append(row)
    return kept


def _parents(path: str, known: set[str]) -> Iterator[str]:
    """Folders of `path` that are not yet known to be folders, innermost first."""
    while (path := path.rpartition("/")[0]) and path not in known:
        yield path
