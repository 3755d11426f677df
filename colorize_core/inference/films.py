"""Film units: a segment in color, the joined film, a copy of a film that already has color."""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path

from colorize_core.archive.units import FilmCopy, ItemReport, Join, VideoSegment
from colorize_core.atomic import publish


def blank_report(unit: VideoSegment | Join | FilmCopy) -> ItemReport:
    """The report of a film unit before anything is known."""
    if isinstance(unit, VideoSegment):
        details = {"film": unit.film_key}
        return ItemReport(unit.key, "segment", unit.item.path, "failed", details=details)
    return ItemReport(unit.key, "film", unit.item.path, "failed", frames=0)


def run_copy(unit: FilmCopy, out: Path) -> ItemReport:
    """Copy a film that already has color byte for byte, or leave it out."""
    started = time.monotonic()
    blank = blank_report(unit)
    if unit.leave:
        return ItemReport(
            unit.key, "film", unit.item.path, "skipped", reason="already in color: left out"
        )
    target = out / unit.output
    with publish(target) as temporary:
        shutil.copyfile(unit.item.location, temporary)
    return ItemReport(
        key=blank.key,
        kind="film",
        source=blank.source,
        status="skipped",
        output=unit.output,
        reason="already in color: copied",
        sha256=file_sha256(target),
        size=target.stat().st_size,
        seconds=round(time.monotonic() - started, 3),
    )


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
