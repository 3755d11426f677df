"""Film units: a scan, a segment in color, the joined film, a copy of a film that has color."""

from __future__ import annotations

import logging
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from colorize_core.archive.records.details import (
    FilmDetails,
    ScanDetails,
    SegmentDetails,
    SoundFile,
)
from colorize_core.archive.records.in_hand import InHandFile
from colorize_core.archive.records.output_paths import output_in
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.work import (
    FilmCopy,
    FilmScan,
    ItemReport,
    Join,
    VideoSegment,
)
from colorize_core.archive.source.contents import (
    modified_ns,
    sound_sha256,
    source_sha256,
    stage_item,
)
from colorize_core.archive.source.item import SourceItem
from colorize_core.atomic import (
    content_sha256,
    file_sha256,
    folder_sha256,
    publish,
    publish_folder,
    set_date,
)
from colorize_core.config import ColorizeConfig
from colorize_core.errors import VerifyError, is_disk_full
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.signals import combine
from colorize_core.media.film.counts import Damage
from colorize_core.media.film.shot import (
    Shot,
    colored_frames,
    is_wholly_colored,
    marked_frames,
    tinted_frames,
)

if TYPE_CHECKING:
    from torch import Tensor

    from colorize_core.inference.anchors import Anchors
    from colorize_core.inference.propagation import ShotColors
    from colorize_core.media.film.film import FilmProbe
    from colorize_core.media.picture.pair import FilmThumbnails

log = logging.getLogger(__name__)


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
    found, details = _sound_of(unit.item, unit.config), finished.details
    if not isinstance(details, FilmDetails):
        return replace(finished, stamp=unit.stamp)
    is_same = (found and found.sha256) == (details.sound and details.sound.sha256)
    sounding = replace(details, sound=found)
    return replace(finished, stamp=unit.stamp, details=sounding) if is_same else None


def _sound_of(item: SourceItem, config: ColorizeConfig) -> SoundFile | None:
    if not (config.video.sound and item.sound):
        return None
    path = PurePosixPath(item.path).with_name(Path(item.sound).name)
    return SoundFile(str(path), item.sound_stamp, sound_sha256(item))


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
    from colorize_core.inference.film_segments import FilmView
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
    from colorize_core.inference.film_segments import FilmView
    from colorize_core.media.film.anchor_frames import AnchorReader, reach_of

    view = FilmView.of(unit.probe, unit.config.render.size)

    reader = AnchorReader(source, unit.probe)

    def look(frames: Sequence[int]) -> dict[int, Tensor]:
        pictures = reader.read(frames)
        return {p.index: view.box.to_working(view.light(p.frame)) for p in pictures}

    predict = partial(colorizer.predict_and_recognize, look=unit.config.render.look)
    return Anchors(unit.anchors, look, predict, reach=reach_of(unit.probe))


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
        sound = _sound_of(unit.item, unit.config)
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
