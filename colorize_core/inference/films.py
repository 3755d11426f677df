"""Film units: a segment in color, the joined film, a copy of a film that already has color."""

from __future__ import annotations

import logging
import shutil
import time
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from colorize_core.archive.records.work import FilmCopy, ItemReport, Join, VideoSegment
from colorize_core.archive.source.contents import stage_item
from colorize_core.atomic import file_sha256, folder_sha256, publish, publish_folder
from colorize_core.errors import is_disk_full
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.signals import combine

if TYPE_CHECKING:
    from colorize_core.media.film.film import FilmProbe
    from colorize_core.media.film.reader import Damage

log = logging.getLogger(__name__)


def blank_report(unit: VideoSegment | Join | FilmCopy) -> ItemReport:
    """The report of a film unit before anything is known."""
    if isinstance(unit, VideoSegment):
        details = {"film": unit.film_key}
        return ItemReport(unit.key, "segment", unit.item.path, "failed", details=details)
    return ItemReport(unit.key, "film", unit.item.path, "failed", frames=0)


def run_segment(unit: VideoSegment, out: Path, colorizer: Colorizer) -> ItemReport:
    """Color a range of a film and publish it as a segment file."""
    from colorize_core.inference.film_segments import colorize_segment

    started = time.monotonic()
    target = out / unit.output
    with stage_item(unit.item, target.parent) as source:
        result = colorize_segment(
            source,
            unit.probe,
            unit.start,
            unit.stop,
            predict_ab=colorizer.predict_ab,
            config=unit.config,
            output=target,
        )
    notes = colorizer.take_notes()
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
        details={
            "film": unit.film_key,
            "index": unit.index,
            "share": result.frames / max(1, unit.probe.frames),
            "damage": asdict(result.damage),
            "notes": notes,
            "stages": result.seconds,
            "signals": result.signals,
            "cuts": list(result.cuts),
        },
    )


def run_join(unit: Join, out: Path, note: str, *, write_thumbnails: bool = False) -> ItemReport:
    """Make the film (or the folder of frames) of its segments, verify and publish it."""
    started = time.monotonic()
    segments = sorted(unit.segments, key=lambda report: report.details["index"])
    files = [out / str(report.output) for report in segments]
    target = out / unit.output
    if unit.config.video.frames == "png":
        report = _export(unit, files, target)
    else:
        report = _join(unit, files, target, note)
        if write_thumbnails:
            report = _with_thumbnails(unit, report, out)
    damage, stages, notes = _sum_up(segments)
    reasons = [report.reason, *damage.reasons(), *notes]
    reason = "; ".join(filter(None, reasons))
    return replace(
        report,
        status="degraded" if reason else "done",
        reason=reason,
        remedy=_remedy(report, damage),
        seconds=round(time.monotonic() - started + sum(r.seconds for r in segments), 3),
        details={
            **report.details,
            "segments": len(segments),
            "damage": asdict(damage),
            "stages": {name: round(seconds, 3) for name, seconds in stages.items()},
            "signals": combine(segment.details["signals"] for segment in segments),
            "width": unit.probe.display_size[0],
            "height": unit.probe.display_size[1],
        },
    )


def _remedy(report: ItemReport, damage: Damage) -> str:
    """What can be done about a film that is less than its source, or a source that is damaged."""
    remedies = []
    container = report.details["container"]
    if report.details["lost"] and container != "mkv":
        is_film = container != "png"
        remedies.append("--container mkv can hold more" if is_film else "a film can hold more")
    if damage.reasons():
        remedies.append("look at these places, and in the source too: a better copy may help")
    return "; ".join(remedies)


def _join(unit: Join, files: list[Path], target: Path, note: str) -> ItemReport:
    from colorize_core.media.film.container_choice import what_container_keeps
    from colorize_core.media.film.encoder_choice import choose_encoding
    from colorize_core.media.film.mux.join import join_segments

    video = unit.config.video
    encoding = choose_encoding(unit.probe, video)
    choice = what_container_keeps(unit.probe, video.container, encoding.codec)
    with stage_item(unit.item, target.parent) as source:
        result = join_segments(
            source,
            unit.probe,
            files,
            target,
            choice=choice,
            note=note,
            verify_luma=video.verify_luma,
            deinterlace=video.deinterlace == "bwdif" and unit.probe.is_interlaced,
        )
    return replace(
        blank_report(unit),
        output=unit.output,
        reason="; ".join([*result.damage, *(f"lost: {what}" for what in result.lost)]),
        sha256=file_sha256(target),
        size=target.stat().st_size,
        frames=result.frames,
        details={
            "luma": result.luma and {**asdict(result.luma), "words": result.luma.words()},
            "lost": list(result.lost),
            "kept": _kept(unit.probe, choice.container),
            "notes": [*encoding.notes, *result.notes],
            "codec": encoding.codec,
            "container": choice.container,
        },
    )


