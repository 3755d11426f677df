"""`colorize-archive run SRC`: colorize an archive of photos and films."""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from colorize_core.archive.records.details import FilmDetails
from colorize_core.archive.records.manifest import from_json
from colorize_core.archive.records.overrides import Overrides, load_overrides
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.started import Started
from colorize_core.archive.source.remote import FOLLOW_REDIRECTS
from colorize_core.archive.source.scan import local_path
from colorize_core.archive.storage.address import Address
from colorize_core.archive.storage.storage import Storage, Worker
from colorize_core.cli.command import (
    Parser,
    command,
    default_work,
    opened,
    say,
    settings_file,
    user_out,
    user_path,
)
from colorize_core.cli.outcome import last_line, say_outcome
from colorize_core.cli.shortcuts import add_shortcuts, check_fps, settings_of
from colorize_core.cli.verifying import out_of, redo, verify
from colorize_core.config import Calibration, ColorizeConfig, RunOptions, as_tree, load_config
from colorize_core.errors import EXIT_SOME_FAILED, UsageError
from colorize_core.model.files import identity_of, resolve_weights
from colorize_core.model.onnx_contract import is_onnx, read_contract
from colorize_core.pipeline.run import Job, colorize_archive

SAMPLE = Path("sample")


def parser() -> argparse.ArgumentParser:
    """All options of the verb."""
    p = Parser(
        settings=ColorizeConfig,
        prog="colorize-archive run",
        description="Colorize grayscale photos and black-and-white films. "
        "The same command again goes on where the last one stopped.",
        epilog="exit codes: 0 done, 2 done but some inputs failed, 75 stopped (run again to "
        "resume), 1 cannot run",
    )
    p.add_argument(
        "source",
        nargs="?",
        metavar="SRC",
        help="folder, file, quoted glob, @list.txt, zip, tar or URL; without it a built-in sample",
    )
    p.add_argument(
        "--out",
        type=user_out,
        metavar="OUT",
        help="a folder (default: SRC-color beside SRC) or s3://BUCKET/FOLDER",
    )
    p.add_argument(
        "--work",
        type=user_path,
        default=default_work(),
        metavar="DIR",
        help="where a run into object storage works on this machine (default: %(default)s)",
    )
    p.add_argument(
        "--config",
        type=settings_file("colorize"),
        metavar="YAML",
        help="settings (configs/colorize)",
    )
    p.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="one setting: render.size=320",
    )
    p.add_argument(
        "--overrides", type=user_path, metavar="YAML", help="settings per file: glob -> settings"
    )
    p.add_argument("--redo-list", type=user_path, metavar="TXT", help="do these items again")
    p.add_argument("--runner", choices=("ray", "serial"), default="ray")
    p.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    p.add_argument(
        "--workers", type=_positive, metavar="N", help="default: one per core, as memory allows"
    )
    p.add_argument(
        "--workers-per-gpu",
        type=_positive,
        metavar="N",
        help="default: one per core beside each GPU, as its memory allows",
    )
    p.add_argument("--limit", type=_positive, metavar="N", help="at most N pending items")
    p.add_argument(
        "--sample",
        type=_positive,
        metavar="N",
        help="only N gray photos spread over SRC, to see them soon; the rest is for a later run",
    )
    p.add_argument("--units", type=_positive, metavar="N", help=argparse.SUPPRESS)
    p.add_argument("--retry-failed", action="store_true", help="try failed items again")
    p.add_argument(
        "--keep-finished",
        action="store_true",
        help="keep results that other weights or an older version made",
    )
    p.add_argument("--follow-links", action="store_true", help="follow links that lead out of SRC")
    p.add_argument(
        "--follow-redirects", action="store_true", help="let web servers lead to other hosts"
    )
    for name, text in (
        ("exclude", "leave these files and folders out; repeatable"),
        ("include", "take only these, also out of a bin that is named; repeatable"),
    ):
        p.add_argument(f"--{name}", action="append", default=[], metavar="GLOB", help=text)
    p.add_argument(
        "--drain-seconds", type=float, default=45.0, metavar="S", help="for running units"
    )
    p.add_argument(
        "--report",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="the page and the records in OUT/report",
    )
    p.add_argument(
        "--compare",
        action="store_true",
        help="also write before and after side by side into OUT/report/compare "
        "(photos up to 6000 pixels a side, films up to 1920 x 1080 for both)",
    )
    p.add_argument(
        "--wait-for-space", type=float, default=60.0, metavar="S", help="while the disk is full"
    )
    p.add_argument("--dry-run", action="store_true", help="say what would be done, and how long")
    p.add_argument(
        "--log-json", type=user_path, metavar="FILE", help="append a JSON line per event"
    )
    p.add_argument(
        "--prometheus",
        type=user_path,
        metavar="FILE",
        help="keep counts, rates and ETA there for node_exporter's textfile collector",
    )
    p.add_argument("--calibration", type=user_path, help=argparse.SUPPRESS)  # for --dry-run
    p.add_argument("--last-line", type=user_path, help=argparse.SUPPRESS)  # for make
    p.add_argument(
        "--price-per-hour",
        type=_price,
        metavar="P",
        help="with --dry-run: what all machines cost an hour together",
    )
    p.add_argument("--verify", action="store_true", help="only hash the outputs again")
    p.add_argument(
        "--verify-source", action="store_true", help="with --verify: hash the sources again, too"
    )
    p.add_argument(
        "--repair", action="store_true", help="make anew what --verify finds, and what is pending"
    )
    p.add_argument("--json", action="store_true", help="with --verify or --dry-run")
    add_shortcuts(p)
    return p


