"""`python -m jobs.colorize_archive`: the same as `colorize-archive run SRC`."""

from colorize_core.pipeline.stop import end_resumable

if __name__ == "__main__":
    end_resumable()  # before the rest is loaded, which takes its time

from colorize_core.cli.command import leave
from colorize_core.cli.run import main

if __name__ == "__main__":
    leave(main())
