"""`python -m jobs.train`: the same as `colorize-archive train DATA`."""

import sys

from colorize_core.cli.train import main

if __name__ == "__main__":
    sys.exit(main())
