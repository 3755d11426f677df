"""Write the page of a finished run again: `python -m jobs.report OUT`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from colorize_core.errors import EXIT_DONE
from jobs.command import Parser, command, user_path


def parser() -> argparse.ArgumentParser:
    """All options of the job."""
    p = Parser(prog="python -m jobs.report", description=__doc__)
    p.add_argument("out", type=user_path, metavar="OUT", help="output folder of a run")
    return p


def run(args: argparse.Namespace) -> int:
    """Build the page and print its path."""
    from colorize_core.report.build import build

    print(build(args.out))
    return EXIT_DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return command(parser(), run, argv)


if __name__ == "__main__":
    sys.exit(main())
