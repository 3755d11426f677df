"""One run of the main job: lock, scan, plan, loop, summary."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

from colorize_core import __version__
from colorize_core.archive.records.fence import without_replaced
from colorize_core.archive.records.keys import add_maker
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.output_paths import require_own_folders
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.started import write_started
from colorize_core.archive.records.summary import write_summary
from colorize_core.archive.records.verdicts import Judge
from colorize_core.archive.records.work import UnitReport
from colorize_core.archive.source.item import Scan
from colorize_core.archive.source.kinds import by_suffix
from colorize_core.archive.storage.storage import Lock, Storage, Worker
from colorize_core.atomic import remove_stale_temporaries
from colorize_core.config import RunOptions, as_tree
from colorize_core.errors import (
    EXIT_DONE,
    EXIT_RESUME,
    EXIT_SOME_FAILED,
    ColorizeError,
    UsageError,
)
from colorize_core.media.picture.note import ComputedColorNote
from colorize_core.pipeline.comparisons import Comparisons, require_place, write_comparisons
from colorize_core.pipeline.find_items import record_problems, rules_fitting_nothing
from colorize_core.pipeline.first_failures import FirstFailures
from colorize_core.pipeline.job import Job, Outcome
from colorize_core.pipeline.loop import Ending, Loop, Pool
from colorize_core.pipeline.orphans import Orphan, find_orphans
from colorize_core.pipeline.plan import Planner
from colorize_core.pipeline.plan_films import Planned
from colorize_core.pipeline.pool import pool_when_needed
from colorize_core.pipeline.precision import with_precision
from colorize_core.pipeline.progress import (
    Progress,
    publish_phase,
    say_above_bar,
)
from colorize_core.pipeline.run_log import RunLog
from colorize_core.pipeline.stop import StopRequest, stop_signals
from colorize_core.pipeline.verify import is_as_recorded


def colorize_archive(
    job: Job,
    *,
    make_worker: Callable[[], Worker],
    judge: Judge,
    say: Callable[[str], None],
) -> Outcome:
    """Run or resume the job.

    Args:
        job: what to do.
        make_worker: picklable; gives the worker that turns units into files.
        judge: see write_summary.
        say: prints one line for the user.

    Raises:
        ColorizeError: cannot run at all, with its exit code.
    """
    started = time.monotonic()
    folder = RunFolder(job.out)
    require_own_folders(job.out)
    stop = StopRequest()
    with (
        closing(RunLog(job.options.log_json, job.options.prometheus)) as log,
        _made(folder),
        job.storage.locked(say) as lock,
        stop_signals(stop, say),
        pool_when_needed(
            make_worker, job.options, fence=job.storage.fence(lock), stop=stop, say=say
        ) as get_pool,
    ):
        job.storage.open_records()
        publish_phase(folder.progress, "reading SRC")
        log.event("start", source=job.source, out=str(job.storage), version=__version__)
        _remove_what_killed_runs_left(folder)
        found = job.find(folder.staging)
        for line in rules_fitting_nothing(found, job.rules, job.redo):
            say(line)
        if job.options.compare:
            require_place(found.items)
        manifest = _open_manifest(job.storage, lock, say)
        job = _with_precision(job, found, manifest, lambda: get_pool().has_bf16(stop))
        planner = job.planner(found, manifest)
        _record_start(job, planner, say)
        failures = FirstFailures(say_above_bar)
        problems = record_problems(found, manifest, failures)
        job.storage.keep_records()
        before = len(found.items) - len(planner.pending_items) - planner.left_over
        say(_to_do(job, found, planner, before))
        ending, work = Ending(), dict[str, Any]()
        if planner.pending_items:
            ending, work = _run(job, planner, manifest, get_pool, stop, before, failures, log)
        seconds = time.monotonic() - started
        keys = [*problems, *(planner.key(item) for item in found.items)]
        orphans = _orphans(job, found, keys, manifest)
        lock.check()
        head = {**_head(job, found, orphans, seconds), **work}
        totals = write_summary(job.out, head, manifest, keys, judge)
        publish_phase(folder.progress, "ended", total=totals["items"], left=totals["left"])
        job.storage.keep_summary(lock)
        log.event("end", seconds=round(seconds, 3), totals=totals)
        comparisons = None
        if job.options.compare and not (ending.stopped or ending.blocked):
            comparisons = _compare(job, found, planner, manifest, stop, say)
            if comparisons.ended:
                ending = Ending(stopped=True)
    left_out = {"not read": by_suffix(found.unread), "left out": found.ignored}
    code = _exit_code(ending, totals)
    return Outcome(code, totals, ending, seconds, comparisons, left_out, orphans)


def _record_start(job: Job, planner: Planner, say: Callable[[str], None]) -> None:
    """Who makes results from now on, and by which command."""
    if planner.outdated:
        say(_outdated(planner.outdated, job.options))
    add_maker(RunFolder(job.out).makers, planner.earlier, planner.maker)
    if job.started is not None:
        write_started(RunFolder(job.out).command, job.started)


def _to_do(job: Job, found: Scan, planner: Planner, before: int) -> str:
    later = f", {planner.left_over} for a later run" if planner.left_over else ""
    pending = len(planner.pending_items)
    return f"{len(found.items)} items in {job.source}: {pending} to do, {before} before{later}"


def _head(job: Job, found: Scan, orphans: Sequence[Orphan], seconds: float) -> dict[str, Any]:
    """What the summary says of the run as a whole."""
    return {
        "version": __version__,
        "source": job.source,
        "weights_sha256": job.weights_sha256,
        "palette": {name: color for name, color in job.rules.palette().items() if color},
        "settings": as_tree(job.config),
        "ignored": dict(found.ignored),
        "unread": by_suffix(found.unread),
        "orphans": [vars(orphan) for orphan in orphans],
        "seconds": round(seconds, 3),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _compare(
    job: Job,
    found: Scan,
    planner: Planner,
    manifest: Manifest,
    stop: StopRequest,
    say: Callable[[str], None],
) -> Comparisons:
    say("before and after side by side ...")
    reports = ((item, manifest.get(planner.key(item))) for item in found.items)
    return write_comparisons(
        ((item, report, job.config_for(item.path)) for item, report in reports if report),
        job.out,
        ComputedColorNote.of_weights(job.weights_sha256),
        stop=stop,
        say=say,
    )


def _orphans(job: Job, found: Scan, keys: Sequence[str], manifest: Manifest) -> Sequence[Orphan]:
    """None is known where SRC is no folder, or only a part of it was looked at."""
    source = job.started.source_folder if job.started is not None else None
    if source is None or job.options.include or job.options.exclude:
        return ()
    return find_orphans(found, keys, manifest, job.storage, source)


def _with_precision(job: Job, found: Scan, manifest: Manifest, has_bf16: Callable[[], bool]) -> Job:
    if not found.items:
        return job
    record = RunFolder(job.out).precision
    config = with_precision(job.config, record, is_new=not len(manifest), has_bf16=has_bf16)
    return job.with_config(config)


def _remove_what_killed_runs_left(folder: RunFolder) -> None:
    remove_stale_temporaries(folder.out)
    for old in (folder.staged_films, folder.given_up):
        shutil.rmtree(old, ignore_errors=True)


def _open_manifest(storage: Storage, lock: Lock, say: Callable[[str], None]) -> Manifest:
    folder = RunFolder(storage.folder)
    manifest = Manifest(folder.manifest, before_append=lock.check, copy=folder.manifest_copy)
    if manifest.damaged_lines:
        say(f"{manifest.damaged_lines} damaged manifest lines left out")
    if manifest.foreign_lines:
        say(f"{manifest.foreign_lines} manifest lines not understood; they stay as they are")
    if restored := manifest.restore(partial(is_as_recorded, storage)):
        say(f"{restored} lines taken from the manifest's copy: their outputs are as recorded")
    return manifest


@contextmanager
def _made(folder: RunFolder) -> Iterator[None]:
    """Make OUT, and unmake it where nothing came to be recorded: a wrong SRC, refused weights."""
    new = [path for path in (folder.state, *folder.state.parents) if not path.exists()]
    try:
        folder.state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"OUT {folder.out} cannot be written: {error.strerror}",
            remedy="choose another with --out",
        ) from error
    try:
        yield
    except ColorizeError:
        if folder.state in new and not folder.manifest.exists():
            shutil.rmtree(folder.state)
            for path in new[1:]:
                with suppress(OSError):  # something else was put there meanwhile
                    path.rmdir()
        raise


def _run(
    job: Job,
    planner: Planner,
    manifest: Manifest,
    get_pool: Callable[[], Pool],
    stop: StopRequest,
    finished_before: int,
    failures: FirstFailures,
    log: RunLog,
) -> tuple[Ending, dict[str, Any]]:
    progress = Progress(
        planner.pending_items,
        finished_before,
        RunFolder(job.out).progress,
        left_over=planner.left_over,
        in_hand=RunFolder(job.out).in_hand,
        failures=failures,
        log=log,
    )

    def record(report: UnitReport) -> list[Planned]:
        manifest.append(report.items)
        job.storage.keep_records()
        progress.update(report)
        return planner.unlock(report)

    pool = get_pool()
    try:
        units = planner.units(workers=pool.workers)
        loop = Loop(
            units,
            pool,
            record,
            stop=stop,
            out=job.out,
            options=job.options,
            check=partial(without_replaced, out=job.out),
            on_tick=progress.tick,
        )
        ending = loop.run()
    finally:
        pool.close()
        progress.close()
        planner.close()
    if loop.lost_a_worker:
        remove_stale_temporaries(job.out)
    return ending, {**progress.work(), "workers": pool.workers}


def _outdated(count: int, options: RunOptions) -> str:
    what = f"{count} items were made by other weights or an older version"
    if options.keep_finished:
        return f"{what}: kept"
    return f"{what} and are made anew; --keep-finished keeps them"


def _exit_code(ending: Ending, totals: Mapping[str, int]) -> int:
    if ending.stopped or ending.blocked:
        return EXIT_RESUME
    return EXIT_SOME_FAILED if totals["failed"] else EXIT_DONE
