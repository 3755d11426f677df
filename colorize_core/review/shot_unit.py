"""The shot around a moment of a film as the unit that a run would make of it."""

from __future__ import annotations

from typing import Final

import msgspec

from colorize_core.archive.records.details import FilmDetails, ScanDetails
from colorize_core.archive.records.item_hints import shots_around, shots_with
from colorize_core.archive.records.segment_units import FilmWork
from colorize_core.archive.records.work import VideoSegment
from colorize_core.config import ColorizeConfig
from colorize_core.media.film.shot import Shot, as_one
from colorize_core.review.catalog import Entry
from colorize_core.review.state import Review

MOST_FRAMES: Final = 240
OUTPUT: Final = "shot.nut"
_ENTIRE_CRF: Final = 16  # what is lost here is lost before the clip is made


def shot_unit(review: Review, entry: Entry, time: float) -> tuple[VideoSegment, FilmWork, bool]:
    """The frames of the shot that a film shows at `time` seconds, at most MOST_FRAMES around it.

    Returns:
        The unit, the film that it is of, and whether it is the whole shot.

    Raises:
        InputError: the film cannot be read.
        ConfigError: a hint or a reference cannot be used.
    """
    from colorize_core.media.film.anchor_frames import anchor_shots
    from colorize_core.media.film.memory_need import require_memory
    from colorize_core.media.film.plan import plan_film

    asked, known = review.asked(entry, {})
    config = _quick(asked)
    path, probe = review.pictures.film(entry)
    plan = plan_film(entry.source, probe, config.video, is_folder=path.is_dir())
    require_memory(entry.source, probe, plan.encoding, config.video)
    hints, _ = known.before(probe.shown_seconds)
    scan = review.catalog.scans.get(entry.source)
    cuts, frame = _cuts(entry, scan), probe.frame_after(time)
    ((begin, end),) = shots_around([frame], cuts, probe.frames)
    keys = tuple(probe.frame_after(at) for at in hints.times)
    holds = config.temporal.enabled and config.temporal.anchors
    work = FilmWork(
        film_key=entry.id,
        item=review.originals.item(entry),
        probe=probe,
        plan=plan,
        config=config,
        hints=hints,
        known=shots_with(hints, keys, shots_around(keys, cuts, probe.frames), probe.frames),
        shots=_own_color(asked, scan),
        anchors=anchor_shots(probe, cuts) if holds else (),
    )
    start = max(begin, min(frame - MOST_FRAMES // 2, end - MOST_FRAMES))
    stop = min(end, start + MOST_FRAMES)
    return work.segment(entry.id, 0, start, stop, OUTPUT), work, end - begin == stop - start


def _quick(config: ColorizeConfig) -> ColorizeConfig:
    """The same colors, written fast, a frame at a time: who clicks meanwhile waits for one."""
    video = msgspec.structs.replace(
        config.video, codec="libx264", preset="ultrafast", crf=_ENTIRE_CRF, frames="none"
    )
    render = msgspec.structs.replace(config.render, batch_size=1)
    return msgspec.structs.replace(config, video=video, render=render)


def _cuts(entry: Entry, scan: ScanDetails | None) -> tuple[int, ...]:
    """Those that the run found; a film of which nothing is recorded is one shot."""
    if scan is not None and scan.cuts:
        return scan.cuts
    details = entry.report.details
    return details.cuts if isinstance(details, FilmDetails) else ()


def _own_color(config: ColorizeConfig, scan: ScanDetails | None) -> tuple[Shot, ...]:
    if scan is None or config.colored == "recolor":
        return ()
    return as_one(scan.shots) if config.colored == "whole" else scan.shots