def make_worker(
    storage: Storage, weights: str, weights_sha256: str, device: str, write_thumbnails: bool
) -> Worker:
    """The worker of one process; torch is loaded here and not in the driver."""
    from colorize_core.inference import worker as inference

    worker = inference.Worker(
        out=storage.folder,
        weights=weights,
        weights_sha256=weights_sha256,
        device=device,  # type: ignore[arg-type]
        write_thumbnails=write_thumbnails,
    )
    return storage.worker(worker)


def judge(signals: Iterable[Mapping[str, float]]) -> Callable[[Mapping[str, float]], list[str]]:
    """What is suspicious in this archive; see inference.signals."""
    from colorize_core.inference.signals import archive_median, suspicions

    median = archive_median(signals)
    return lambda found: suspicions(found, median)


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
        max_units=args.units,
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
            _started(source, args, config, began),
        )
        return _dry_run(job, args) if args.dry_run else _run(job, args, str(weights))


def _dry_run(job: Job, args: argparse.Namespace) -> int:
    from colorize_core.pipeline.estimate import dry_run

    return dry_run(
        job,
        say,
        follow_links=args.follow_links,
        calibration_command=_calibration_command(job.source, args),
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
        follow_links=args.follow_links,
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


def _calibration_command(source: str, args: argparse.Namespace) -> list[str]:
    return ["colorize_core", *_same_options(args), "--", source]


def _same_options(args: argparse.Namespace) -> list[str]:
    command = ["--device", args.device, "--runner", args.runner]
    command += ["--workers-per-gpu", str(args.workers_per_gpu)] if args.workers_per_gpu else []
    command += ["--report" if args.report else "--no-report"]
    command += ["--compare"] if args.compare else []
    command += ["--workers", str(args.workers)] if args.workers else []
    command += ["--follow-redirects"] if args.follow_redirects else []
    for setting in settings_of(args):
        command += ["--set", setting]
    for option, value in (("--config", args.config), ("--overrides", args.overrides)):
        command += [option, str(value)] if value else []
    for option in ("exclude", "include"):
        command += [part for glob in getattr(args, option) for part in (f"--{option}", glob)]
    return [*command, *(["--follow-links"] if args.follow_links else [])]


def _started(
    source: str, args: argparse.Namespace, config: ColorizeConfig, began: float
) -> Started:
    """What starts this run again, without what was meant for one run only."""
    return Started(
        source=source,
        cwd=str(Path.cwd()),
        words=tuple(_same_options(args)),
        settings=as_tree(config),
        overrides=str(args.overrides or ""),
        time=began,
    )


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


def _price(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no price")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return command(parser(), run, argv)
