"""The names of the manifest's parts in object storage, and a copy of them on a disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from colorize_core.atomic import STATE_FOLDER, publish

FOLDER: Final = f"{STATE_FOLDER}/manifest/"
WHOLE: Final = "-whole.jsonl"


def part_name(number: int, end: str = ".jsonl") -> str:
    """`N.jsonl` is a part, `N-whole.jsonl` all that was recorded up to N."""
    return f"{FOLDER}{number:012d}{end}"


def part_number(name: str) -> int:
    """Which part it is; 0 for what is none."""
    digits = name.removeprefix(FOLDER).partition(".")[0].partition("-")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def in_order(names: Iterable[str]) -> list[str]:
    """Those that make the manifest: the newest whole one, if any, and the parts above it."""
    names = list(names)
    whole = max((n for n in names if n.endswith(WHOLE)), key=part_number, default="")
    parts = (n for n in names if not n.endswith(WHOLE) and part_number(n) > part_number(whole))
    return [*filter(None, [whole]), *sorted(parts, key=part_number)]


def join_copied(manifest: Path) -> None:
    """Write the manifest of an OUT that was copied from object storage, if it is not there."""
    out = manifest.parents[1]
    folder = out / FOLDER
    if manifest.exists() or not folder.is_dir():
        return
    names = in_order(FOLDER + path.name for path in folder.iterdir() if path.is_file())
    with publish(manifest) as temporary, temporary.open("wb") as whole:
        for name in names:
            with (out / name).open("rb") as part:
                shutil.copyfileobj(part, whole)
