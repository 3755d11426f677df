"""Write the page of a finished run again: `colorize-archive report OUT`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from colorize_core.cli.command import Parser, command, user_path
from colorize_core.errors import EXIT_DONE


def parser() -> argparse.ArgumentParser:
    """All options of the verb."""
    p = Parser(prog="colorize-archive report", description=__doc__)
    p.add_argument("out", type=user_path, metavar="OUT", help="output folder of a run")
    return p


def run(args: argparse.Namespace) -> int:
    """Build the page and the records, and print the page's path."""
    from colorize_core.report.archive_records import write_records
    from colorize_core.report.build import build

    page = build(args.out)
    write_records(args.out)
    print(page)
    return EXIT_DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return command(parser(), run, argv)
