"""Train a generator: `python -m jobs.train DATA --config configs/train/flagship.yaml`.

The same command goes on from the last checkpoint; another configuration starts its own run.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from colorize_core.errors import EXIT_CANNOT_RUN, EXIT_DONE, EXIT_RESUME, ColorizeError
from jobs.command import Parser, user_path


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = Parser(prog="python -m jobs.train", description=__doc__)
    parser.add_argument("data", type=user_path, help="folder, tar or zip of color photos")
    parser.add_argument(
        "--config",
        type=user_path,
        default=Path("configs/train/flagship.yaml"),
        help="a training recipe",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="change one setting, e.g. stages.0.samples=20000; it belongs to the run's identity",
    )
    parser.add_argument("--out", type=user_path, default=Path("runs"), help="where runs are kept")
    parser.add_argument("--cache", type=user_path, help="decoded photos (default: OUT/cache)")
    parser.add_argument("--val", type=user_path, help="folder of color photos to validate on")
    parser.add_argument(
        "--runner", choices=("ray", "local"), default="ray", help="local = this process"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes, with --runner ray")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to train"
    )
    parser.add_argument(
        "--export", action="store_true", help="only export the newest checkpoint's generator"
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads per process")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr
    )
    try:
        return _run(build_parser().parse_args(argv))
    except SystemExit as stop:  # --help
        return EXIT_CANNOT_RUN if stop.code else EXIT_DONE
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return EXIT_RESUME
    except ColorizeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _run(args: argparse.Namespace) -> int:
    from colorize_core.config import TrainConfig, load_config

    config = load_config(TrainConfig, args.config, args.overrides)

    from colorize_core.training.run import LocalHost, RunSpec, export_newest, fit, prepare

    spec = RunSpec(
        config=config,
        name=args.config.stem,
        source=args.data.absolute(),
        out=args.out.absolute(),
        cache=(args.cache or args.out / "cache").absolute(),
        val=args.val.absolute() if args.val else None,
        device=args.device,
        threads=args.threads,
    )
    if args.export:
        export_newest(spec)
    elif args.runner == "local":
        fit(spec, LocalHost(args.device))
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
    print(spec.exported)
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
