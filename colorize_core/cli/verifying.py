"""`run --verify` and `run --repair`: whether results are still what was recorded."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from colorize_core.archive.records.named_items import read_redo_list
from colorize_core.archive.source.globs import comparable
from colorize_core.archive.source.item import SourceItem
from colorize_core.archive.source.scan import default_out
from colorize_core.archive.storage.address import Address
from colorize_core.archive.storage.opening import opened
from colorize_core.archive.storage.storage import Storage
from colorize_core.cli.command import say
from colorize_core.cli.shortcuts import settings_of
from colorize_core.config import ColorizeConfig, load_config
from colorize_core.errors import EXIT_DONE, EXIT_SOME_FAILED, UsageError
from colorize_core.pipeline.find_items import find_items
from colorize_core.pipeline.verify import verify_outputs


def verify(args: argparse.Namespace) -> int:
    """Say what is not as recorded; returns the exit code.

    Raises:
        UsageError: no run, or no SRC, was named.
    """
    if args.source is None and args.out is None:
        raise UsageError("--verify: of which run?", remedy="give its OUT with --out, or its SRC")
    with opened(out_of(args, args.source)) as storage:
        found = verify_outputs(storage, _items(args, storage) if args.verify_source else ())
    good = found.outputs - len(found.problems)
    if args.json:
        said = {"outputs": found.outputs, "good": good, "problems": found.problems}
        print(json.dumps({**said, **({"sources": found.sources} if args.verify_source else {})}))
    else:
        for name, problem in found.problems.items():
            say(f"{name}: {problem}")
        say(f"{good} of {found.outputs} outputs are as recorded")
        if found.problems:
            say("--repair instead of --verify, with SRC, makes them anew")
        for name, problem in found.sources.items():
            say(f"source {name}: {problem}")
    return EXIT_SOME_FAILED if found.problems or found.sources else EXIT_DONE


def out_of(args: argparse.Namespace, source: str) -> Path | Address:
    """OUT as given, or the one beside SRC."""
    if isinstance(args.out, Address):
        return args.out
    return Path(args.out or default_out(source)).absolute()


def _items(args: argparse.Namespace, storage: Storage) -> Sequence[SourceItem]:
    if args.source is None:
        raise UsageError("--verify-source: of which source?", remedy="give SRC, too")
    config = load_config(ColorizeConfig, args.config, settings_of(args))
    return find_items(
        args.source,
        storage.folder,
        follow_links=args.follow_links,
        staging=None,
        config_for=lambda _path: config,
        as_film=config.video.as_film,
    ).items


def redo(args: argparse.Namespace, storage: Storage) -> frozenset[str]:
    """What is made again though it is finished: named in a list, or not as it was recorded."""
    named = read_redo_list(args.redo_list) if args.redo_list else frozenset()
    if not args.repair:
        return named
    found = verify_outputs(storage)
    say(f"{len(found.problems)} of {found.outputs} outputs are not as recorded: made anew")
    return named | {comparable(path) for path in found.damaged}
