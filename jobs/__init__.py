"""Command-line jobs: parse, load the configuration, build, call, return an exit code."""
