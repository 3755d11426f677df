"""What a photo, a frame and a join cost a worker here, measured with the run's own options."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from colorize_core.archive.records.details import FilmDetails, PhotoDetails, SegmentDetails
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.work import ItemReport
from colorize_core.config import RunOptions

# Frames beside a segment are decoded and colored, but not encoded.
HALO_COST: Final = 0.6
START_SECONDS: Final = {"ray": 20.0, "serial": 6.0}  # where it was not measured
JOIN_SECONDS: Final = 4.0
# Of the same archive measured twice on a busy machine.
LEAST_DEVIATION: Final = 0.15


@dataclass(frozen=True)
class Rates:
    """Measured costs, in seconds of one worker while all of them are at work.

    Attributes:
        basis: where they come from.
        workers: how many there were.
        overhead: seconds of wall time before and after the work: start, reading SRC, the page.
        photo: of a gray photo, fixed and per byte; None where none was measured.
        gray_share: of photos, those that have no color.
        copy: of a photo that is passed on.
        frame: of a frame: fixed and per pixel; None where none was measured.
        look: of a frame at which a film is looked before it is colored, likewise.
        join: of a film.
        compare: wall seconds of one comparison, which the driver makes after all work.
        bytes_per_frame: of the result.
        growth: bytes of photos out per byte in.
        deviation: relative, of the whole.
    """

    basis: str
    workers: int
    overhead: float
    photo: tuple[float, float] | None
    gray_share: float
    copy: float
    frame: tuple[float, float] | None
    look: tuple[float, float]
    join: float
    compare: float
    bytes_per_frame: float | None
    growth: float
    deviation: float


def earlier_rates(
    out: Path, manifest: Manifest, pixels: Mapping[str, int], options: RunOptions
) -> Rates | None:
    """From the manifest and the summary of an earlier run of this OUT, if it colored anything."""
    if not len(manifest):
        return None
    reports = list(manifest.reports())
    sizes = {
        r.source: r.details.width * r.details.height
        for r in reports
        if isinstance(r.details, FilmDetails)
    }
    head = summary_head(RunFolder(out).summary)
    rates = rates_of(
        reports,
        head,
        {**sizes, **pixels},
        basis="the earlier run of this OUT",
        overhead=START_SECONDS[options.runner],
        compare=0.5 if options.compare else 0.0,
    )
    return rates if rates.photo or rates.frame else None


def rates_of(
    reports: Sequence[ItemReport],
    head: Mapping[str, Any],
    pixels: Mapping[str, int],
    *,
    basis: str,
    overhead: float,
    compare: float,
) -> Rates:
    """Costs from what a run recorded.

    Args:
        reports: lines of its manifest.
        head: of its summary.
        pixels: of a frame, by path of the film.
        basis: see Rates.
        overhead: likewise.
        compare: likewise.
    """
    photos = [r for r in reports if r.kind == "photo" and r.status != "failed" and r.seconds > 0]
    gray = [r for r in photos if is_colored(r)]
    copies = [r for r in photos if r.status == "skipped"]
    segments = [r for r in reports if r.kind == "segment" and is_colored(r) and r.seconds > 0]
    overlap = _overlap(head)
    growths = [r.details.growth for r in gray if isinstance(r.details, PhotoDetails)]
    frames = sum(r.frames for r in segments)
    return Rates(
        basis=basis,
        workers=int(head.get("workers") or os.cpu_count() or 1),
        overhead=max(0.0, overhead),
        photo=_line([_source_size(r) for r in gray], [r.seconds * overlap for r in gray]),
        gray_share=len(gray) / len(photos) if photos else 1.0,
        copy=statistics.fmean(r.seconds for r in copies) * overlap if copies else 0.0,
        frame=_frame_cost(segments, pixels),
        look=_look_cost(reports, pixels),
        join=_join_cost(reports),
        compare=compare,
        bytes_per_frame=sum(r.size for r in segments) / frames if frames else None,
        growth=statistics.fmean(growths) if growths else 1.5,
        deviation=LEAST_DEVIATION + _deviation(gray, segments),
    )


def is_colored(report: ItemReport) -> bool:
    """Whether it was worked on, so that its time counts."""
    return report.status in ("done", "degraded")


def _source_size(report: ItemReport) -> float:
    growth = report.details.growth if isinstance(report.details, PhotoDetails) else 0.0
    return report.size / growth if growth else report.size


def _overlap(head: Mapping[str, Any]) -> float:
    """Seconds of units of photos per second of photos: decoding, coloring, encoding overlap."""
    names = ("unit_seconds", "seconds_of")
    units, photos = (head.get(name, {}).get("photo", 0.0) for name in names)
    return units / photos if units and photos else 0.8


def _line(sizes: Sequence[float], seconds: Sequence[float]) -> tuple[float, float] | None:
    """Fixed cost and cost per byte, neither negative, by least squares."""
    if not sizes:
        return None
    x, y = np.array(sizes, np.float64), np.array(seconds, np.float64)
    if len(x) > 1 and np.ptp(x) > 0:
        slope, fixed = np.polyfit(x, y, 1)
        if slope >= 0 and fixed >= 0:
            return float(fixed), float(slope)
        if slope >= 0:
            return 0.0, float(y.sum() / x.sum())
    return float(y.mean()), 0.0


def _frame_cost(
    segments: Sequence[ItemReport], pixels: Mapping[str, int]
) -> tuple[float, float] | None:
    costs = []
    for report in segments:
        details = report.details
        size = pixels.get(report.source)
        if not isinstance(details, SegmentDetails):
            continue
        halo = 0.0 if details.share > 0.99 else 2 * 9 * HALO_COST
        seconds = report.seconds / (report.frames + halo)
        at_working_size = sum(details.stages.get(name, 0.0) for name in ("infer", "flow"))
        share = at_working_size / max(1e-9, sum(details.stages.values())) if size else 1.0
        costs.append((seconds * share, seconds * (1 - share) / (size or 1)))
    if not costs:
        return None
    return statistics.fmean(c[0] for c in costs), statistics.fmean(c[1] for c in costs)


def _look_cost(reports: Sequence[ItemReport], pixels: Mapping[str, int]) -> tuple[float, float]:
    """Fixed cost and cost per pixel; of a long film, all looks at it together."""
    seconds: dict[str, float] = {}
    frames: dict[str, int] = {}
    for report in reports:
        if report.kind == "scan" and report.frames:
            name = report.source
            seconds[name] = seconds.get(name, 0.0) + report.seconds
            frames[name] = max(frames.get(name, 0), report.frames)
    known = [name for name in seconds if name in pixels]
    costs = [seconds[name] / frames[name] for name in known]
    return _line([pixels[name] for name in known], costs) or (0.0, 0.0)


def _join_cost(reports: Sequence[ItemReport]) -> float:
    in_segments: dict[str, float] = {}
    for report in reports:
        if report.kind == "segment":
            in_segments[report.film_key] = in_segments.get(report.film_key, 0) + report.seconds
    joins = [
        max(0.0, report.seconds - in_segments.get(report.key, 0.0))
        for report in reports
        if report.kind == "film" and is_colored(report)
    ]
    return statistics.fmean(joins) if joins else JOIN_SECONDS


def _deviation(photos: Sequence[ItemReport], segments: Sequence[ItemReport]) -> float:
    """Of a mean of so few, relative: what was measured stands for what was not."""
    found = 0.0
    for seconds in ([r.seconds for r in photos], [r.seconds / max(1, r.frames) for r in segments]):
        if len(seconds) > 1:
            spread_of = statistics.stdev(seconds) / statistics.fmean(seconds)
            found = max(found, spread_of / len(seconds) ** 0.5)
        elif seconds:
            found = max(found, 0.2)
    return min(0.5, found)


def summary_head(path: Path) -> dict[str, Any]:
    """What stands before the items of a summary; nothing where there is none."""
    try:
        with path.open() as file:
            head, _, _ = file.readline().rpartition(', "items": [')
        found = json.loads(head + "}")
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
