"""The items of an OUT as the grid shows them, the most doubtful first."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from colorize_core.archive.records.details import FilmDetails, PhotoDetails, ScanDetails
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.verdicts import Verdict, signals_of
from colorize_core.archive.records.work import ItemReport
from colorize_core.inference.starting import judge

_RESTS: Final = 10  # times as long as reading took


@dataclass(frozen=True)
class Entry:
    """One photo or film.

    Attributes:
        id: short name of it in addresses.
        report: its latest line of the manifest.
        doubt: see Verdict.
        reasons: likewise.
    """

    id: str
    report: ItemReport
    doubt: float
    reasons: tuple[str, ...]

    @property
    def source(self) -> str:
        """Path in the source."""
        return self.report.source

    @property
    def is_film(self) -> bool:
        """A film, or the folder of frames made of one."""
        return self.report.kind == "film"

    @property
    def name(self) -> str:
        """The path as text: what is not Unicode in it is replaced."""
        return self.source.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@dataclass
class Catalog:
    """What is in OUT now.

    Args:
        out: output folder of a run, finished or running.
    """

    out: Path
    entries: dict[str, Entry] = field(default_factory=dict)  # by id, most doubtful first
    ids: dict[str, str] = field(default_factory=dict)  # by path in the source
    scans: dict[str, ScanDetails] = field(default_factory=dict)  # likewise, of films
    _size: int = -1
    _rests_until: float = 0.0

    def read(self) -> set[str]:
        """Take in what a run has recorded since; returns ids of items that are new or changed."""
        path = RunFolder(self.out).manifest
        size = path.stat().st_size if path.exists() else 0
        began = time.monotonic()
        if size == self._size or began < self._rests_until:
            return set()
        self._size = size
        latest: dict[str, ItemReport] = {}
        for report in Manifest(path).reports():
            if report.kind in ("photo", "film"):
                latest[report.source] = report
            elif report.kind == "scan" and isinstance(report.details, ScanDetails):
                earlier = self.scans.get(report.source)
                self.scans[report.source] = _together(earlier, report.details)
        entries = sorted(_entries(latest.values()), key=lambda e: (-e.doubt, e.source))
        before, self.entries = self.entries, {entry.id: entry for entry in entries}
        self.ids = {entry.source: entry.id for entry in entries}
        # A run adds a line now and then, and a large archive takes a moment to read.
        self._rests_until = time.monotonic() + _RESTS * (time.monotonic() - began)
        return {e.id for e in entries if before.get(e.id) != e}


def _together(before: ScanDetails | None, found: ScanDetails) -> ScanDetails:
    """What the looks of one run at a film have found; a long one is looked at in parts."""
    if before is None or before.film != found.film:
        return found
    cuts = tuple(sorted({*before.cuts, *found.cuts}))
    return replace(found, shots=found.shots or before.shots, cuts=cuts)


def _entries(reports: Iterable[ItemReport]) -> list[Entry]:
    reports = list(reports)
    verdict = judge(found for report in reports if (found := signals_of(report)))
    return [_entry(report, verdict(report)) for report in reports]


def _entry(report: ItemReport, verdict: Verdict) -> Entry:
    digest = hashlib.sha256(report.source.encode(errors="surrogatepass")).hexdigest()
    return Entry(digest[:16], report, verdict.doubt, verdict.reasons)


def described(entry: Entry) -> dict[str, Any]:
    """An entry as JSON values for the grid."""
    report, details = entry.report, entry.report.details
    width, height = (
        (details.width, details.height)
        if isinstance(details, PhotoDetails | FilmDetails)
        else (0, 0)
    )
    return {
        "id": entry.id,
        "name": entry.name,
        "film": entry.is_film,
        "status": report.status,
        "result": report.output is not None,
        "reasons": list(entry.reasons),
        "reason": report.reason,
        "remedy": report.remedy,
        "width": width,
        "height": height,
        "version": report.sha256[:12],
    }
