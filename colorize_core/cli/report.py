"""Write the page of a finished run again: `colorize-archive report OUT`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from colorize_core.archive.storage.opening import opened, user_out
from colorize_core.cli.command import Parser, command
from colorize_core.errors import EXIT_DONE


def parser() -> argparse.ArgumentParser:
    """All options of the verb."""
    p = Parser(prog="colorize-archive report", description=__doc__)
    p.add_argument("out", type=user_out, metavar="OUT", help="output folder of a run")
    return p


def run(args: argparse.Namespace) -> int:
    """Build the page and the records, and print the page's path."""
    from colorize_core.report.archive_records import write_records
    from colorize_core.report.build import build

    with opened(args.out) as storage:
        storage.open_records()
        page = build(storage.folder)
        write_records(storage.folder)
        storage.keep_page()
        print(storage.name_of(page))
    return EXIT_DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return command(parser(), run, argv)
