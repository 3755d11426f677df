"""`python -m jobs.evaluate`: the same as `colorize-archive evaluate DATA`."""

import sys

from colorize_core.cli.evaluate import main

if __name__ == "__main__":
    sys.exit(main())
