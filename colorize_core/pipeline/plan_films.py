"""From a film to its units: a scan where one is needed, segments, and the join they unlock."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorize_core.archive.records.details import ScanDetails
from colorize_core.archive.records.item_hints import (
    NO_HINTS,
    ItemHints,
    ShotHints,
    shots_around,
    shots_with,
)
from colorize_core.archive.records.keys import Maker, film_settings, item_key, scan_settings
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.run_folder import RunFolder, segment_folder
from colorize_core.archive.records.segment_units import FilmWork
from colorize_core.archive.records.work import (
    FilmCopy,
    FilmScan,
    ItemId,
    ItemReport,
    Join,
    VideoSegment,
    WorkUnit,
)
from colorize_core.archive.source.contents import stage_item
from colorize_core.archive.source.filters import check_length
from colorize_core.archive.source.item import SourceItem
from colorize_core.archive.storage.storage import Storage
from colorize_core.config import ColorizeConfig
from colorize_core.errors import InputError, UnreachableError, in_words, is_transient
from colorize_core.media.film.shot import Shot, as_one, is_wholly_colored
from colorize_core.pipeline.loop import MAX_TRANSIENT_TRIES, RETRY_SECONDS

if TYPE_CHECKING:
    from colorize_core.media.film.anchor_frames import AnchorShot
    from colorize_core.media.film.film import FilmProbe
    from colorize_core.media.film.plan import FilmPlan

Planned = WorkUnit | ItemReport
# In which one worker looks for cuts: half a minute of work at 1920 x 1080.
CUT_FRAMES = 3000
MEASURED_FRAMES = 96  # of which a calibration learns what that costs


@dataclass
class _Film:
    """A film that is being worked on; `left` are keys of units that have to end first.

    They are looks for its cuts, after them its segments.
    """

    key: str
    item: SourceItem  # as in the source
    here: SourceItem  # as workers read it
    config: ColorizeConfig
    probe: FilmProbe
    plan: FilmPlan
    staged: ExitStack = field(repr=False)
    finished: ItemReport | None  # see PhotoTask
    folder: str  # of its segments, relative to OUT
    hints: ItemHints = NO_HINTS
    problems: tuple[str, ...] = ()  # of its hints
    known: tuple[ShotHints, ...] = ()
    shots: tuple[Shot, ...] = ()
    key_shots: tuple[tuple[int, int], ...] = ()
    cuts: tuple[int, ...] = ()
    anchors: tuple[AnchorShot, ...] = ()
    segments: tuple[str, ...] = ()
    left: set[str] = field(default_factory=set)

    @property
    def key_frames(self) -> tuple[int, ...]:
        """Of which something is known."""
        return tuple(self.probe.frame_after(time) for time in self.hints.times)


class FilmPlanner:
    """Plans films one by one, and follows up on what is finished.

    Args:
        manifest: what is finished.
        storage: OUT.
        maker: what makes results now.
        is_pending: whether a key has to be computed; also those that failed before.
        finished: by key, what stays if the content of a film is still the same.
        hints_for: what is known of the colors of one film, by its path.
        most_segments: to measure a film by: so many from its middle, without a look at its color.
    """

    def __init__(
        self,
        manifest: Manifest,
        *,
        storage: Storage,
        maker: Maker,
        is_pending: Callable[[str], bool],
        finished: Mapping[str, ItemReport],
        most_segments: int | None = None,
        hints_for: Callable[[str], ItemHints] = lambda _path: NO_HINTS,
    ) -> None:
        self._hints_for = hints_for
        self._most_segments = most_segments
        self._manifest = manifest
        self._storage, self._folder = storage, RunFolder(storage.folder)
        self._maker = maker
        self._is_pending = is_pending
        self._finished = finished
        self._films: dict[str, _Film] = {}
        self._staged: deque[tuple[str, SourceItem, ColorizeConfig]] = deque()

    def plan(self, films: Iterable[tuple[str, SourceItem, ColorizeConfig]]) -> Iterator[Planned]:
        """Units of films, given as key, item and settings; a film that fails here is a report."""
        local: list[tuple[str, SourceItem, ColorizeConfig]] = []
        for film in films:
            (self._staged if is_remote(film[1]) else local).append(film)
        # A staged film takes its size in disk, so the next one is planned when this one is done.
        yield from self._next_staged()
        for film in local:
            yield from self._begin(*film)

    def follow(self, report: ItemReport) -> list[Planned]:
        """What a finished scan, segment or film unlocks."""
        film = self._films.get(report.film_key)
        if film is None:
            return []
        if report.kind == "film":
            return self._close(film, report)
        if report.status == "failed":
            return [_failure(film, report)]
        if isinstance(report.details, ScanDetails):
            return self._after_scan(film, report.key, report.details)
        film.left.discard(report.key)
        return [] if film.left else [self._join(film)]

    def close(self) -> None:
        """Remove what is staged."""
        for film in self._films.values():
            film.staged.close()
        self._films.clear()

    def _next_staged(self) -> list[Planned]:
        return self._begin(*self._staged.popleft()) if self._staged else []

    def _begin(self, key: str, item: SourceItem, config: ColorizeConfig) -> list[Planned]:
        staged = ExitStack()
        try:
            film = self._look(key, item, config, staged)
        except Exception as error:  # noqa: BLE001 - what is not about the film is raised
            staged.close()
            failed = ItemReport.of_error(ItemId.of_film(key, item, item.stamp), _input_error(error))
            return [failed, *(self._next_staged() if is_remote(item) else [])]
        self._films[key] = film
        scan = FilmScan(
            self._scan_key(film),
            key,
            film.here,
            item.stamp,
            film.probe,
            config,
            self._wants_shots(film),
            film.finished,
            () if self._wants_cuts(film) else film.key_frames,
            self._cuts_at_once(film),
        )
        # Where only the sound beside the pictures changed, nothing is to be compared.
        if film.finished is None or film.finished.stamp == item.stamp:
            if not (scan.wants_shots or scan.key_frames or scan.cuts):
                return self._after_scan(film, scan.key, ScanDetails(key))
            if (known := self._scanned(scan.key)) is not None:
                return self._after_scan(film, scan.key, known)
        return [scan]

    def _scanned(self, key: str) -> ScanDetails | None:
        known = self._manifest.get(key)
        if known is None or known.status != "done" or not isinstance(known.details, ScanDetails):
            return None
        return known.details

    def _look(self, key: str, item: SourceItem, config: ColorizeConfig, staged: ExitStack) -> _Film:
        # Loaded only when there is a film.
        from colorize_core.media.film.plan import plan_film
        from colorize_core.media.film.probe import probe_film

        local = self._stage(item, staged)
        probe = probe_film(
            local,
            max_pixels=config.video.max_pixels,
            max_frames=config.video.max_frames,
            fps=config.video.fps,
        )
        plan = plan_film(item.path, probe, config.video, is_folder=local.is_dir())
        for output in (plan.output, plan.copy):
            check_length(item.path, output)
        here = _as_local(item, local) if is_remote(item) else item
        if not is_remote(item):
            staged.close()
        is_measured = self._most_segments is not None
        hints = NO_HINTS if is_measured else self._hints_for(item.path)
        # Segments stay where they are when what is known changes: most of them hold nothing of it.
        settings = film_settings(config)
        folder = item_key(item, self._maker, settings=settings, what="film") if hints else key
        return _Film(
            key,
            item,
            here,
            config,
            probe,
            plan,
            staged,
            self._finished.get(key),
            segment_folder(folder),
            *hints.before(probe.shown_seconds),
        )

    def _stage(self, item: SourceItem, staged: ExitStack) -> Path:
        for tries in range(1, MAX_TRANSIENT_TRIES):
            try:
                return staged.enter_context(stage_item(item, self._folder.staged_films))
            except Exception as error:
                if not is_transient(error):
                    raise
                time.sleep(RETRY_SECONDS * 2.0**tries)
        return staged.enter_context(stage_item(item, self._folder.staged_films))

    def _scan_key(self, film: _Film) -> str:
        settings = scan_settings(film.config)
        if self._cuts_at_once(film):
            # They tell all shots: a hint needs no other look.
            settings |= {"cuts": True, "size": film.config.render.size}
        elif film.key_frames and not self._wants_cuts(film):
            settings |= {"key_frames": film.key_frames, "size": film.config.render.size}
        if not self._wants_shots(film):
            settings["shots"] = False
        return self._key_of_look(film, settings)

    def _key_of_look(self, film: _Film, settings: Mapping[str, Any]) -> str:
        # The generator has no part in it.
        maker = replace(self._maker, weights_sha256="")
        return item_key(film.item, maker, settings=settings, what="scan")

    def _wants_shots(self, film: _Film) -> bool:
        is_measured = self._most_segments is not None
        return film.config.colored != "recolor" and film.plan.may_be_colored and not is_measured

    def _wants_cuts(self, film: _Film) -> bool:
        return _holds_colors(film.config)

    def _cuts_at_once(self, film: _Film) -> tuple[int, int] | None:
        """The whole film, where its cuts are found by the look that finds its shots."""
        if self._most_segments is not None:
            return (0, min(film.probe.frames, MEASURED_FRAMES)) if self._wants_cuts(film) else None
        is_short = film.probe.frames <= CUT_FRAMES or not film.probe.is_segmentable
        return (0, film.probe.frames) if is_short and self._wants_cuts(film) else None

    def _looks_for_cuts(self, film: _Film) -> Iterator[FilmScan]:
        """Of a long film: many workers share them."""
        if self._cuts_at_once(film) or not self._wants_cuts(film):
            return
        frames = film.probe.frames
        for start in range(0, frames, CUT_FRAMES):
            stop = min(frames, start + CUT_FRAMES)
            settings = {
                **scan_settings(film.config),
                "shots": False,
                "cuts": [start, stop],
                "size": film.config.render.size,
            }
            yield FilmScan(
                self._key_of_look(film, settings),
                film.key,
                film.here,
                film.item.stamp,
                film.probe.window(max(0, start - 2), min(frames, stop + 1)),
                film.config,
                wants_shots=False,
                finished=None,
                cuts=(start, stop),
            )

    def _after_scan(self, film: _Film, key: str, found: ScanDetails) -> list[Planned]:
        """After the look at the film, its cuts are looked for if they are not known; then color."""
        film.cuts += found.cuts
        if key in film.left:
            film.left.discard(key)
            return [] if film.left else self._color(film)
        shots = as_one(found.shots) if film.config.colored == "whole" else found.shots
        if is_wholly_colored(shots):
            leave = film.config.colored == "leave"
            return [FilmCopy(film.key, film.here, film.item.stamp, film.plan.copy, leave=leave)]
        says_much = any(shot.is_colored or shot.tone or shot.marks for shot in shots)
        film.shots = shots if says_much else ()
        film.key_shots = found.key_shots
        looks = []
        for look in self._looks_for_cuts(film):
            if (known := self._scanned(look.key)) is None:
                looks.append(look)
            else:
                film.cuts += known.cuts
        film.left = {look.key for look in looks}
        return list(looks) or self._color(film)

    def _color(self, film: _Film) -> list[Planned]:
        """The segments that are still to be made, or else the join."""
        key_shots, cuts = film.key_shots, tuple(sorted(film.cuts))
        if self._wants_cuts(film):
            key_shots = shots_around(film.key_frames, cuts, film.probe.frames)
        film.known = shots_with(film.hints, film.key_frames, key_shots, film.probe.frames)
        if _holds_colors(film.config):
            from colorize_core.media.film.anchor_frames import anchor_shots

            film.anchors = anchor_shots(film.probe, cuts)
        segments = list(self._segments(film))
        film.segments = tuple(segment.key for segment in segments)
        # A pending film needs all its segments, also one that failed before.
        pending = [self._recorded(film, s) for s in segments if self._is_pending(s.key)]
        film.left = {segment.key for segment in pending}
        if self._most_segments is not None:
            aside = max(0, len(pending) - self._most_segments) // 2
            pending = pending[aside : aside + self._most_segments]
        return list(pending) or [self._join(film)]

    def _recorded(self, film: _Film, segment: VideoSegment) -> VideoSegment:
        """With what a run made of it, where its film was finished before colors of it were said.

        A film that is done again although it is finished is made anew, but for another sound.
        """
        is_open = film.finished is not None or self._is_pending(film.key)
        known = self._manifest.get(segment.key) if is_open else None
        return segment if known is None or not known.sha256 else replace(segment, recorded=known)

    def _segments(self, film: _Film) -> Iterator[VideoSegment]:
        from colorize_core.media.film.segments import plan_segments

        work = FilmWork(
            film_key=film.key,
            item=film.here,
            probe=film.probe,
            plan=film.plan,
            config=film.config,
            hints=film.hints,
            known=film.known,
            shots=film.shots,
            anchors=film.anchors,
        )
        ranges = plan_segments(film.probe, film.config.video.segment_frames)
        for index, (start, stop) in enumerate(ranges):
            key = item_key(
                film.item,
                self._maker,
                settings=_segment_settings(work, start, stop),
                what=f"segment {start} {stop}",
            )
            yield work.segment(key, index, start, stop, f"{film.folder}/{index:05d}.nut")

    def _join(self, film: _Film) -> Join:
        reports = (self._manifest.get(key) for key in film.segments)
        return Join(
            film.key,
            film.here,
            film.item.stamp,
            film.probe,
            film.shots,
            film.plan,
            tuple(report for report in reports if report is not None),
            film.plan.output,
            film.config,
            film.problems,
        )

    def _close(self, film: _Film, report: ItemReport) -> list[Planned]:
        del self._films[film.key]
        film.staged.close()
        if report.status != "failed" and not film.hints:
            # Only now, after the film's own line is on the disk. Who has said colors of a film may
            # change them: then the other segments are still there.
            self._storage.drop_segments(film.key)
        return self._next_staged() if is_remote(film.item) else []


def _segment_settings(work: FilmWork, start: int, stop: int) -> Mapping[str, Any]:
    """The settings of a segment with what is known of it alone."""
    settings: Mapping[str, Any] = film_settings(work.config)
    if work.anchors_in(start, stop):
        # The setting is left out at its default, and segments without anchors may be there already.
        settings = {**settings, "anchors": True}
    found: dict[str, Any] = {}
    if known := work.known_in(start, stop):
        found["shots"] = [shot.key_tree() for shot in known]
    if work.hints.keep_gray:
        found["keep_gray"] = work.hints.keep_gray
    return {**settings, "hints": found} if found else settings


def _holds_colors(config: ColorizeConfig) -> bool:
    return config.temporal.enabled and config.temporal.anchors


def is_remote(item: SourceItem) -> bool:
    """True for members of archives and URLs: a film there is copied before it can be read."""
    return "://" in item.location


def _as_local(item: SourceItem, copy: Path) -> SourceItem:
    """The item as its staged copy, which workers check for changes like any local file."""
    status = copy.stat()
    return replace(
        item, location=str(copy), size=status.st_size, stamp=f"mtime_ns:{status.st_mtime_ns}"
    )


def _input_error(error: Exception) -> InputError:
    """What an error says of the film; what is not about it is raised."""
    if isinstance(error, InputError):
        return error
    if is_transient(error):
        return UnreachableError(
            in_words(error),
            remedy="check the storage, then run with --retry-failed",
        )
    raise error


def _failure(film: _Film, part: ItemReport) -> ItemReport:
    what = "the look at it" if part.kind == "scan" else "a segment"
    return ItemReport.failed(
        ItemId.of_film(film.key, film.item, film.item.stamp),
        reason=f"{what} failed: {part.reason}",
        remedy=part.remedy,
        error=part.error,
    )
