"""Write the page of a finished run again: `python -m jobs.report OUT`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from colorize_core.errors import EXIT_DONE, ColorizeError


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the page, print its path; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m jobs.report", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT", help="output folder of a run")
    options = parser.parse_args(arguments)

    from colorize_core.report.build import build

    try:
        print(build(options.out))
    except ColorizeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