def _kept(probe: FilmProbe, container: str) -> list[str]:
    from colorize_core.media.film.container_choice import is_kept

    kinds = Counter(
        stream.kind
        for stream in probe.streams
        if stream.index != probe.video_index
        and not stream.is_redundant
        and is_kept(stream, container)
    )
    return [f"{count} {kind} stream{'s' * (count > 1)}" for kind, count in kinds.items()]


def _with_thumbnails(unit: Join, report: ItemReport, out: Path) -> ItemReport:
    """Add a strip of the film's shots and a preview clip for the run's page."""
    from colorize_core.media.film.preview import write_film
    from colorize_core.media.picture.thumbnails import thumbs_folder

    probe = unit.probe
    cuts = [cut for segment in unit.segments for cut in segment.details["cuts"]]
    shots = sorted(float(probe.pts[cut] * probe.time_base) for cut in cuts)
    target = out / unit.output
    try:
        with stage_item(unit.item, target.parent) as source:
            if source.is_dir():  # numbered pictures: there is no film to look into
                return report
            thumbnails = write_film(source, target, thumbs_folder(out), unit.key, shots=shots)
    except Exception as error:
        if is_disk_full(error):
            raise
        # The film is whole and published: it must not fail for a picture of it.
        note = f"no pictures of it on the run's page: {type(error).__name__}: {error}"
        log.warning("%s: %s", unit.item.path, note, exc_info=error)
        notes = [*report.details["notes"], note]
        return replace(report, details={**report.details, "notes": notes})
    return replace(report, details={**report.details, "thumbnails": thumbnails})


def _export(unit: Join, files: list[Path], target: Path) -> ItemReport:
    from colorize_core.media.film.image_sequence import export_frames

    result = export_frames(unit.probe, files, target)
    lost = [f"lost: {what}" for what in result.lost]
    return replace(
        blank_report(unit),
        output=unit.output,
        reason="; ".join([*unit.probe.notes, *lost]),
        sha256=folder_sha256(target),
        size=result.size,
        frames=result.frames,
        details={"lost": list(result.lost), "container": "png"},
    )


def _sum_up(segments: list[ItemReport]) -> tuple[Damage, Counter[str], list[str]]:
    """Damage, seconds by stage and fallbacks of all segments."""
    from colorize_core.media.film.reader import Damage

    damage = Damage()
    stages: Counter[str] = Counter()
    notes: dict[str, None] = {}
    for report in segments:
        damage.add(Damage(**report.details["damage"]))
        stages.update(report.details["stages"])
        notes.update(dict.fromkeys(report.details["notes"]))
    return damage, stages, list(notes)


def run_copy(unit: FilmCopy, out: Path) -> ItemReport:
    """Copy a film that already has color byte for byte, or leave it out.

    Raises:
        ChangedError, MissingError, InputError: see `stage_item`; nothing is published.
    """
    started = time.monotonic()
    blank = blank_report(unit)
    if unit.leave:
        return ItemReport(
            unit.key, "film", unit.item.path, "skipped", reason="already in color: left out"
        )
    target = out / unit.output
    is_folder = Path(unit.item.location).is_dir()
    # Whether the source has changed is known when staging ends: only then publish.
    with (
        (publish_folder if is_folder else publish)(target) as copy,
        stage_item(unit.item, target.parent) as source,
    ):
        if is_folder:
            # Folders in it are items of their own.
            for file in filter(Path.is_file, source.iterdir()):
                shutil.copyfile(file, copy / file.name)
        else:
            shutil.copyfile(source, copy)
    return ItemReport(
        key=blank.key,
        kind="film",
        source=blank.source,
        status="skipped",
        output=unit.output,
        reason="already in color: copied",
        sha256=folder_sha256(target) if is_folder else file_sha256(target),
        size=unit.item.size if is_folder else target.stat().st_size,
        seconds=round(time.monotonic() - started, 3),
    )
