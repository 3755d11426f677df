"""`--dry-run`: what a run would do, how long and how much disk, without torch or ray."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from colorize_core.archive.records.details import PhotoDetails
from colorize_core.archive.records.keys import Maker, read_makers
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.work import ItemReport
from colorize_core.archive.source.contents import stage_item
from colorize_core.archive.source.item import SourceItem
from colorize_core.archive.source.kinds import by_suffix
from colorize_core.config import ColorizeConfig
from colorize_core.errors import (
    EXIT_DONE,
    EXIT_SOME_FAILED,
    ColorizeError,
    InputError,
    is_transient,
)
from colorize_core.media.film.shot import as_one, colored_frames, is_wholly_colored
from colorize_core.pipeline.find_items import find_items, rules_fitting_nothing
from colorize_core.pipeline.plan import Planner
from colorize_core.pipeline.precision import as_recorded
from colorize_core.pipeline.progress import format_seconds
from colorize_core.pipeline.run import Job

# Small enough to be quick, large enough that loading the generator does not dominate.
CALIBRATION_UNITS = 3
CALIBRATION_SETTINGS = ("photo.shard_photos=8", "video.segment_frames=48")
CALIBRATION_SECONDS = 600


@dataclass
class _Films:
    """What the films of an archive come to. `frames` and `size` are of those to be colored."""

    count: int = 0
    frames: int = 0
    size: int = 0
    colored: int = 0
    copied_size: int = 0
    problems: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Rates:
    """Measured cost of one worker. `basis` says where from; None where nothing was measured."""

    basis: str
    seconds_per_photo: float | None
    seconds_per_frame: float | None
    bytes_per_frame: float | None
    growth: float  # bytes of photos out per byte in


def dry_run(
    job: Job,
    say: Callable[[str], None],
    *,
    follow_links: bool,
    calibration_command: Sequence[str],
) -> int:
    """Print the plan; nothing is written to OUT.

    Args:
        job: as for a real run.
        say: prints one line.
        follow_links: also count what links lead to.
        calibration_command: the job's command, to which a small OUT and limits are added; it is
            run when no earlier run of this OUT says how fast this machine is.

    Returns:
        0, or 2 when some inputs are already known to fail.
    """
    with tempfile.TemporaryDirectory(prefix="colorize-dry-run-") as scratch:
        found = find_items(
            job.source,
            job.out,
            follow_links=follow_links,
            staging=RunFolder(Path(scratch)).staging,
            config_for=job.config_for,
            as_film=job.config.video.as_film,
            exclude=job.options.exclude,
            include=job.options.include,
            references=job.rules.references(),
        )
        manifest = Manifest(RunFolder(job.out).manifest)
        record, is_new = RunFolder(job.out).precision, not len(manifest)
        config = as_recorded(job.config, record, is_new=is_new)
        planner = Planner(
            found.items,
            manifest,
            out=job.out,
            config_for=partial(job.rules.config_for, base=config),
            hints_for=job.rules.hints_for,
            maker=Maker(job.weights_sha256),
            earlier=read_makers(RunFolder(job.out).makers, RunFolder(job.out).summary),
            options=job.options,
            redo=job.redo,
        )
        pending = planner.pending_items
        films = _look_at_films(job, pending, Path(scratch))
        photos = sum(item.kind == "photo" for item in pending)
        rates = _earlier_rates(manifest)
        if rates is None and (photos or films.frames):
            rates = _calibrate(calibration_command, Path(scratch) / "calibration")
    say(
        f"{job.source}: {len(found.items)} items, {len(found.items) - len(pending)} finished before"
    )
    say(f"to do: {photos} photos, {films.count} films with {films.frames} frames")
    for line in rules_fitting_nothing(found, job.rules, job.redo):
        say(line)
    for suffix, count in by_suffix(found.unread).items():
        say(f"not read: {count} {suffix}")
    for reason, count in found.ignored.items():
        say(f"left out: {count} {reason}")
    for path, error in found.problems:
        say(f"will fail: {path}: {error}")
    if films.colored:
        what = "left out" if job.config.colored == "leave" else "copied"
        say(f"{films.colored} films have color already: {what}")
    for line in (*films.problems, *films.lines):
        say(line)
    if rates is not None:
        _say_time(job, photos, films.frames, rates, say)
        _say_disk(job, pending, films, rates, say)
    return EXIT_SOME_FAILED if found.problems or films.problems else EXIT_DONE


def _look_at_films(job: Job, pending: Sequence[SourceItem], scratch: Path) -> _Films:
    films = _Films()
    for item in (item for item in pending if item.kind == "film"):
        films.count += 1
        try:
            with stage_item(item, scratch) as local:
                _look_at_film(item, local, job.config_for(item.path), films)
        except InputError as error:
            films.problems.append(f"will fail: {item.path}: {error}")
        except Exception as error:
            if not is_transient(error):
                raise
            films.problems.append(f"cannot be read now: {item.path}: {error}")
    return films


def _look_at_film(item: SourceItem, local: Path, config: ColorizeConfig, films: _Films) -> None:
    # av is loaded only when there is a film.
    from colorize_core.media.film.plan import plan_film
    from colorize_core.media.film.probe import probe_film
    from colorize_core.media.film.scan import scan_film

    video = config.video
    probe = probe_film(
        local, max_pixels=video.max_pixels, max_frames=video.max_frames, fps=video.fps
    )
    plan = plan_film(item.path, probe, video, is_folder=local.is_dir())
    kept = 0
    if config.colored != "recolor" and plan.may_be_colored:
        shots = scan_film(local, probe, cut_threshold=config.temporal.cut_threshold)
        shots = as_one(shots) if config.colored == "whole" else shots
        if is_wholly_colored(shots):
            films.colored += 1
            films.copied_size += item.size if config.colored != "leave" else 0
            return
        kept = colored_frames(shots)
    films.frames += probe.frames
    films.size += item.size
    notes = (*plan.notes, *([f"{kept} frames are in color and keep it"] if kept else []))
    for word, texts in (("damaged", probe.notes), ("will be lost", plan.lost), ("note", notes)):
        films.lines += [f"{word}: {item.path}: {text}" for text in texts]


def _earlier_rates(manifest: Manifest) -> Rates | None:
    if not len(manifest):
        return None
    rates = _rates(list(_finished(manifest)), "the earlier run of this OUT")
    return rates if rates.seconds_per_photo or rates.seconds_per_frame else None


def _finished(manifest: Manifest) -> list[ItemReport]:
    return [r for r in manifest.reports() if r.status in ("done", "degraded") and r.seconds > 0]


def _rates(reports: Sequence[ItemReport], basis: str) -> Rates:
    photos = [r for r in reports if r.kind == "photo"]
    segments = [r for r in reports if r.kind == "segment"]
    frames = sum(r.frames for r in segments)
    details = (r.details for r in photos)
    growths = [d.growth for d in details if isinstance(d, PhotoDetails) and d.growth]
    return Rates(
        basis,
        sum(r.seconds for r in photos) / len(photos) if photos else None,
        sum(r.seconds for r in segments) / frames if frames else None,
        sum(r.size for r in segments) / frames if frames else None,
        sum(growths) / len(growths) if growths else 1.5,
    )


def _calibrate(command: Sequence[str], out: Path) -> Rates | None:
    limits = ["--units", str(CALIBRATION_UNITS), "--runner", "serial", "--no-report"]
    settings = [part for setting in CALIBRATION_SETTINGS for part in ("--set", setting)]
    try:
        done = subprocess.run(
            [sys.executable, "-m", command[0], "--out", str(out), *limits, *settings, *command[1:]],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=CALIBRATION_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ColorizeError(
            f"calibration took more than {CALIBRATION_SECONDS} s", remedy="use a smaller SRC"
        ) from error
    manifest = Manifest(RunFolder(out).manifest)
    if done.returncode == 1:
        raise ColorizeError(done.stderr.decode(errors="replace").strip().splitlines()[-1])
    reports = _finished(manifest)
    return _rates(reports, f"a calibration with {CALIBRATION_UNITS} units") if reports else None


def _say_time(job: Job, photos: int, frames: int, rates: Rates, say: Callable[[str], None]) -> None:
    workers = job.options.workers or (os.cpu_count() or 1)
    seconds = photos * (rates.seconds_per_photo or 0) + frames * (rates.seconds_per_frame or 0)
    unknown = []
    if photos and rates.seconds_per_photo is None:
        unknown.append("photos")
    if frames and rates.seconds_per_frame is None:
        unknown.append("films")
    time = f"time: about {format_seconds(seconds / workers)} with {workers} workers"
    missing = f"; {' and '.join(unknown)} not measured" if unknown else ""
    say(f"{time}, from {rates.basis}{missing}")


def _say_disk(
    job: Job,
    pending: Sequence[SourceItem],
    films: _Films,
    rates: Rates,
    say: Callable[[str], None],
) -> None:
    photos = sum(item.size for item in pending if item.kind == "photo")
    per_frame = rates.bytes_per_frame
    made = films.size * rates.growth if per_frame is None else films.frames * per_frame
    kept = photos * rates.growth + films.copied_size + made
    source = sum(item.size for item in pending)
    # A film is there twice for a moment: as segments and as the joined file.
    more = f", {_mib(made)} more while films are joined" if films.frames else ""
    say(f"disk: about {_mib(kept)} in {job.out}{more}; source {_mib(source)}")


def _mib(size: float) -> str:
    return f"{size / 2**20:.{1 if size < 10 * 2**20 else 0}f} MiB"
