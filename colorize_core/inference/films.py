"""Film units that make pictures: a segment in color, a copy of a film that has color."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from colorize_core.archive.records.details import (
    SegmentDetails,
)
from colorize_core.archive.records.in_hand import InHandFile
from colorize_core.archive.records.output_paths import output_in
from colorize_core.archive.records.work import (
    FilmCopy,
    ItemReport,
    VideoSegment,
)
from colorize_core.archive.source.contents import (
    modified_ns,
    source_sha256,
    stage_item,
)
from colorize_core.atomic import (
    content_sha256,
    file_sha256,
    publish,
    publish_folder,
    set_date,
)
from colorize_core.inference.colorizer import Colorizer

if TYPE_CHECKING:
    from torch import Tensor

    from colorize_core.inference.anchors import Anchors
    from colorize_core.inference.propagation import ShotColors


def run_segment(
    unit: VideoSegment, out: Path, colorizer: Colorizer, in_hand: InHandFile
) -> ItemReport:
    """Color a range of a film and publish it as a segment file."""
    from colorize_core.inference.film_segments import colorize_segment

    if (found := _found_again(unit, out)) is not None:
        return found
    started = time.monotonic()
    target = out / unit.output
    with stage_item(unit.item, target.parent) as source:
        colors = _known_colors(unit, source, colorizer) if unit.known else None
        result = colorize_segment(
            source,
            unit.probe,
            unit.start,
            unit.stop,
            predict_ab=partial(colorizer.predict_ab, look=unit.config.render.look),
            config=unit.config,
            plan=unit.plan,
            shots=unit.shots,
            colors=colors,
            anchors=_anchors(unit, source, colorizer),
            keep_gray=unit.keep_gray,
            output=target,
            on_frame=lambda: in_hand.finish_frame(unit.item.path, unit.probe.frames),
        )
    notes = [*colorizer.take_notes(), *(colors.problems if colors is not None else [])]
    reasons = [*result.damage.reasons(), *notes]
    return ItemReport(
        key=unit.key,
        kind="segment",
        source=unit.item.path,
        status="degraded" if reasons else "done",
        output=unit.output,
        reason="; ".join(reasons),
        sha256=file_sha256(target),
        size=target.stat().st_size,
        seconds=round(time.monotonic() - started, 3),
        frames=result.frames,
        details=SegmentDetails(
            film=unit.film_key,
            index=unit.index,
            share=result.frames / max(1, unit.probe.frames),
            damage=result.damage,
            notes=tuple(notes),
            stages=result.seconds,
            signals=result.signals,
            cuts=result.cuts,
        ),
    )


def _found_again(unit: VideoSegment, out: Path) -> ItemReport | None:
    """The segment as the finished film still holds it, if it is there to the byte."""
    recorded = unit.recorded
    if recorded is None or not isinstance(recorded.details, SegmentDetails):
        return None
    from colorize_core.media.film.mux.cut import cut_segment

    is_there = cut_segment(
        output_in(out, unit.plan.output),
        unit.probe,
        unit.start,
        unit.stop,
        encoding=unit.plan.encoding,
        sha256=recorded.sha256,
        output=out / unit.output,
    )
    details = replace(recorded.details, film=unit.film_key)
    return replace(recorded, output=unit.output, details=details) if is_there else None


def _known_colors(unit: VideoSegment, source: Path, colorizer: Colorizer) -> ShotColors:
    from colorize_core.inference.film_view import FilmView
    from colorize_core.inference.propagation import ShotColors

    view = FilmView.of(unit.probe, unit.config.render.size)
    return ShotColors(
        source,
        unit.probe,
        unit.windows,
        unit.known,
        colorizer,
        max_pixels=unit.config.photo.max_pixels,
        look=unit.config.render.look,
        box=view.box,
        L=view.light,
    )


def _anchors(unit: VideoSegment, source: Path, colorizer: Colorizer) -> Anchors | None:
    """What holds the colors of a segment; None where nothing does, as with a generator in ONNX."""
    if not unit.anchors or not colorizer.can_recognize:
        return None
    from colorize_core.inference.anchors import Anchors
    from colorize_core.inference.film_view import FilmView
    from colorize_core.media.film.anchor_frames import AnchorReader, reach_of

    view = FilmView.of(unit.probe, unit.config.render.size)

    reader = AnchorReader(source, unit.probe)

    def look(frames: Sequence[int]) -> dict[int, Tensor]:
        pictures = reader.read(frames)
        return {p.index: view.box.to_working(view.light(p.frame)) for p in pictures}

    predict = partial(colorizer.predict_and_recognize, look=unit.config.render.look)
    return Anchors(unit.anchors, look, predict, reach=reach_of(unit.probe))


def run_copy(unit: FilmCopy, out: Path) -> ItemReport:
    """Copy a film that already has color byte for byte, or leave it out.

    Raises:
        ChangedError, MissingError, InputError: see `stage_item`; nothing is published.
    """
    started = time.monotonic()
    if unit.leave:
        reason = "already in color: left out"
        return ItemReport(
            unit.key,
            "film",
            unit.item.path,
            "skipped",
            reason=reason,
            stamp=unit.stamp,
            pieces=unit.item.piece_names,
        )
    target = out / unit.output
    is_folder = bool(unit.item.pieces) or Path(unit.item.location).is_dir()
    # Whether the source has changed is known when staging ends: only then publish.
    with (
        (publish_folder if is_folder else publish)(target) as copy,
        stage_item(unit.item, target.parent) as source,
    ):
        if is_folder:
            # Folders in a folder are items of their own.
            files = map(Path, unit.item.files) if unit.item.pieces else source.iterdir()
            for file in filter(Path.is_file, files):
                shutil.copyfile(file, copy / file.name)
        else:
            shutil.copyfile(source, copy)
            set_date(copy, modified_ns(unit.item))
        original = source_sha256(unit.item, source) if unit.item.pieces else None
    sha256 = content_sha256(target)
    return ItemReport(
        key=unit.key,
        kind="film",
        source=unit.item.path,
        status="skipped",
        output=unit.output,
        reason="already in color: copied",
        sha256=sha256,
        size=unit.item.size if is_folder else target.stat().st_size,
        seconds=round(time.monotonic() - started, 3),
        source_sha256=original or sha256,
        stamp=unit.stamp,
        pieces=unit.item.piece_names,
    )
