"""Items that a user names: the list of those to do again, and names that fit none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from colorize_core.archive.source.globs import Glob, comparable, nearest
from colorize_core.errors import UsageError


def fitting_nothing(
    globs: Iterable[Glob], redo: Iterable[str], paths: Sequence[str]
) -> Iterator[str]:
    """A line for each glob and each name to do again that no path of the source fits."""
    known = set(map(comparable, paths))
    unused = [glob.text for glob in globs if not any(map(glob.fits, paths))]
    for text in (*unused, *sorted(name for name in redo if name not in known)):
        yield fits_nothing(text, paths)


def fits_nothing(text: str, paths: Iterable[str]) -> str:
    """Say that a glob or a name fits nothing, and what it may have meant."""
    near = nearest(text, paths)
    return f"{text!r} fits nothing in SRC" + (f"; nearest: {near}" if near else "")


def read_redo_list(path: Path) -> frozenset[str]:
    """Read paths of items to do again, as the report page exports them; made `comparable`.

    One path in the source per line. A line that starts with a double quote is a JSON string, for
    names with line breaks or that are not Unicode; empty lines and lines that start with "#" are
    left out.

    Raises:
        UsageError: the file cannot be read, or a quoted line is not a JSON string.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"redo list {path}: cannot be read: {error}") from error
    found = set()
    for number, line in enumerate(re.split(r"\r?\n", text), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name = _quoted(path, number, line) if line.startswith('"') else line
        found.add(comparable(name))
    return frozenset(found)


def _quoted(path: Path, number: int, line: str) -> str:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise UsageError(f"redo list {path}, line {number}: not a JSON string: {error}") from error
    return str(value)
