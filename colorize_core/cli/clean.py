"""`colorize-archive clean OUT`: remove what runs left behind and no later run needs."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from colorize_core.archive.records.leftovers import Leftover, find_leftovers
from colorize_core.archive.records.lock import OutputLock
from colorize_core.archive.records.output_paths import require_own_folders
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.cli.command import Parser, command, user_path
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
    p.add_argument("out", type=user_path, metavar="OUT", help="output folder of a run")
    p.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    return p


def run(args: argparse.Namespace) -> int:
    """Say what goes, and remove it."""
    folder = RunFolder(args.out)
    if not folder.state.is_dir():
        raise UsageError(f"{args.out}: no run has written here", remedy="give the OUT of a run")
    require_own_folders(args.out)
    with OutputLock(folder.lock):
        leftovers = find_leftovers(args.out)
        for leftover in leftovers:
            print(_line(leftover, args.out), flush=True)
        if not args.dry_run:
            for leftover in leftovers:
                _remove(leftover.path, args.out)
    size = _mib(sum(leftover.size for leftover in leftovers))
    print(f"{len(leftovers)} {'would be removed' if args.dry_run else 'removed'}: {size}")
    return EXIT_DONE


def _line(leftover: Leftover, out: Path) -> str:
    return f"{leftover.path.relative_to(out)}: {leftover.why}, {_mib(leftover.size)}"


def _remove(path: Path, out: Path) -> None:
    """Remove a file or folder, and the folders that are empty then."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == out or any(parent.iterdir()):
            return
        parent.rmdir()


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return command(parser(), run, argv)
