"""`--dry-run`: what a run would do, how long, how much disk and money, without torch or ray."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.source.item import Scan, SourceItem
from colorize_core.archive.source.kinds import by_suffix
from colorize_core.errors import EXIT_DONE, EXIT_SOME_FAILED
from colorize_core.pipeline.estimate.calibration import calibrate, calibration_plan
from colorize_core.pipeline.estimate.films import Films, look_at_films
from colorize_core.pipeline.estimate.rates import Rates, earlier_rates
from colorize_core.pipeline.estimate.times import Times, times_of
from colorize_core.pipeline.find_items import rules_fitting_nothing
from colorize_core.pipeline.job import Job
from colorize_core.pipeline.precision import as_recorded
from colorize_core.pipeline.progress import format_seconds


def dry_run(
    job: Job,
    say: Callable[[str], None],
    *,
    calibration_command: Sequence[str],
    price_per_hour: float | None = None,
    write_json: Callable[[str], None] | None = None,
) -> int:
    """Print the plan; nothing is written to OUT.

    Args:
        job: as for a real run.
        say: prints one line.
        calibration_command: the job's command, to which a small OUT and limits are added; it is
            run when no earlier run of this OUT says how fast this machine is.
        price_per_hour: of all machines together, in any currency.
        write_json: gets one JSON object, instead of the lines.

    Returns:
        0, or 2 when some inputs are already known to fail.
    """
    with tempfile.TemporaryDirectory(prefix="colorize-dry-run-") as scratch:
        found = job.find(RunFolder(Path(scratch)).staging)
        job.storage.open_records()
        manifest = Manifest(RunFolder(job.out).manifest)
        pending = _pending(job, found, manifest)
        films = look_at_films(pending, Path(scratch), job.config_for)
        photos = [item for item in pending if item.kind == "photo"]
        rates = earlier_rates(job.out, manifest, films.pixels, job.options)
        if rates is None and (photos or films.frames):
            say("measuring on a part of it, a minute or two ...")
            plan = calibration_plan([*photos, *films.gray], job.options)
            rates = calibrate(calibration_command, Path(scratch), plan, films.pixels)
    workers = job.options.workers or (rates.workers if rates else 1)
    times = None
    if rates is not None:
        items = len(found.items) + len(found.problems) + len(found.unread)
        times = times_of(photos, films.work, rates, job.config, items=items, workers=workers)
    if write_json:
        body = _as_json(photos, films, found, rates, times, workers, price_per_hour)
        write_json(json.dumps({"source": job.source, "out": str(job.storage), **body}))
    else:
        for line in _lines(job, found, pending, films):
            say(line)
        if rates is not None and times is not None:
            say(_time_words(photos, films, rates, times, workers))
            if price_per_hour is not None:
                low, high = (price_per_hour * seconds / 3600 for seconds in (times.low, times.high))
                say(f"cost: about {low:.2f} to {high:.2f} at {price_per_hour:g} an hour")
            say(_disk_words(job, pending, films, rates))
    return EXIT_SOME_FAILED if found.problems or films.problems else EXIT_DONE


def _pending(job: Job, found: Scan, manifest: Manifest) -> list[SourceItem]:
    record, is_new = RunFolder(job.out).precision, not len(manifest)
    known = job.with_config(as_recorded(job.config, record, is_new=is_new))
    return known.planner(found, manifest).pending_items


def _lines(job: Job, found: Scan, pending: Sequence[SourceItem], films: Films) -> Iterator[str]:
    photos = sum(item.kind == "photo" for item in pending)
    before = len(found.items) - len(pending)
    yield f"{job.source}: {len(found.items)} items, {before} finished before"
    yield f"to do: {photos} photos, {films.count} films with {films.frames} frames"
    yield from rules_fitting_nothing(found, job.rules, job.redo)
    for suffix, count in by_suffix(found.unread).items():
        yield f"not read: {count} {suffix}"
    for reason, count in found.ignored.items():
        yield f"left out: {count} {reason}"
    for path, error in found.problems:
        yield f"will fail: {path}: {error}"
    if films.colored:
        what = "left out" if job.config.colored == "leave" else "copied"
        yield f"{films.colored} films have color already: {what}"
    if films.unseen:
        yield f"{films.unseen} films not looked at for color: taken as black and white"
    yield from films.problems
    yield from films.lines


def _unmeasured(photos: Sequence[SourceItem], films: Films, rates: Rates) -> list[str]:
    missing = {"photos": photos and rates.photo is None, "films": films.frames and not rates.frame}
    return [name for name, is_missing in missing.items() if is_missing]


def _time_words(
    photos: Sequence[SourceItem], films: Films, rates: Rates, times: Times, workers: int
) -> str:
    missing = _unmeasured(photos, films, rates)
    words = f"; {' and '.join(missing)} not measured" if missing else ""
    span = f"{format_seconds(times.low)} to {format_seconds(times.high)}"
    spent = f"{times.worker_seconds / 3600:.2f} worker hours"
    return f"time: about {span} with {workers} workers ({spent}), from {rates.basis}{words}"


def _disk(pending: Sequence[SourceItem], films: Films, rates: Rates) -> tuple[float, float]:
    """Bytes that stay, and those that films take beside while they are joined."""
    photos = sum(item.size for item in pending if item.kind == "photo")
    growth = rates.gray_share * rates.growth + (1 - rates.gray_share)
    per_frame = rates.bytes_per_frame
    made = films.size * rates.growth if per_frame is None else films.frames * per_frame
    return photos * growth + films.copied_size + made, made


def _disk_words(job: Job, pending: Sequence[SourceItem], films: Films, rates: Rates) -> str:
    kept, made = _disk(pending, films, rates)
    source = sum(item.size for item in pending)
    # A film is there twice for a moment: as segments and as the joined file.
    more = f", {_mib(made)} more while films are joined" if films.frames else ""
    return f"disk: about {_mib(kept)} in {job.storage}{more}; source {_mib(source)}"


def _as_json(
    photos: Sequence[SourceItem],
    films: Films,
    found: Scan,
    rates: Rates | None,
    times: Times | None,
    workers: int,
    price_per_hour: float | None,
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "photos": len(photos),
        "films": films.count,
        "frames": films.frames,
        "films_in_color": films.colored,
        "not_read": by_suffix(found.unread),
        "left_out": dict(found.ignored),
        "will_fail": [*(f"{path}: {error}" for path, error in found.problems), *films.problems],
        "notes": films.lines,
        "workers": workers,
    }
    if rates is None or times is None:
        return body
    kept, joining = _disk(photos, films, rates)
    body |= {
        "basis": rates.basis,
        "not_measured": _unmeasured(photos, films, rates),
        "gray_share_of_photos": round(rates.gray_share, 3),
        "seconds": round(times.seconds, 1),
        "seconds_low": round(times.low, 1),
        "seconds_high": round(times.high, 1),
        "worker_seconds": round(times.worker_seconds, 1),
        "disk_bytes": round(kept),
        "disk_bytes_while_joining": round(joining),
    }
    if price_per_hour is not None:
        body["cost_low"] = round(price_per_hour * times.low / 3600, 2)
        body["cost_high"] = round(price_per_hour * times.high / 3600, 2)
    return body


def _mib(size: float) -> str:
    return f"{size / 2**20:.{1 if size < 10 * 2**20 else 0}f} MiB"
