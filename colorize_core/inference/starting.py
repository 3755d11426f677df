"""What a driver hands to its workers and its report; torch is loaded when they are called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

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


def judge(signals: Iterable[Mapping[str, float]]) -> Callable[[Mapping[str, float]], list[str]]:
    """What is suspicious in this archive; see inference.signals."""
    from colorize_core.inference.signals import archive_median, suspicions

    median = archive_median(signals)
    return lambda found: suspicions(found, median)
