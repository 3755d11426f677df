"""The names of the commands for `python -m` and `ray job submit`; see colorize_core/cli."""
