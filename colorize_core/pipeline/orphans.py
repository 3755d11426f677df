"""Results in OUT whose source is renamed or gone: named, never touched."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.work import ItemReport
from colorize_core.archive.source.item import Scan, SourceItem
from colorize_core.archive.storage.storage import Storage


@dataclass(frozen=True)
class Orphan:
    """An output of an earlier run; `renamed` is where its source is now, as far as is known."""

    output: str
    source: str
    renamed: str = ""

    def __str__(self) -> str:
        now = f"now {self.renamed}" if self.renamed else "not in SRC"
        return f"{self.output} ({self.source}, {now})"


def find_orphans(
    found: Scan, keys: Sequence[str], manifest: Manifest, storage: Storage, source: Path
) -> list[Orphan]:
    """What no item of SRC makes any more, by path of its source.

    Args:
        found: what SRC holds, all of it: nothing left out by `--include` or `--exclude`.
        keys: of its items.
        manifest: of OUT.
        storage: OUT.
        source: SRC, a folder.
    """
    sources = {item.path for item in found.items}
    sources.update(piece for item in found.items for piece in _pieces(item))
    sources.update(path for path, _ in found.problems)
    sources.update(unread.path for unread in found.unread)
    lost = [
        report
        for report in manifest.reports()
        if report.source not in sources
        and _is_result(report)
        and not _may_be_there(report.source, source, found)
        and storage.holds(report)
    ]
    if not lost:
        return []
    made = {item.output for item in found.items}
    reports = [report for key in keys if (report := manifest.get(key)) is not None]
    made.update(report.output for report in reports if report.output is not None)
    now = {report.source_sha256: report.source for report in reports if report.source_sha256}
    orphans = {
        report.output: Orphan(report.output, report.source, now.get(report.source_sha256, ""))
        for report in lost
        if report.output is not None and report.output not in made
    }
    return sorted(orphans.values(), key=lambda orphan: orphan.source)


def _pieces(item: SourceItem) -> Iterator[str]:
    folder = PurePosixPath(item.path).parent
    return (str(folder / PurePosixPath(piece).name) for piece in item.pieces)


def _may_be_there(path: str, source: Path, found: Scan) -> bool:
    """It is there but no item (left out, a reference), or lies in what cannot be read."""
    unread = (problem for problem, _ in found.problems)
    is_below = any(path.startswith(f"{problem}/") for problem in unread)
    return is_below or os.path.lexists(source / path)


def _is_result(report: ItemReport) -> bool:
    return report.kind in ("photo", "film") and report.output is not None
