"""The words of `colorize-archive run`."""

from __future__ import annotations

import argparse
import math

from colorize_core.archive.storage.opening import user_out, user_path
from colorize_core.cli.command import Parser, add_work, settings_file
from colorize_core.cli.shortcuts import add_shortcuts
from colorize_core.config import ColorizeConfig


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
    add_work(p)
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
