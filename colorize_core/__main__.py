"""`python -m colorize_core`: the command where no script is on the path."""

import sys

from colorize_core.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
