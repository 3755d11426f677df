"""Results in OUT whose source is renamed or gone: named, never touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.work import ItemReport
from colorize_core.archive.source.item import Scan
from colorize_core.archive.storage.storage import Storage


@dataclass(frozen=True)
class Orphan:
    """An output of an earlier run; `renamed` is where its source is now, as far as is known."""

    output: str
    source: str
    renamed: str = ""

    def __str__(self) -> str:
        now = f"now {self.renamed}" if self.renamed else "gone"
        return f"{self.output} ({self.source}, {now})"


def find_orphans(
    found: Scan, keys: Sequence[str], manifest: Manifest, storage: Storage
) -> list[Orphan]:
    """What no item of SRC makes any more, by path of its source.

    Args:
        found: what SRC holds, all of it: nothing left out by `--include` or `--exclude`.
        keys: of its items.
        manifest: of OUT.
        storage: OUT.
    """
    sources = {item.path for item in found.items}
    sources.update(path for path, _ in found.problems)
    sources.update(unread.path for unread in found.unread)
    lost = [
        report
        for report in manifest.reports()
        if report.source not in sources and _is_result(report) and storage.holds(report)
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


def _is_result(report: ItemReport) -> bool:
    return report.kind in ("photo", "film") and report.output is not None
