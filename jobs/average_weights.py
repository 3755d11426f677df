"""`python -m jobs.average_weights`: the same as `colorize-archive average OUT A B`."""

import sys

from colorize_core.cli.average import main

if __name__ == "__main__":
    sys.exit(main())
