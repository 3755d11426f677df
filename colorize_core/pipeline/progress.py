"""How far a run is: a bar on a terminal, else a line every 30 s, and a small file for others."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, get_args

from tqdm import tqdm

from colorize_core.archive.records.in_hand import InHand, read_in_hand
from colorize_core.archive.records.work import UnitReport
from colorize_core.archive.source.item import SourceItem
from colorize_core.atomic import publish_bytes
from colorize_core.pipeline.first_failures import FirstFailures
from colorize_core.pipeline.run_log import RunLog
from colorize_core.pipeline.work_left import WorkLeft

LINE_SECONDS = 30.0
FIRST_LINE_SECONDS: Final = 5.0  # soon enough to see that it works
FILE_SECONDS = 3.0
LOOK_SECONDS: Final = 0.5  # at what workers have in hand
STALE_SECONDS: Final = 60.0  # a worker that was killed says nothing new

Phase = Literal["reading SRC", "starting", "working", "finishing", "ended"]
PHASES: Final = get_args(Phase)


def publish_phase(path: Path, phase: Phase, **more: object) -> None:
    """Say in the file that `status` reads what the run is at."""
    try:
        publish_bytes(path, json.dumps({**more, "phase": phase, "updated": time.time()}).encode())
    except OSError:
        # The run's own writes report a full disk; this file is only a courtesy.
        return


def say_above_bar(text: str) -> None:
    """One line for the user, above the bar if there is one."""
    tqdm.write(text, file=sys.stderr)


class Progress:
    """Counts items and bytes, and what workers have in hand.

    Args:
        items: what this run has to do.
        finished_before: items of the source that an earlier run finished.
        path: the file that `jobs.archive_status` reads.
        left_over: pending items that a limit leaves to a later run.
        in_hand: folder of the workers' own files; None where there are none.
        failures: shows the first of them.
        log: what other programs read.
    """

    def __init__(
        self,
        items: Sequence[SourceItem],
        finished_before: int,
        path: Path,
        *,
        left_over: int = 0,
        in_hand: Path | None = None,
        failures: FirstFailures | None = None,
        log: RunLog | None = None,
    ) -> None:
        self._left = WorkLeft(items)
        self._left_over = left_over
        self._photos_to_do = self._left.items["photo"]
        self._total = finished_before + len(self._left)
        self._path = path
        self._log = log or RunLog()
        self._failures = failures or FirstFailures(lambda _: None)
        self._workers = _Workers(in_hand)
        self._started = time.monotonic()
        self._last_line = self._started - LINE_SECONDS + FIRST_LINE_SECONDS
        self._last_file = self._last_look = self._started
        self._frames = 0
        self._cpu_seconds = 0.0
        self._peak_memory_bytes = 0
        self._first_start: float | None = None
        self._last_end = self._started
        self._bar = tqdm(
            total=self._total,
            initial=finished_before,
            bar_format="{percentage:3.0f} %|{bar}| {desc}",
            disable=not sys.stderr.isatty(),
            dynamic_ncols=True,
        )
        self._bar.set_description_str("starting")
        self._publish()

    def update(self, report: UnitReport) -> None:
        """Count what a unit finished."""
        self._cpu_seconds += report.cpu_seconds
        self._peak_memory_bytes = max(self._peak_memory_bytes, report.peak_memory_bytes)
        self._last_end = time.monotonic()
        self._begin(self._last_end - report.seconds)
        self._left.add(report)
        for item in report.items:
            self._failures.see(item)
            self._log.item(item)
            self._frames += item.frames if item.kind == "segment" else 0
        self.tick()

    def tick(self) -> None:
        """Look at the workers, print and publish when it is time."""
        now = time.monotonic()
        if now - self._last_look >= LOOK_SECONDS:
            self._last_look = now
            self._workers.look(now)
            if self._workers.busy:
                self._begin(now)
            self._show()
        if self._bar.disable and now - self._last_line >= LINE_SECONDS:
            self._last_line = now
            tqdm.write(self._text(self.state()), file=sys.stderr)
        if now - self._last_file >= FILE_SECONDS:
            self._last_file = now
            self._publish()

    def close(self) -> None:
        """Publish the last state."""
        self._workers.clear()
        self._show()
        self._bar.close()
        self._publish(phase="finishing")

    def state(self) -> dict[str, Any]:
        """JSON values: total, left, rates per second, seconds to go, what is in work."""
        begun = self._first_start
        seconds = max(1e-3, time.monotonic() - (begun or self._started))
        photos = self._photos() + self._workers.photos
        frames = self._frames + self._workers.frames
        eta = None if begun is None else self._left.seconds(seconds, self._workers.busy)
        return {
            "phase": "starting" if begun is None else "working",
            "total": self._total + self._left_over,
            "left": len(self._left) + self._left_over,
            "photos": photos,
            "frames": frames,
            "photos_per_second": round(photos / seconds, 3),
            "frames_per_second": round(frames / seconds, 3),
            "eta_seconds": None if eta is None else round(eta, 1),
            "failed": self._failures.count,
            "current": self._workers.current,
            "updated": time.time(),
        }

    def work(self) -> dict[str, Any]:
        """What the units cost: start-up, planning and the summary are not in it."""
        start = self._last_end if self._first_start is None else self._first_start
        return {
            "computed": {"photos": self._photos(), "frames": self._frames},
            "work_seconds": round(self._last_end - start, 3),
            "cpu_seconds": round(self._cpu_seconds, 3),
            "peak_worker_memory_bytes": self._peak_memory_bytes,
            **self._left.spent(),
        }

    def _begin(self, moment: float) -> None:
        if self._first_start is None:
            self._first_start = moment

    def _photos(self) -> int:
        return self._photos_to_do - self._left.items["photo"]

    def _done(self) -> float:
        """Items, with the finished parts of those in work."""
        in_work = self._left.share + self._workers.photos + self._workers.share
        return self._total - len(self._left) + min(in_work, len(self._left))

    def _show(self) -> None:
        if self._bar.disable:
            return
        # A worker's file goes a moment before its report comes.
        self._bar.n = max(self._bar.n, self._done())
        width = shutil.get_terminal_size().columns - 20
        self._bar.set_description_str(self._text(self.state())[: max(20, width)])

    def _text(self, state: dict[str, Any]) -> str:
        if state["phase"] == "starting":
            return f"starting, {format_seconds(time.monotonic() - self._started)} so far"
        done = int(self._done())
        text = f"{done}/{self._total} items, {state['photos_per_second']:.2f} photos/s"
        if state["frames"]:
            text += f", {state['frames']} frames, {state['frames_per_second']:.1f}/s"
        if state["eta_seconds"] is not None:
            text += f", about {format_seconds(state['eta_seconds'])} to go"
        if self._left_over:
            text += f", {self._left_over} for a later run"
        return f"{text}; {state['current']}" if state["current"] else text

    def _publish(self, **changes: object) -> None:
        state = {**self.state(), **changes}
        publish_phase(self._path, **state)
        self._log.state(state)


class _Workers:
    """What workers have in hand, without those that went silent."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._heard: dict[str, tuple[InHand, float]] = {}
        self._busy: list[InHand] = []
        self.clear()

    def clear(self) -> None:
        """Forget all, and remove what killed workers left."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._heard, self._busy = {}, []

    def look(self, now: float) -> None:
        """Read their files."""
        found = read_in_hand(self._folder) if self._folder is not None else {}
        before = self._heard
        self._heard = {
            name: (before[name] if name in before and before[name][0] == said else (said, now))
            for name, said in found.items()
        }
        self._busy = [said for said, at in self._heard.values() if now - at < STALE_SECONDS]

    @property
    def busy(self) -> list[InHand]:
        return self._busy

    @property
    def photos(self) -> int:
        return sum(said.photos for said in self._busy)

    @property
    def frames(self) -> int:
        return sum(said.frames for said in self._busy)

    @property
    def share(self) -> float:
        return sum(said.share for said in self._busy)

    @property
    def current(self) -> str:
        return self._busy[0].source if self._busy else ""


def format_seconds(seconds: float) -> str:
    """1 h 02 min, 3 min 20 s, 12 s."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    if whole >= 60:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole} s"
