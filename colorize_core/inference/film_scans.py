"""A film looked at before its segments are made."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from colorize_core.archive.records.details import (
    FilmDetails,
    ScanDetails,
)
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.work import (
    FilmScan,
    ItemReport,
)
from colorize_core.archive.source.contents import (
    source_sha256,
    stage_item,
)
from colorize_core.inference.film_sound import sound_of
from colorize_core.media.film.shot import (
    Shot,
    is_wholly_colored,
)


def run_scan(unit: FilmScan, out: Path) -> ItemReport:
    """Find out which shots of a film have color of their own.

    Returns:
        The report of the scan; where the content of the film is that of a finished result, the
        report of that.
    """
    from colorize_core.media.film.scan import scan_film

    started = time.monotonic()
    shots: tuple[Shot, ...] = ()
    key_shots: tuple[tuple[int, int], ...] = ()
    cuts: tuple[int, ...] = ()
    with stage_item(unit.item, RunFolder(out).segments(unit.film_key)) as source:
        same = _same_content(unit, source)
        if same is not None:
            return same
        if unit.wants_shots:
            shots = scan_film(
                source,
                unit.probe,
                cut_threshold=unit.config.temporal.cut_threshold,
                each_tint=unit.config.video.tints == "keep",
            )
        if unit.key_frames:
            from colorize_core.inference.key_shots import find_key_shots

            key_shots = find_key_shots(source, unit.probe, unit.key_frames, unit.config)
        if unit.cuts and not is_wholly_colored(shots):
            from colorize_core.inference.key_shots import find_cuts

            cuts = find_cuts(source, unit.probe, unit.config, *unit.cuts)
    return ItemReport(
        key=unit.key,
        kind="scan",
        source=unit.item.path,
        status="done",
        seconds=round(time.monotonic() - started, 3),
        frames=unit.cuts[1] - unit.cuts[0] if unit.cuts else unit.probe.frames,
        details=ScanDetails(unit.film_key, shots, key_shots, cuts),
    )


def _same_content(unit: FilmScan, source: Path) -> ItemReport | None:
    """The report of a finished film whose source is what it was."""
    finished = unit.finished
    if finished is None or finished.source_sha256 != source_sha256(unit.item, source):
        return None
    found, details = sound_of(unit.item, unit.config), finished.details
    if not isinstance(details, FilmDetails):
        return replace(finished, stamp=unit.stamp)
    is_same = (found and found.sha256) == (details.sound and details.sound.sha256)
    sounding = replace(details, sound=found)
    return replace(finished, stamp=unit.stamp, details=sounding) if is_same else None
