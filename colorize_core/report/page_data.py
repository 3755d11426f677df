"""OUT/report/data: the page's own folders, told apart from what else may stand there.

A source may hold `report/data/x/photo.png`, whose output stands here too. So nothing is removed
that does not carry the page's mark: its name, and the call of the page's function it begins with.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

SCRIPT: Final = "colorizeReport"
_PIECE: Final = 1000
_FOLDER: Final = re.compile(r"[0-9a-f]{12}")
_FILE: Final = re.compile(r"(index|orders)\.js|\d-\d+\.js")


def new_folder(page: Path) -> Path:
    """Make an empty folder for the data of one page."""
    folder = page / "data" / uuid.uuid4().hex[:12]
    folder.mkdir(parents=True)
    return folder


def script(function: str, *arguments: object) -> str:
    """A call of the page's own function; data stays data in any HTML or script context."""
    texts = [json.dumps(a, ensure_ascii=True, separators=(",", ":")) for a in arguments]
    safe = ",".join(texts).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return f"{SCRIPT}.{function}({safe});\n"


def write_numbers(path: Path, function: str, arrays: Mapping[str, NDArray[np.int64]]) -> None:
    """Write a call of the page's own function with arrays by name, a piece at a time."""
    with path.open("w", encoding="ascii") as file:
        file.write(f"{SCRIPT}.{function}({{")
        for number, (name, values) in enumerate(arrays.items()):
            file.write(f"{',' if number else ''}{json.dumps(name)}:[")
            for at in range(0, len(values), _PIECE):
                text = ",".join(map(str, values[at : at + _PIECE].tolist()))
                file.write(f"{',' if at else ''}{text}")
            file.write("]")
        file.write("});\n")


def remove_old(page: Path, *, keep: Path) -> None:
    """Remove the data of earlier pages, and only that."""
    for folder in (page / "data").iterdir():
        if folder != keep:
            remove(folder)


def remove(folder: Path) -> None:
    """Remove one page's files; the folder stays while anything else is in it."""
    if not _FOLDER.fullmatch(folder.name) or folder.is_symlink() or not folder.is_dir():
        return
    is_empty = True
    for file in folder.iterdir():
        if _is_own(file):
            file.unlink()
        else:
            is_empty = False
    if is_empty:
        folder.rmdir()


def _is_own(file: Path) -> bool:
    if not _FILE.fullmatch(file.name) or file.is_symlink() or not file.is_file():
        return False
    start = f"{SCRIPT}.".encode()
    with file.open("rb") as opened:
        return opened.read(len(start)) == start
