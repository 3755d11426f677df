"""Films one by one, and what each finished unit of theirs unlocks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from colorize_core.archive.records.details import ScanDetails
from colorize_core.archive.records.item_hints import NO_HINTS, ItemHints
from colorize_core.archive.records.keys import Maker
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.work import (
    FilmCopy,
    ItemId,
    ItemReport,
    VideoSegment,
    WorkUnit,
)
from colorize_core.archive.source.item import SourceItem
from colorize_core.archive.storage.storage import Storage
from colorize_core.config import ColorizeConfig
from colorize_core.errors import InputError
from colorize_core.media.film.shot import as_one, is_wholly_colored
from colorize_core.pipeline.film_units import FilmUnits, join_of
from colorize_core.pipeline.open_films import OpenFilm, is_remote, open_film

Planned = WorkUnit | ItemReport


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
        self._units = FilmUnits(maker, is_measured=most_segments is not None)
        self._is_pending = is_pending
        self._finished = finished
        self._films: dict[str, OpenFilm] = {}
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
        return [] if film.left else [join_of(film, self._manifest)]

    def close(self) -> None:
        """Remove what is staged."""
        for film in self._films.values():
            film.staged.close()
        self._films.clear()

    def _next_staged(self) -> list[Planned]:
        return self._begin(*self._staged.popleft()) if self._staged else []

    def _begin(self, key: str, item: SourceItem, config: ColorizeConfig) -> list[Planned]:
        is_measured = self._most_segments is not None
        try:
            film = open_film(
                key,
                item,
                config,
                staging=self._folder.staged_films,
                maker=self._maker,
                hints=NO_HINTS if is_measured else self._hints_for(item.path),
                finished=self._finished.get(key),
            )
        except InputError as error:
            failed = ItemReport.of_error(ItemId.of_film(key, item, item.stamp), error)
            return [failed, *(self._next_staged() if is_remote(item) else [])]
        self._films[key] = film
        look = self._units.look(film)
        # Where only the sound beside the pictures changed, nothing is to be compared.
        if film.finished is None or film.finished.stamp == item.stamp:
            if not (look.wants_shots or look.key_frames or look.cuts):
                return self._after_scan(film, look.key, ScanDetails(key))
            if (known := self._scanned(look.key)) is not None:
                return self._after_scan(film, look.key, known)
        return [look]

    def _scanned(self, key: str) -> ScanDetails | None:
        known = self._manifest.get(key)
        if known is None or known.status != "done" or not isinstance(known.details, ScanDetails):
            return None
        return known.details

    def _after_scan(self, film: OpenFilm, key: str, found: ScanDetails) -> list[Planned]:
        """After the look at the film, its cuts are looked for if they are not known; then color."""
        film.cuts += found.cuts
        if key in film.left:
            film.left.discard(key)
            return [] if film.left else self._color(film)
        shots = as_one(found.shots) if film.config.colored == "whole" else found.shots
        if is_wholly_colored(shots):
            leave = film.config.colored == "leave"
            return [FilmCopy(film.key, film.here, film.item.stamp, film.plan.copy, leave=leave)]
        if (refused := _too_large(film)) is not None:
            return [
                ItemReport.of_error(ItemId.of_film(film.key, film.item, film.item.stamp), refused)
            ]
        says_much = any(shot.is_colored or shot.tone or shot.marks for shot in shots)
        film.shots = shots if says_much else ()
        film.key_shots = found.key_shots
        looks = []
        for look in self._units.looks_for_cuts(film):
            if (known := self._scanned(look.key)) is None:
                looks.append(look)
            else:
                film.cuts += known.cuts
        film.left = {look.key for look in looks}
        return list(looks) or self._color(film)

    def _color(self, film: OpenFilm) -> list[Planned]:
        """The segments that are still to be made, or else the join."""
        segments = list(self._units.segments(film))
        film.segments = tuple(segment.key for segment in segments)
        # A pending film needs all its segments, also one that failed before.
        pending = [self._recorded(film, s) for s in segments if self._is_pending(s.key)]
        film.left = {segment.key for segment in pending}
        if self._most_segments is not None:
            aside = max(0, len(pending) - self._most_segments) // 2
            pending = pending[aside : aside + self._most_segments]
        return list(pending) or [join_of(film, self._manifest)]

    def _recorded(self, film: OpenFilm, segment: VideoSegment) -> VideoSegment:
        """With what a run made of it, where its film was finished before colors of it were said.

        A film that is done again although it is finished is made anew, but for another sound.
        """
        is_open = film.finished is not None or self._is_pending(film.key)
        known = self._manifest.get(segment.key) if is_open else None
        return segment if known is None or not known.sha256 else replace(segment, recorded=known)

    def _close(self, film: OpenFilm, report: ItemReport) -> list[Planned]:
        del self._films[film.key]
        film.staged.close()
        if report.status != "failed" and not film.hints:
            # Only now, after the film's own line is on the disk. Who has said colors of a film may
            # change them: then the other segments are still there.
            self._storage.drop_segments(film.key)
        return self._next_staged() if is_remote(film.item) else []


def _too_large(film: OpenFilm) -> InputError | None:
    # Loaded only when there is a film.
    from colorize_core.media.film.memory_need import require_memory

    try:
        require_memory(film.item.path, film.probe, film.plan.encoding, film.config.video)
    except InputError as error:
        return error
    return None


def _failure(film: OpenFilm, part: ItemReport) -> ItemReport:
    what = "the look at it" if part.kind == "scan" else "a segment"
    return ItemReport.failed(
        ItemId.of_film(film.key, film.item, film.item.stamp),
        reason=f"{what} failed: {part.reason}",
        remedy=part.remedy,
        error=part.error,
    )
