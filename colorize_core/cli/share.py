"""`colorize-archive share OUT ITEM`: one file with before and after, to send to somebody."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from colorize_core.archive.storage.opening import user_path
from colorize_core.archive.storage.storage import LocalFolder
from colorize_core.cli.command import Parser, command
from colorize_core.errors import EXIT_DONE, UsageError


def parser() -> argparse.ArgumentParser:
    """All options of the verb."""
    p = Parser(
        prog="colorize-archive share",
        description="Of a photo, one HTML page with a slider that needs nothing but itself; of a "
        "film, an MP4 with before and after side by side.",
    )
    p.add_argument("out", type=user_path, metavar="OUT", help="output folder of a run")
    p.add_argument("item", metavar="ITEM", help="path of a photo or film in SRC")
    p.add_argument(
        "--to", type=user_path, metavar="FILE", help="default: ITEM-before-after in this folder"
    )
    return p


def run(args: argparse.Namespace) -> int:
    """Write the file and print its path."""
    from colorize_core.archive.source.globs import nearest
    from colorize_core.review.share import share, share_name
    from colorize_core.review.state import Review

    LocalFolder(args.out).open_records()
    review = Review(args.out)
    id_ = review.catalog.ids.get(args.item)
    if id_ is None:
        near = nearest(args.item, review.catalog.ids)
        raise UsageError(
            f"{args.item!r} is no item of {args.out}", remedy=f"nearest: {near}" if near else ""
        )
    entry = review.entry(id_)
    target = args.to or Path(share_name(entry))
    suffix = Path(share_name(entry)).suffix
    if target.suffix.lower() != suffix:
        raise UsageError(f"--to {target}: must end in {suffix}")
    share(review, entry, target)
    print(target)
    return EXIT_DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return command(parser(), run, argv)
