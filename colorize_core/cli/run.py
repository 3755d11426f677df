"""`colorize-archive run SRC`: colorize an archive of photos and films."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from colorize_core.archive.records.details import FilmDetails
from colorize_core.archive.records.manifest import from_json
from colorize_core.archive.records.overrides import Overrides, load_overrides
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.source.remote import FOLLOW_REDIRECTS
from colorize_core.archive.source.scan import local_path
from colorize_core.archive.storage.address import Address
from colorize_core.archive.storage.opening import opened
from colorize_core.cli.command import command, say
from colorize_core.cli.outcome import last_line, say_outcome
from colorize_core.cli.run_options import parser
from colorize_core.cli.same_words import calibration_command, started
from colorize_core.cli.shortcuts import check_fps, settings_of
from colorize_core.cli.verifying import out_of, redo, verify
from colorize_core.config import Calibration, ColorizeConfig, RunOptions, load_config
from colorize_core.errors import EXIT_SOME_FAILED, UsageError
from colorize_core.inference.starting import judge, make_worker
from colorize_core.model.files import identity_of, resolve_weights
from colorize_core.model.onnx_contract import is_onnx, read_contract
from colorize_core.pipeline.job import Job
from colorize_core.pipeline.run import colorize_archive

SAMPLE = Path("sample")


def run(args: argparse.Namespace) -> int:
    """Do what the arguments say; returns the exit code."""
    began = time.time()
    if args.follow_redirects:
        os.environ[FOLLOW_REDIRECTS] = "1"  # workers read it, too
    if args.verify:
        return verify(args)
    _check_company(args)
    source = args.source if args.source is not None else _sample()
    out = out_of(args, source)
    if args.compare and isinstance(out, Address):
        raise UsageError(
            "--compare needs an OUT on this machine",
            remedy="leave it out; later: aws s3 sync OUT to a folder, run again with that as --out",
        )
    config = load_config(ColorizeConfig, args.config, settings_of(args))
    check_fps(args, config)
    weights = resolve_weights(config.model.weights)
    if is_onnx(weights):
        say(f"{weights.name}: {read_contract(weights).license}")
    options = RunOptions(
        runner=args.runner,
        device=args.device,
        workers=args.workers,
        workers_per_gpu=args.workers_per_gpu,
        drain_seconds=args.drain_seconds,
        blocked_wait_seconds=args.wait_for_space,
        retry_failed=args.retry_failed,
        keep_finished=args.keep_finished,
        limit=args.limit,
        sample=args.sample,
        compare=args.compare,
        exclude=tuple(args.exclude),
        include=tuple(args.include),
        calibration=_calibration(args.calibration) if args.calibration else None,
        log_json=args.log_json,
        prometheus=args.prometheus,
    )
    with opened(out, work=None if args.dry_run else args.work.absolute()) as storage:
        rules = _rules(args.overrides, source, storage.folder, config)
        job = Job(
            source,
            storage,
            config,
            partial(rules.config_for, base=config),
            options,
            identity_of(weights),
            redo(args, storage),
            rules,
            started(source, args, config, began),
            args.follow_links,
        )
        return _dry_run(job, args) if args.dry_run else _run(job, args, str(weights))


def _dry_run(job: Job, args: argparse.Namespace) -> int:
    from colorize_core.pipeline.estimate.dry_run import dry_run

    return dry_run(
        job,
        say,
        calibration_command=calibration_command(job.source, args),
        price_per_hour=args.price_per_hour,
        write_json=print if args.json else None,
    )


def _run(job: Job, args: argparse.Namespace, weights: str) -> int:
    storage = job.storage
    outcome = colorize_archive(
        job,
        make_worker=partial(
            make_worker, storage, weights, job.weights_sha256, args.device, args.report
        ),
        judge=judge,
        say=say,
    )
    page = RunFolder(job.out).summary
    if args.report:
        from colorize_core.report.archive_records import write_records
        from colorize_core.report.build import build

        page = build(job.out)
        write_records(job.out)
        storage.keep_page()
    if job.config.video.verify_luma:
        _say_luma(job.out)
    say_outcome(outcome, storage)
    last = last_line(outcome, storage.name_of(page))
    say(last)
    if args.last_line and outcome.exit_code == EXIT_SOME_FAILED:
        args.last_line.write_text(last)
    return outcome.exit_code


def _say_luma(out: Path) -> None:
    from colorize_core.report.stream import read_summary

    for item in read_summary(RunFolder(out).summary, {}):
        details = from_json(item).details
        if isinstance(details, FilmDetails) and details.luma is not None:
            say(f"{item['source']}: {details.luma.words()}")


def _rules(named: Path | None, source: str, out: Path, config: ColorizeConfig) -> Overrides:
    """Those in SRC, in OUT, and those that are named; the later ones win."""
    rules = Overrides()
    folder = None if source.startswith("@") else local_path(source)
    for place, where in ((folder, "SRC"), (out, "OUT")):
        path = place / "overrides.yaml" if place is not None else None
        if path is not None and path.is_file() and not _is_same(path, named):
            found = load_overrides(path, limits=config)
            say(f"using {path}, which lies in {where}: {found.words() or 'no rules'}")
            rules = rules.then(found)
    return rules.then(load_overrides(named)) if named is not None else rules


def _is_same(path: Path, named: Path | None) -> bool:
    return named is not None and named.exists() and path.samefile(named)


def _sample() -> str:
    from colorize_core.samples import write_sample

    say("no SRC: colorizing the built-in sample (scikit-image's pictures, made gray)")
    return str(write_sample(SAMPLE))


def _check_company(args: argparse.Namespace) -> None:
    """Refuse options that mean something beside others only."""
    if args.verify_source:
        raise UsageError("--verify-source is for --verify", remedy="give both")
    if args.json and not args.dry_run:
        raise UsageError("--json is for --verify and --dry-run", remedy="leave it out")
    if args.price_per_hour is not None and not args.dry_run:
        raise UsageError("--price-per-hour is for --dry-run", remedy="leave it out")


def _calibration(path: Path) -> Calibration:
    found = json.loads(path.read_bytes())
    return Calibration(frozenset(found["paths"]), found["photos"], found["segments"])


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return command(parser(), run, argv)
