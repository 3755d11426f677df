"""One segment of a film, from decoding to the published file."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorize_core.atomic import publish
from colorize_core.color.own_color import toned
from colorize_core.config import ColorizeConfig
from colorize_core.config.hints import Polygon
from colorize_core.inference.anchors import Anchors
from colorize_core.inference.areas import area_share
from colorize_core.inference.film_chroma import FilmChroma
from colorize_core.inference.film_view import FilmView
from colorize_core.inference.marks import marks_of
from colorize_core.inference.prefetch import Prefetcher
from colorize_core.inference.propagation import ShotColors
from colorize_core.inference.segment_source import SeenFrame, SegmentSource
from colorize_core.inference.signals import FilmSignals
from colorize_core.inference.stage_clock import StageClock
from colorize_core.inference.temporal import stabilize
from colorize_core.media.film.counts import Damage
from colorize_core.media.film.encoder import SegmentEncoder
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.memory_need import keeps_frames
from colorize_core.media.film.plan import FilmPlan
from colorize_core.media.film.planes import Plane, own_chroma, plane, with_chroma
from colorize_core.media.film.reader import Frame
from colorize_core.media.film.shot import Shot
from colorize_core.media.motion.shots import CutFinder

Predict = Callable[..., Tensor]

# Frames in the making or waiting between two stages.
_DEPTH = 3
_STAGES = 5


@dataclass(frozen=True)
class SegmentResult:
    """What was published for a segment.

    Attributes:
        frames: written.
        damage: of the source inside the segment, counted.
        seconds: processor time by stage: decode, infer, flow, again (decoding where frames are too
            large to be kept), chroma, encode.
        signals: of the quality gate, see inference.signals.
        cuts: frames at which a new shot begins.
    """

    frames: int
    damage: Damage
    seconds: dict[str, float]
    signals: dict[str, float]
    cuts: tuple[int, ...]


def colorize_segment(
    path: Path,
    probe: FilmProbe,
    start: int,
    stop: int,
    *,
    predict_ab: Predict,
    config: ColorizeConfig,
    plan: FilmPlan,
    shots: Sequence[Shot] = (),
    colors: ShotColors | None = None,
    anchors: Anchors | None = None,
    keep_gray: Sequence[Polygon] = (),
    output: Path,
    on_frame: Callable[[], None] = lambda: None,
) -> SegmentResult:
    """Color frames [start, stop) of a film and publish them as a segment file.

    Args:
        path: the film.
        probe: of the film, or its window around the range.
        start: first frame.
        stop: after the last frame.
        predict_ab: L [B,1,h,w], 0..100, to ab [B,2,h,w]; h and w are multiples of 32. With colors
            it is also given what they carry, as `carried`.
        config: its render and temporal settings are used.
        plan: what becomes of the film.
        shots: those of the range, where some keep the color that they have.
        colors: what is known of frames of the range.
        anchors: what its shots agree on; what is known of a frame goes before.
        keep_gray: areas of the upright picture without color.
        output: of the segment.
        on_frame: called after each frame.

    Raises:
        UndecodableError: no frame in or near the range decodes.
        UnsupportedError: no encoder takes the film.
        OutOfSpaceError: the disk is full.
    """
    segment = _Segment(path, probe, start, stop, predict_ab, config, plan, shots)
    segment.colors, segment.anchors = colors, anchors
    if keep_gray:
        segment.tinted = 1 - segment.view.box.to_stored(
            area_share(keep_gray, segment.view.box.height, segment.view.box.width)
        )
    with (
        publish(output) as temporary,
        SegmentEncoder(temporary, probe, plan.encoding, start) as encoder,
        Prefetcher(segment.frames(), segment.depth, "chroma") as frames,
    ):
        for frame in frames:
            with segment.clock("encode"):
                encoder.write(frame)
            on_frame()
        with segment.clock("encode"):
            encoder.flush()
    return SegmentResult(
        frames=stop - start,
        damage=segment.source.damage,
        seconds={name: round(value, 4) for name, value in segment.clock.seconds.items()},
        signals={name: round(value, 3) for name, value in segment.signals.result().items()},
        cuts=tuple(segment.cuts),
    )


_Colored = tuple[SeenFrame, Tensor]  # with ab [1,2,h,w]


class _Segment:
    """The stages of one segment, each an iterator over the one before."""

    def __init__(
        self,
        path: Path,
        probe: FilmProbe,
        start: int,
        stop: int,
        predict_ab: Predict,
        config: ColorizeConfig,
        plan: FilmPlan,
        shots: Sequence[Shot],
    ) -> None:
        self.probe, self.predict_ab = probe, predict_ab
        self.config, self.plan = config, plan
        self.own_color = frozenset(
            number for s in shots if s.is_colored for number in range(s.start, s.stop)
        )
        keeps_tints = config.video.tints == "keep"
        self.tints = {
            number: torch.tensor(s.tone).reshape(-1, 2)
            for s in shots
            if s.tone and keeps_tints and not s.is_colored
            for number in range(s.start, s.stop)
        }
        self.view = FilmView.of(probe, config.render.size)
        self.spec, self.box = self.view.spec, self.view.box
        wide, high = plan.encoding.planar.chroma_size(probe.width, probe.height)
        self.marks = marks_of(shots, (high, wide), self.spec)
        self.chroma = FilmChroma(
            self.spec,
            (high, wide),
            self.box.stored_size,
            config.render.upsample,
            is_woven=probe.is_interlaced and not plan.is_deinterlaced,
        )
        self.colors: ShotColors | None = None
        self.anchors: Anchors | None = None
        self.tinted: Tensor | None = None
        self.clock = StageClock()
        self.signals = FilmSignals()
        self.cuts: list[int] = []
        halo = config.temporal.radius if config.temporal.enabled else 0
        self.keeps = keeps_frames(probe, _STAGES * _DEPTH + config.render.batch_size + halo)
        self.depth = _DEPTH if self.keeps else 1  # of whole frames
        self.source = SegmentSource(
            path,
            probe,
            start,
            stop,
            halo=halo,
            view=self.view,
            clock=self.clock,
            keeps=self.keeps,
            deinterlace=plan.is_deinterlaced,
            keep_source=bool(self.own_color or self.marks),
        )
        self._finder = CutFinder(config.temporal.cut_threshold)

    def frames(self) -> Iterator[Any]:
        """Frames to encode: the source's Y' with computed chroma."""
        again = iter(()) if self.keeps else self.source.again()
        with Prefetcher(self._steadied(), _DEPTH, "flow") as steadied:
            for frame, ab in steadied:
                if not self.source.is_inside(frame.index):
                    self._finder.begins_shot(_array(frame.L))  # one may begin right at the border
                    continue
                picture = frame.picture or next(again)
                with self.clock("chroma"):
                    self._judge(frame, ab)
                    composed = self._compose(frame, picture, ab)
                yield composed

    def _steadied(self) -> Iterator[_Colored]:
        """Steady the colors over time; frames wait here until their later neighbors are known."""
        with Prefetcher(self._colored(), _DEPTH, "infer") as colored:
            if not self.config.temporal.enabled:
                yield from colored
                return
            waiting: deque[SeenFrame] = deque()
            steady = stabilize(_arrays(colored, waiting), self.config.temporal)
            while True:
                with self.clock("flow"):
                    ab = next(steady, None)
                if ab is None:
                    return
                yield waiting.popleft(), torch.from_numpy(ab)[None]

    def _colored(self) -> Iterator[_Colored]:
        with Prefetcher(self.source.seen(), _DEPTH, "decode") as seen:
            yield from self._infer(seen)

    def _infer(self, seen: Iterable[SeenFrame]) -> Iterator[_Colored]:
        strength = self.config.render.strength
        for batch in _batches(seen, self.config.render.batch_size):
            with self.clock("infer"):
                shown = [self.box.to_working(frame.L) for frame in batch]
                parts = self._predict(batch, shown)
                colored = [self.box.from_working(part) * strength for part in parts]
            yield from zip(batch, colored, strict=True)

    def _predict(self, batch: Sequence[SeenFrame], shown: Sequence[Tensor]) -> Sequence[Tensor]:
        pairs = zip(batch, shown, strict=True)
        colors = self.colors
        known = [colors.planes(frame.index, L) if colors else None for frame, L in pairs]
        L, count = torch.cat(list(shown)), len(batch)
        carried = {} if all(k is None for k in known) else {"carried": _laid_out(known, shown)}
        if self.anchors is None:
            return self.predict_ab(L, **carried).chunk(count)
        said = self.anchors.predict(L, **carried).chunk(count)
        numbers = (frame.index for frame in batch)
        return list(map(self.anchors.hold, numbers, shown, said, known))

    def _judge(self, frame: SeenFrame, ab: Tensor) -> None:
        is_cut = self._finder.begins_shot(_array(frame.L))
        if is_cut:
            self.cuts.append(frame.index)
        if frame.index not in self.own_color:
            self.signals.add(frame.L, ab, cut=is_cut)

    def _compose(self, frame: SeenFrame, picture: Frame, ab: Tensor) -> Any:
        target = self.plan.encoding.planar
        if frame.index in self.own_color:
            own = self._own_chroma(picture)
            return with_chroma(picture.frame, target, *own, is_shared=picture.is_held)
        ab = ab if self.tinted is None else ab * self.tinted
        if frame.index in self.tints:
            ab = ab + toned(self.tints[frame.index], frame.L)
        luma, cb, cr = self.chroma.planes(plane(picture.frame, 0), frame.L, ab)
        if frame.index in self.marks:
            own = self._own_chroma(picture)
            cb, cr = self.marks[frame.index].keep(luma, own, (cb, cr))
        return with_chroma(picture.frame, target, cb, cr, is_shared=picture.is_held)

    def _own_chroma(self, picture: Frame) -> tuple[Plane, Plane]:
        assert picture.source is not None
        matrix = self.probe.output_color.matrix
        return own_chroma(picture.source, self.probe.working, self.plan.encoding.planar, matrix)


def _laid_out(known: Sequence[Tensor | None], shown: Sequence[Tensor]) -> Tensor:
    """What is known of frames, with nothing where it is None."""
    blank = torch.zeros(1, 3, *shown[0].shape[-2:]).expand(len(shown[0]), -1, -1, -1)
    return torch.cat([blank if planes is None else planes for planes in known])


def _arrays(
    colored: Iterable[_Colored], waiting: deque[SeenFrame]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    for frame, ab in colored:
        waiting.append(frame)
        yield _array(frame.L), ab[0].contiguous().numpy()


def _array(L: Tensor) -> NDArray[np.float32]:
    """[1,1,h,w] to [h,w]."""
    return L[0, 0].contiguous().numpy()


def _batches(frames: Iterable[SeenFrame], size: int) -> Iterator[list[SeenFrame]]:
    iterator = iter(frames)
    while batch := list(islice(iterator, size)):
        yield batch
