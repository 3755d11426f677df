"""What a driver hands to its workers and its report; torch is loaded when they are called."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from colorize_core.archive.records.details import Signals
from colorize_core.archive.records.verdicts import Verdict, signals_of
from colorize_core.archive.records.work import ItemReport
from colorize_core.archive.storage.storage import Storage, Worker


def make_worker(
    storage: Storage, weights: str, weights_sha256: str, device: str, write_thumbnails: bool
) -> Worker:
    """The worker of one process; torch is loaded here and not in the driver."""
    from colorize_core.inference import worker as inference

    worker = inference.Worker(
        out=storage.folder,
        weights=weights,
        weights_sha256=weights_sha256,
        device=device,  # type: ignore[arg-type]
        write_thumbnails=write_thumbnails,
    )
    return storage.worker(worker)


def judge(signals: Iterable[Signals]) -> Callable[[ItemReport], Verdict]:
    """What deserves a look in this archive, and how much; see inference.signals."""
    from colorize_core.inference.signals import archive_median, doubt, suspicions

    median = archive_median(signals)

    def verdict(report: ItemReport) -> Verdict:
        found = signals_of(report)
        reasons = tuple(suspicions(found, median)) if found else ()
        has_result = report.output is not None
        return Verdict(reasons, doubt(report.status, found, reasons, has_result=has_result))

    return verdict
