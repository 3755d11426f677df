"""`colorize-archive clean OUT`: remove what runs left behind and no later run needs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from colorize_core.archive.records.output_paths import require_own_folders
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.storage.opening import opened, user_out
from colorize_core.archive.storage.storage import Storage
from colorize_core.cli.command import Parser, command
from colorize_core.errors import EXIT_DONE, UsageError


def parser() -> argparse.ArgumentParser:
    """All options of the verb."""
    p = Parser(
        prog="colorize-archive clean",
        description="Remove segments of films that failed or are finished, comparisons of results "
        "that changed or are gone, and files that a killed run left unfinished. Each is said "
        "first. Results, records and what a stopped run goes on from stay.",
        epilog="exit codes: 0 done, 1 cannot run (also while a run writes to OUT)",
    )
    p.add_argument("out", type=user_out, metavar="OUT", help="output folder of a run")
    p.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    return p


def run(args: argparse.Namespace) -> int:
    """Say what goes, and remove it."""
    with opened(args.out) as storage:
        storage.open_records()
        if not RunFolder(storage.folder).state.is_dir():
            raise UsageError(f"{storage}: no run has written here", remedy="give the OUT of a run")
        require_own_folders(storage.folder)
        with storage.locked(None):
            return _clean(storage, dry_run=args.dry_run)


def _clean(storage: Storage, *, dry_run: bool) -> int:
    storage.open_records()  # as they are now that nobody writes
    leftovers = storage.leftovers()
    for leftover in leftovers:
        print(f"{leftover.name}: {leftover.why}, {_mib(leftover.size)}", flush=True)
    for leftover in [] if dry_run else leftovers:
        storage.remove(leftover)
    size = _mib(sum(leftover.size for leftover in leftovers))
    print(f"{len(leftovers)} {'would be removed' if dry_run else 'removed'}: {size}")
    return EXIT_DONE


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return command(parser(), run, argv)
