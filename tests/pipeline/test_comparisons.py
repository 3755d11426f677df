"""Comparisons end when the user wants to stop, and the next run makes the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from colorize_core.archive.records.comparisons import comparison_path
from colorize_core.archive.records.work import ItemReport
from colorize_core.archive.source.item import SourceItem
from colorize_core.config import ColorizeConfig
from colorize_core.media.picture.note import ComputedColorNote
from colorize_core.pipeline.comparisons import Finished, write_comparisons
from colorize_core.pipeline.stop import StopRequest

NOTE = ComputedColorNote("test", "0" * 64)


def finished(folder: Path, count: int) -> list[Finished]:
    """Photos whose result is the photo itself."""
    found: list[Finished] = []
    for number in range(count):
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), np.full((8, 8, 3), number, np.uint8))
        state = path.stat()
        stamp = f"mtime_ns:{state.st_mtime_ns}"
        item = SourceItem(path.name, str(path), state.st_size, stamp, "photo")
        report = ItemReport(f"k{number}", "photo", path.name, "done", output=path.name)
        found.append((item, report, ColorizeConfig()))
    return found


def test_a_stop_leaves_the_rest_to_the_next_run(tmp_path: Path):
    photos = finished(tmp_path, 100)
    stop = StopRequest()

    def until_the_third() -> Iterator[Finished]:
        for number, photo in enumerate(photos):
            if number == 3:
                stop.request()
            yield photo

    lines: list[str] = []
    first = write_comparisons(until_the_third(), tmp_path, NOTE, stop=stop, say=lines.append)
    assert first.ended == "stopped"
    assert first.made < 100
    again = write_comparisons(photos, tmp_path, NOTE, stop=StopRequest(), say=lines.append)
    assert again.ended == ""
    assert (again.current, again.made) == (first.made, 100 - first.made)
    assert lines == []
    for _, report, _ in photos:
        assert (tmp_path / comparison_path(str(report.output), "photo")).stat().st_size > 100


def test_what_is_not_in_color_is_not_compared(tmp_path: Path):
    item, report, config = finished(tmp_path, 1)[0]
    others = [
        ItemReport("a", "photo", "a.png", "failed"),
        ItemReport("b", "photo", "b.png", "skipped", output="0.png"),
        ItemReport("c", "photo", "c.png", "skipped"),
    ]
    found = write_comparisons(
        [(item, other, config) for other in others],
        tmp_path,
        NOTE,
        stop=StopRequest(),
        say=lambda text: None,
    )
    assert (found.made, found.current, found.failed) == (0, 0, 0)
    assert report.status == "done"
