"""The mean of several stages of one training: `colorize-archive average OUT A B`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from colorize_core.archive.storage.opening import user_path
from colorize_core.cli.command import Parser, command
from colorize_core.errors import EXIT_DONE, UsageError


def parser() -> argparse.ArgumentParser:
    """All options of the verb."""
    p = Parser(
        prog="colorize-archive average",
        description="Average the weights of generators, one of which was trained from the other.",
        epilog="a file named twice counts twice; exit codes: 0 done, 1 cannot run",
    )
    p.add_argument("output", metavar="OUT.safetensors", type=user_path, help="file to write")
    p.add_argument("weights", metavar="FILE", nargs="+", type=user_path, help="a .safetensors")
    p.add_argument(
        "--chroma", type=float, default=1.0, metavar="X", help="multiply the colors' strength"
    )
    p.add_argument(
        "--contrast",
        type=float,
        metavar="X",
        help="chroma_contrast of the result: above 1, timid colors grayer and sure ones stronger",
    )
    return p


def run(args: argparse.Namespace) -> int:
    """Average, write, and print the sha256."""
    if args.output.suffix != ".safetensors":
        raise UsageError(f"{args.output}: not a .safetensors name", remedy="give OUT.safetensors")
    from colorize_core.model.checkpoint import average_generators

    if not 0 < args.chroma <= 2:
        raise UsageError(f"--chroma {args.chroma}: out of range", remedy="give 0 to 2")
    sha256 = average_generators(
        args.weights, args.output, chroma=args.chroma, contrast=args.contrast
    )
    print(f"{args.output}: sha256 {sha256}")
    return EXIT_DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return command(parser(), run, argv)
