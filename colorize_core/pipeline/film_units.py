"""The units of one film and their keys: looks at it and for its cuts, its segments, the join."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from colorize_core.archive.records.item_hints import shots_around, shots_with
from colorize_core.archive.records.keys import Maker, film_settings, item_key, scan_settings
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.segment_units import FilmWork
from colorize_core.archive.records.work import FilmScan, Join, VideoSegment
from colorize_core.config import ColorizeConfig
from colorize_core.pipeline.open_films import OpenFilm

# In which one worker looks for cuts: half a minute of work at 1920 x 1080.
CUT_FRAMES: Final = 3000
MEASURED_FRAMES: Final = 96  # of which a calibration learns what that costs


class FilmUnits:
    """Makes the units of films.

    Args:
        maker: what makes results now.
        is_measured: films are only measured, without a look at their color.
    """

    def __init__(self, maker: Maker, *, is_measured: bool) -> None:
        self._maker = maker
        self._is_measured = is_measured

    def look(self, film: OpenFilm) -> FilmScan:
        """The look at the whole film, whether or not something has to be known of it.

        Where its cuts are found by it, it tells all shots: a hint needs no other look.
        """
        cuts, wants_shots = self._cuts_at_once(film), self._wants_shots(film)
        key_frames = () if wants_cuts(film.config) else film.key_frames
        settings = scan_settings(film.config)
        if cuts:
            settings |= {"cuts": True, "size": film.config.render.size}
        elif key_frames:
            settings |= {"key_frames": key_frames, "size": film.config.render.size}
        if not wants_shots:
            settings["shots"] = False
        return FilmScan(
            self._key_of_look(film, settings),
            film.key,
            film.here,
            film.item.stamp,
            film.probe,
            film.config,
            wants_shots,
            film.finished,
            key_frames,
            cuts,
        )

    def looks_for_cuts(self, film: OpenFilm) -> Iterator[FilmScan]:
        """Of a long film: many workers share them."""
        if self._cuts_at_once(film) or not wants_cuts(film.config):
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

    def segments(self, film: OpenFilm) -> Iterator[VideoSegment]:
        """All of its segments, once its shots and cuts are known."""
        cuts = tuple(sorted(film.cuts))
        key_shots = film.key_shots
        if wants_cuts(film.config):
            from colorize_core.media.film.anchor_frames import anchor_shots

            key_shots = shots_around(film.key_frames, cuts, film.probe.frames)
            film.anchors = anchor_shots(film.probe, cuts)
        film.known = shots_with(film.hints, film.key_frames, key_shots, film.probe.frames)
        yield from self._cut(film)

    def _cut(self, film: OpenFilm) -> Iterator[VideoSegment]:
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

    def _key_of_look(self, film: OpenFilm, settings: Mapping[str, Any]) -> str:
        # The generator has no part in it.
        maker = replace(self._maker, weights_sha256="")
        return item_key(film.item, maker, settings=settings, what="scan")

    def _wants_shots(self, film: OpenFilm) -> bool:
        recolors = film.config.colored == "recolor"
        return film.plan.may_be_colored and not recolors and not self._is_measured

    def _cuts_at_once(self, film: OpenFilm) -> tuple[int, int] | None:
        """The whole film, where its cuts are found by the look that finds its shots."""
        if not wants_cuts(film.config):
            return None
        frames = film.probe.frames
        if self._is_measured:
            return 0, min(frames, MEASURED_FRAMES)
        is_short = frames <= CUT_FRAMES or not film.probe.is_segmentable
        return (0, frames) if is_short else None


def join_of(film: OpenFilm, manifest: Manifest) -> Join:
    """The join of a film whose segments are all there."""
    reports = (manifest.get(key) for key in film.segments)
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


def wants_cuts(config: ColorizeConfig) -> bool:
    """Whether anchors hold a film's colors, shot by shot."""
    return config.temporal.enabled and config.temporal.anchors


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
