"""`--compare`: before and after side by side, made from sources and finished outputs."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from colorize_core.archive.records.comparisons import comparison_path, is_current
from colorize_core.archive.records.output_paths import output_in
from colorize_core.archive.records.run_folder import COMPARE_FOLDER, RunFolder
from colorize_core.archive.records.work import ItemReport
from colorize_core.archive.source.contents import most_bytes, read_item, stage_item
from colorize_core.archive.source.item import SourceItem
from colorize_core.atomic import publish_bytes
from colorize_core.config import ColorizeConfig
from colorize_core.errors import FULL_ERRNOS, OutOfSpaceError, UnsafePathError, UsageError
from colorize_core.media.photo.codec import decode_photo
from colorize_core.media.photo.comparison import compare_photos, panel_of
from colorize_core.media.picture.note import ComputedColorNote
from colorize_core.pipeline.stop import StopRequest

# Each thread holds a decoded photo: more would take the memory that the largest scans need.
_MOST_THREADS = 4
_BATCH = 64

Finished = tuple[SourceItem, ItemReport, ColorizeConfig]


@dataclass
class Comparisons:
    """How it went: made now, there before, failed; `ended` is why it stopped early, if it did."""

    made: int = 0
    current: int = 0
    failed: int = 0
    ended: str = ""


@dataclass(frozen=True)
class _Maker:
    out: Path
    note: ComputedColorNote
    stop: StopRequest
    # A film takes its own threads, and one in an archive takes its size in disk.
    one_film: threading.Lock

    def attempt(self, task: Finished) -> bool | Exception:
        """Make one; False when a stop came first, or what went wrong."""
        if self.stop.requested:
            return False
        item, report, config = task
        try:
            if report.kind == "photo":
                self._photo(item, report, config)
                return True
            with self.one_film:
                return self._film(item, report, config)
        except Exception as error:  # noqa: BLE001 - an extra may fail; the caller names it
            return error

    def target(self, report: ItemReport) -> Path:
        return output_in(self.out, comparison_path(str(report.output), report.kind))

    def is_current(self, report: ItemReport) -> bool:
        try:
            return is_current(self.target(report), output_in(self.out, report.output))
        except UnsafePathError:
            return False  # the attempt to make it says why

    def _photo(self, item: SourceItem, report: ItemReport, config: ColorizeConfig) -> None:
        def panel(data: bytes) -> NDArray[np.uint8]:
            photo = decode_photo(data, name=item.path, max_pixels=config.photo.max_pixels)
            return panel_of(photo.pages[0].pixels)

        before = panel(read_item(item, max_bytes=most_bytes(config.photo.max_pixels)))
        after = panel(output_in(self.out, report.output).read_bytes())
        publish_bytes(self.target(report), compare_photos(before, after, self.note))

    def _film(self, item: SourceItem, report: ItemReport, config: ColorizeConfig) -> bool:
        # Imported here: photos are compared also where av is not installed.
        from colorize_core.media.film.comparison import compare_films

        with stage_item(item, RunFolder(self.out).staged_films) as source:
            return compare_films(
                source,
                output_in(self.out, report.output),
                self.target(report),
                f"left: source; right: {self.note.text}",
                fps=config.video.fps,
                is_stopped=lambda: self.stop.requested,
            )


def require_place(items: Iterable[SourceItem]) -> None:
    """Refuse a source whose outputs would stand where comparisons go.

    Raises:
        UsageError: it has a folder of that name.
    """
    for item in items:
        if item.path.casefold().startswith(f"{COMPARE_FOLDER}/"):
            raise UsageError(
                f"SRC holds {item.path}, whose output stands where comparisons go",
                remedy="leave out --compare",
            )


def write_comparisons(
    finished: Iterable[Finished],
    out: Path,
    note: ComputedColorNote,
    *,
    stop: StopRequest,
    say: Callable[[str], None],
) -> Comparisons:
    """Write OUT/report/compare: one file for each result in color that has no newer one yet.

    A comparison that fails is said and counted; it fails nothing else. Of a photo with several
    pages, the first is shown.

    Args:
        finished: items of the source with their latest report and their settings.
        out: the output folder, locked by this run.
        note: says that the color is computed.
        stop: ends it between photos and within a film.
        say: prints one line for the user.
    """
    totals = Comparisons()
    maker = _Maker(out, note, stop, threading.Lock())
    tasks = _tasks(finished, maker, totals)
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    with (
        ThreadPoolExecutor(threads, "compare") as pool,
        tqdm(unit=" comparisons", disable=not sys.stderr.isatty()) as bar,
    ):
        while not stop.requested and (batch := list(islice(tasks, _BATCH))):
            for task, result in zip(batch, pool.map(maker.attempt, batch), strict=True):
                bar.update(1)
                if not isinstance(result, Exception):
                    totals.made += result
                elif _is_full(result):
                    totals.ended = str(result)
                    stop.request()
                else:
                    totals.failed += 1
                    say(f"no comparison of {task[0].path}: {_one_line(result)}")
    if stop.requested and not totals.ended:
        totals.ended = "stopped"
    return totals


def _tasks(finished: Iterable[Finished], maker: _Maker, totals: Comparisons) -> Iterator[Finished]:
    for task in finished:
        report = task[1]
        if report.status not in ("done", "degraded") or report.output is None:
            continue
        if maker.is_current(report):
            totals.current += 1
        else:
            yield task


def _is_full(error: Exception) -> bool:
    is_errno = isinstance(error, OSError) and error.errno in FULL_ERRNOS
    return is_errno or isinstance(error, OutOfSpaceError)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
