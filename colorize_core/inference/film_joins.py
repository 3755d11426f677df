"""The film, or the folder of pictures, that its segments become."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from colorize_core.archive.records.details import (
    FilmDetails,
    SegmentDetails,
)
from colorize_core.archive.records.output_paths import output_in
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.work import (
    ItemReport,
    Join,
)
from colorize_core.archive.source.contents import (
    modified_ns,
    source_sha256,
    stage_item,
)
from colorize_core.atomic import (
    file_sha256,
    folder_sha256,
)
from colorize_core.errors import VerifyError, is_disk_full
from colorize_core.inference.film_sound import sound_of
from colorize_core.inference.signals import combine
from colorize_core.media.film.counts import Damage
from colorize_core.media.film.shot import (
    colored_frames,
    marked_frames,
    tinted_frames,
)

if TYPE_CHECKING:
    from colorize_core.media.film.film import FilmProbe
    from colorize_core.media.picture.pair import FilmThumbnails

log = logging.getLogger(__name__)


def run_join(unit: Join, out: Path, note: str, *, write_thumbnails: bool = False) -> ItemReport:
    """Make the film (or the folder of frames) of its segments, verify and publish it."""
    started = time.monotonic()
    segments = sorted(
        ((r, r.details) for r in unit.segments if isinstance(r.details, SegmentDetails)),
        key=lambda pair: pair[1].index,
    )
    files = [_segment_file(out, report) for report, _ in segments]
    parts = [details for _, details in segments]
    target = out / unit.output
    whole = _sum_up(unit, parts)
    with stage_item(unit.item, target.parent) as source:
        if unit.plan.has_pictures:
            report = _export(unit, files, target, note, whole)
        else:
            report = _join(unit, source, files, target, note, whole)
            if write_thumbnails:
                cuts = [cut for part in parts for cut in part.cuts]
                report = _with_thumbnails(unit, source, report, out, cuts)
        sha256 = source_sha256(unit.item, source)
        sound = sound_of(unit.item, unit.config)
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    assert isinstance(report.details, FilmDetails)
    said = [report.reason, *whole.damage.reasons(), *notes, *unit.problems]
    reason = "; ".join(filter(None, said))
    seconds = sum(report.seconds for report, _ in segments)
    return replace(
        report,
        status="degraded" if reason else "done",
        reason=reason,
        remedy=_remedy(unit, report, whole.damage),
        seconds=round(time.monotonic() - started + seconds, 3),
        source_sha256=sha256,
        stamp=unit.stamp,
        pieces=unit.item.piece_names,
        details=replace(report.details, sound=sound),
    )


def _segment_file(out: Path, report: ItemReport) -> Path:
    """A segment as it was recorded.

    Raises:
        VerifyError: it is another file by now, and removed so that the next run makes it anew.
        FileNotFoundError: it is gone.
    """
    path = output_in(out, report.output)
    if file_sha256(path) != report.sha256:
        path.unlink()
        raise VerifyError(
            f"{report.output}: not the segment that was recorded",
            remedy="run again with --retry-failed: it is made anew",
        )
    return path


def _remedy(unit: Join, report: ItemReport, damage: Damage) -> str:
    """What can be done about a film that is less than its source, or a source that is damaged."""
    remedies = []
    assert isinstance(report.details, FilmDetails)
    if report.details.lost and unit.plan.has_pictures:
        remedies.append("a film can hold more")
    elif report.details.lost and report.details.container != "mkv":
        remedies.append("--container mkv can hold more")
    if damage.reasons():
        remedies.append("look at these places, and in the source too: a better copy may help")
    return "; ".join(remedies)


def _sum_up(unit: Join, parts: Sequence[SegmentDetails]) -> FilmDetails:
    """What the segments of a film say of it together."""
    damage = Damage()
    stages: Counter[str] = Counter()
    for part in parts:
        damage.add(part.damage)
        stages.update(part.stages)
    width, height = unit.probe.display_size
    return FilmDetails(
        width=width,
        height=height,
        segments=len(parts),
        colored_frames=colored_frames(unit.shots),
        damage=damage,
        stages={name: round(seconds, 3) for name, seconds in stages.items()},
        signals=combine(part.signals for part in parts),
        cuts=tuple(sorted({cut for part in parts for cut in part.cuts})),
        rate=round(float(unit.probe.frame_rate), 3),
    )


def _join(
    unit: Join, source: Path, files: list[Path], target: Path, note: str, whole: FilmDetails
) -> ItemReport:
    from colorize_core.media.film.mux.join import join_segments

    plan, video = unit.plan, unit.config.video
    result = join_segments(
        source,
        unit.probe,
        files,
        target,
        choice=plan.container,
        note=note,
        verify_luma=video.verify_luma,
        deinterlace=plan.is_deinterlaced,
        with_sound=video.sound,
        mtime_ns=modified_ns(unit.item),
    )
    return ItemReport(
        key=unit.key,
        kind="film",
        source=unit.item.path,
        status="done",
        output=unit.output,
        reason="; ".join([*result.damage, *(f"lost: {what}" for what in result.lost)]),
        sha256=file_sha256(target),
        size=target.stat().st_size,
        frames=result.frames,
        details=replace(
            whole,
            luma=result.luma,
            lost=result.lost,
            kept=_kept(unit.probe, plan.container.container),
            notes=(*plan.encoding.notes, *result.notes, *_own_color(unit), *_tints(unit)),
            codec=plan.encoding.codec,
            container=plan.container.container,
        ),
    )


def _own_color(unit: Join) -> tuple[str, ...]:
    colored, marked = colored_frames(unit.shots), marked_frames(unit.shots)
    frames = f"{colored} frames were in color already and keep it"
    marks = f"letters or logos keep their color, in shots of {marked} frames"
    return tuple(said for said, count in ((frames, colored), (marks, marked)) if count)


def _tints(unit: Join) -> tuple[str, ...]:
    frames = tinted_frames(unit.shots)
    if not frames:
        return ()
    if unit.config.video.tints == "keep":
        return (f"the tint of {frames} frames is laid over the computed color",)
    return (
        "it is tinted or toned, which computed color replaces: --set video.tints=keep lays its "
        "tint over that",
    )


def _kept(probe: FilmProbe, container: str) -> tuple[str, ...]:
    from colorize_core.media.film.container_choice import is_kept

    kinds = Counter(
        stream.kind
        for stream in probe.streams
        if stream.index != probe.video_index
        and not stream.is_redundant
        and is_kept(stream, container)
    )
    return tuple(f"{count} {kind} stream{'s' * (count > 1)}" for kind, count in kinds.items())


def _with_thumbnails(
    unit: Join, source: Path, report: ItemReport, out: Path, cuts: list[int]
) -> ItemReport:
    """Add a strip of the film's shots and a preview clip for the run's page."""
    assert isinstance(report.details, FilmDetails)
    try:
        thumbnails = _write_thumbnails(unit, source, out, cuts)
    except Exception as error:
        if is_disk_full(error):
            raise
        # The film is whole and published: it must not fail for a picture of it.
        note = f"no pictures of it on the run's page: {type(error).__name__}: {error}"
        log.warning("%s: %s", unit.item.path, note, exc_info=error)
        notes = (*report.details.notes, note)
        return replace(report, details=replace(report.details, notes=notes))
    return replace(report, details=replace(report.details, thumbnails=thumbnails))


def _write_thumbnails(
    unit: Join, source: Path, out: Path, cuts: list[int]
) -> FilmThumbnails | None:
    from colorize_core.media.film.preview import write_film

    if source.is_dir():  # numbered pictures: there is no film to look into
        return None
    target = out / unit.output
    shots = sorted(float(unit.probe.pts_of(cut) * unit.probe.time_base) for cut in cuts)
    return write_film(source, target, RunFolder(out).thumbs, unit.key, shots=shots)


def _export(
    unit: Join, files: list[Path], target: Path, note: str, whole: FilmDetails
) -> ItemReport:
    from colorize_core.media.film.image_sequence import export_frames

    kind = unit.config.video.frames
    result = export_frames(unit.probe, files, target, note, as_tiff=kind == "tiff")
    lost = [f"lost: {what}" for what in result.lost]
    return ItemReport(
        key=unit.key,
        kind="film",
        source=unit.item.path,
        status="done",
        output=unit.output,
        reason="; ".join([*unit.probe.notes, *lost]),
        sha256=folder_sha256(target),
        size=result.size,
        frames=result.frames,
        details=replace(
            whole, lost=result.lost, notes=(*_own_color(unit), *_tints(unit)), container=kind
        ),
    )
