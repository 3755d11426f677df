"""Train a generator: `colorize-archive train DATA --config flagship`.

The same command goes on from the last checkpoint; another configuration starts its own run.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from colorize_core.archive.storage.address import Address
from colorize_core.archive.storage.opening import user_out, user_path, work_folder
from colorize_core.cli.command import Parser, add_work, command, say, settings_file
from colorize_core.config import TrainConfig, load_config
from colorize_core.errors import EXIT_DONE, EXIT_RESUME


def parser() -> argparse.ArgumentParser:
    """All options of the verb."""
    p = Parser(settings=TrainConfig, prog="colorize-archive train", description=__doc__)
    p.add_argument(
        "data", type=_data, help="folder, tar or zip of color photos, or s3://BUCKET/FOLDER"
    )
    p.add_argument(
        "--config",
        type=settings_file("train"),
        default="flagship",
        metavar="YAML",
        help="a training recipe, as a file or by its name in configs/train (default: flagship)",
    )
    p.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="change one setting, e.g. stages.0.samples=20000; it belongs to the run's identity",
    )
    p.add_argument(
        "--out",
        type=user_out,
        default=Path("runs"),
        help="where runs are kept: a folder or s3://BUCKET/FOLDER (default: %(default)s)",
    )
    add_work(p)
    p.add_argument("--cache", type=user_path, help="decoded photos (default: OUT/cache)")
    p.add_argument("--val", type=user_path, help="folder of color photos to validate on")
    p.add_argument("--runner", choices=("ray", "local"), default="ray", help="local = this process")
    p.add_argument("--workers", type=int, default=1, help="processes, with --runner ray")
    p.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to train"
    )
    p.add_argument(
        "--export", action="store_true", help="only export the newest checkpoint's generator"
    )
    p.add_argument("--threads", type=int, default=0, help="CPU threads per process")
    return p


def run(args: argparse.Namespace) -> int:
    """Train, or go on; print the path of the generator."""
    try:
        with _stopped_by_signals():
            return _train(args)
    except (KeyboardInterrupt, SystemExit):  # Ray ends a stopped training by the latter
        say("stopped; the same command goes on from the last checkpoint")
        return EXIT_RESUME


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let SIGINT and SIGTERM stop the training wherever it is; the second one stops it at once.

    Own handlers are needed also for SIGINT: a shell starts background jobs with it ignored.
    """
    seen: list[int] = []

    def handler(number: int, _frame: FrameType | None) -> None:
        seen.append(number)
        say(f"{signal.Signals(number).name}: stopping")
        if len(seen) > 1:
            os._exit(EXIT_RESUME)
        raise KeyboardInterrupt

    previous: dict[int, Any] = {
        number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, old)


def _data(text: str) -> str:
    place = user_out(text)
    return str(place if isinstance(place, Address) else place.absolute())


def _train(args: argparse.Namespace) -> int:
    config = load_config(TrainConfig, args.config, args.overrides)

    from colorize_core.training.run import LocalContext, export_newest, fit, prepare
    from colorize_core.training.spec import RunSpec

    kept = args.out if isinstance(args.out, Address) else None
    out = work_folder(args.work, kept) if kept else args.out
    spec = RunSpec(
        config=config,
        name=args.config.stem,
        source=args.data,
        out=out.absolute(),
        cache=(args.cache or out / "cache").absolute(),
        val=args.val.absolute() if args.val else None,
        device=args.device,
        threads=args.threads,
        kept=kept,
    )
    if args.export:
        export_newest(spec)
    elif args.runner == "local":
        fit(spec, LocalContext(args.device))
    else:
        from colorize_core.pipeline.ray_train import train_on_ray

        # Mistakes show here, once, instead of in every worker again and again.
        prepare(spec, workers=args.workers)
        train_on_ray(
            fit,
            spec,
            name=spec.folder.name,
            storage=spec.out / "ray",
            workers=args.workers,
            device=args.device,
            threads=args.threads,
        )
    print(spec.name_of(spec.exported))
    return EXIT_DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr
    )
    return command(parser(), run, argv)
