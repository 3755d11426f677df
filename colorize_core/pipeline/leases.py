"""How long a unit may run before its worker counts as hung."""

from __future__ import annotations

from colorize_core.archive.records.work import (
    FilmCopy,
    FilmScan,
    ImageShard,
    Join,
    VideoSegment,
    WorkUnit,
)

# From a place on the cluster to a loaded generator, weights from a slow share included.
START_SECONDS = 600.0
# A unit may take this many times as long as such units took so far for as much work.
LEASE_FACTOR = 20.0
# No lease is shorter than this: a film without an index is one unit, whatever its length.
SLOWEST_SECONDS_PER_FRAME = 2.0
SLOWEST_SECONDS_PER_BYTE = 1e-6


def amount_of(unit: WorkUnit) -> float:
    """How much work there is: photos, frames, or bytes to copy."""
    match unit:
        case ImageShard():
            return len(unit.photos)
        case FilmScan():
            start, stop = unit.cuts or (0, unit.probe.frames)
            return stop - start
        case VideoSegment():
            return unit.stop - unit.start
        case Join():
            return max(1, sum(segment.frames for segment in unit.segments))
        case FilmCopy():
            return max(1, unit.item.size)


def lease_seconds(unit: WorkUnit, *, mean: float | None, least: float) -> float:
    """How long a unit may run before its worker counts as hung.

    Args:
        unit: what runs.
        mean: seconds per photo, frame or byte of such units so far; None before the first answer,
            when nothing is known of how long they take.
        least: seconds that any unit may take, ten times that before the first answer.
    """
    lease = 10 * least if mean is None else max(least, LEASE_FACTOR * mean * amount_of(unit))
    match unit:
        case ImageShard():
            return lease
        case FilmScan() | VideoSegment() | Join():
            return max(lease, SLOWEST_SECONDS_PER_FRAME * amount_of(unit))
        case FilmCopy():
            return max(lease, SLOWEST_SECONDS_PER_BYTE * amount_of(unit))
