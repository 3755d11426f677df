"""`python -m jobs.archive_status`: the same as `colorize-archive status OUT`."""

import sys

from colorize_core.cli.status import main

if __name__ == "__main__":
    sys.exit(main())
