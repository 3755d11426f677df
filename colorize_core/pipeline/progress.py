"""How far a run is: a bar on a terminal, else a line every 30 s, and a small file for others."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from colorize_core.archive.records.details import SegmentDetails
from colorize_core.archive.records.work import ItemReport, UnitReport
from colorize_core.archive.source.item import SourceItem
from colorize_core.atomic import publish_bytes

LINE_SECONDS = 30.0
FILE_SECONDS = 3.0


class Progress:
    """Counts items and bytes; ETA from the bytes done in this run.

    Args:
        items: what this run has to do.
        finished_before: items of the source that an earlier run finished.
        path: the file that `jobs.archive_status` reads.
        left_over: pending items that a limit leaves to a later run.
    """

    def __init__(
        self,
        items: Sequence[SourceItem],
        finished_before: int,
        path: Path,
        *,
        left_over: int = 0,
    ) -> None:
        self._left: dict[tuple[str, str], int] = {
            (item.kind, item.path): max(1, item.size) for item in items
        }
        self._total_bytes = sum(self._left.values())
        self._done_bytes = 0.0
        self._left_over = left_over
        self._total = finished_before + len(self._left)
        self._path = path
        self._started = time.monotonic()
        self._last_line = self._last_file = self._started
        self._photos = self._frames = 0
        self._cpu_seconds = 0.0
        self._peak_memory_bytes = 0
        self._first_start: float | None = None
        self._last_end = self._started
        self._segment_bytes: dict[str, float] = {}
        self._bar = tqdm(
            total=self._total,
            initial=finished_before,
            unit="item",
            disable=not sys.stderr.isatty(),
            smoothing=0,
        )

    def update(self, report: UnitReport) -> None:
        """Count what a unit finished."""
        self._cpu_seconds += report.cpu_seconds
        self._peak_memory_bytes = max(self._peak_memory_bytes, report.peak_memory_bytes)
        self._last_end = time.monotonic()
        if self._first_start is None:
            self._first_start = self._last_end - report.seconds
        for item in report.items:
            if item.kind == "segment":
                self._count_segment(item)
            elif item.kind != "scan":
                self._count_item(item)
        self.tick()

    def tick(self) -> None:
        """Print and publish when it is time."""
        now = time.monotonic()
        if self._bar.disable and now - self._last_line >= LINE_SECONDS:
            self._last_line = now
            self._say()
        if now - self._last_file >= FILE_SECONDS:
            self._last_file = now
            self._publish()

    def close(self) -> None:
        """Publish the last state."""
        self._bar.close()
        self._publish()

    def state(self) -> dict[str, Any]:
        """JSON values: total, left, rates per second, seconds to go."""
        seconds = max(1e-3, time.monotonic() - self._started)
        rate = self._done_bytes / seconds
        eta = (self._total_bytes - self._done_bytes) / rate if rate > 0 else None
        return {
            "total": self._total + self._left_over,
            "left": len(self._left) + self._left_over,
            "photos_per_second": round(self._photos / seconds, 3),
            "frames_per_second": round(self._frames / seconds, 3),
            "eta_seconds": None if eta is None else round(max(0.0, eta), 1),
            "updated": time.time(),
        }

    def work(self) -> dict[str, Any]:
        """What the units cost: start-up, planning and the summary are not in it."""
        start = self._last_end if self._first_start is None else self._first_start
        return {
            "computed": {"photos": self._photos, "frames": self._frames},
            "work_seconds": round(self._last_end - start, 3),
            "cpu_seconds": round(self._cpu_seconds, 3),
            "peak_worker_memory_bytes": self._peak_memory_bytes,
        }

    def _count_item(self, item: ItemReport) -> None:
        size = self._left.pop((item.kind, item.source), None)
        if size is None:
            return
        self._done_bytes += size - self._segment_bytes.pop(item.source, 0.0)
        self._photos += item.kind == "photo"
        self._bar.update(1)

    def _count_segment(self, item: ItemReport) -> None:
        self._frames += item.frames
        size = self._left.get(("film", item.source), 0)
        share = size * item.details.share if isinstance(item.details, SegmentDetails) else 0.0
        self._segment_bytes[item.source] = self._segment_bytes.get(item.source, 0.0) + share
        self._done_bytes += share
        self._bar.refresh()

    def _say(self) -> None:
        state = self.state()
        done = state["total"] - state["left"]
        text = f"{done}/{self._total} items, {state['photos_per_second']:.2f} photos/s"
        if self._frames:
            text += f", {state['frames_per_second']:.1f} frames/s"
        if state["eta_seconds"] is not None:
            text += f", about {format_seconds(state['eta_seconds'])} to go"
        if self._left_over:
            text += f", {self._left_over} for a later run"
        tqdm.write(text, file=sys.stderr)

    def _publish(self) -> None:
        try:
            publish_bytes(self._path, json.dumps(self.state()).encode())
        except OSError:
            # The run's own writes report a full disk; this file is only a courtesy.
            return


def format_seconds(seconds: float) -> str:
    """1 h 02 min, 3 min 20 s, 12 s."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    if whole >= 60:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole} s"
