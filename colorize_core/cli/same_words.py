"""The words that start a run again: for its calibration, and for the review."""

from __future__ import annotations

import argparse
from pathlib import Path

from colorize_core.archive.records.started import Started
from colorize_core.cli.shortcuts import settings_of
from colorize_core.config import ColorizeConfig, as_tree


def calibration_command(source: str, args: argparse.Namespace) -> list[str]:
    """Words for Python's -m that color part of SRC with the options of this run."""
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


def started(source: str, args: argparse.Namespace, config: ColorizeConfig, began: float) -> Started:
    """What starts this run again, without what was meant for one run only."""
    return Started(
        source=source,
        cwd=str(Path.cwd()),
        words=tuple(_same_options(args)),
        settings=as_tree(config),
        overrides=str(args.overrides or ""),
        time=began,
    )
