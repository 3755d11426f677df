"""`python -m jobs.report`: the same as `colorize-archive report OUT`."""

import sys

from colorize_core.cli.report import main

if __name__ == "__main__":
    sys.exit(main())
