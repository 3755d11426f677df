"""A range of a film as a unit of work, for a run and for the review's preview alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorize_core.archive.records.item_hints import NO_HINTS, ItemHints, ShotHints
from colorize_core.archive.records.work import VideoSegment
from colorize_core.archive.source.item import SourceItem
from colorize_core.config import ColorizeConfig
from colorize_core.media.film.shot import Shot, window_of

if TYPE_CHECKING:
    from colorize_core.media.film.anchor_frames import AnchorShot
    from colorize_core.media.film.film import FilmProbe
    from colorize_core.media.film.plan import FilmPlan


@dataclass(frozen=True)
class FilmWork:
    """What all segments of a film share.

    Attributes:
        film_key: of the film.
        item: as workers read it.
        probe: of the whole film.
        plan: what becomes of it.
        config: its settings.
        hints: what is known of its colors.
        known: the same by shot.
        shots: where some keep the color that they have.
        anchors: key frames of all shots.
    """

    film_key: str
    item: SourceItem
    probe: FilmProbe
    plan: FilmPlan
    config: ColorizeConfig
    hints: ItemHints = NO_HINTS
    known: tuple[ShotHints, ...] = ()
    shots: tuple[Shot, ...] = ()
    anchors: tuple[AnchorShot, ...] = ()

    def known_in(self, start: int, stop: int) -> tuple[ShotHints, ...]:
        """What is known of the shots in [start, stop)."""
        return tuple(s for s in self.known if s.start < stop and start < s.stop)

    def anchors_in(self, start: int, stop: int) -> tuple[AnchorShot, ...]:
        """The key frames that speak for frames [start, stop) and those that steady them."""
        from colorize_core.media.film.anchor_frames import anchors_near, reach_of

        first, last = self._with_halo(start, stop)
        return anchors_near(self.anchors, first, last, reach_of(self.probe))

    def segment(self, key: str, index: int, start: int, stop: int, output: str) -> VideoSegment:
        """Frames [start, stop) as a unit.

        Args:
            key: of the segment.
            index: of the segment in the film.
            start: first frame.
            stop: after the last frame.
            output: relative to OUT.
        """
        known, anchors = self.known_in(start, stop), self.anchors_in(start, stop)
        frames = [frame for shot in anchors for frame in shot.frames]
        first, last = self._with_halo(start, stop)
        return VideoSegment(
            key=key,
            film_key=self.film_key,
            item=self.item,
            probe=self.probe.window(
                min([first, *frames]), max([last, *(frame + 1 for frame in frames)])
            ),
            index=index,
            start=start,
            stop=stop,
            shots=window_of(self.shots, start, stop),
            plan=self.plan,
            output=output,
            config=self.config,
            known=known,
            windows=_windows(self.probe, known),
            keep_gray=self.hints.keep_gray,
            anchors=anchors,
        )

    def _with_halo(self, start: int, stop: int) -> tuple[int, int]:
        from colorize_core.media.film.film import DEINTERLACE_REACH

        halo = self.config.temporal.radius + DEINTERLACE_REACH
        return max(0, start - halo), min(self.probe.frames, stop + halo)


def _windows(probe: FilmProbe, known: Sequence[ShotHints]) -> dict[int, FilmProbe]:
    """What decoding key frames with points needs."""
    keys = (key for shot in known for key in shot.keys if key.points)
    return {key.frame: probe.window(key.frame, key.frame + 1) for key in keys}
