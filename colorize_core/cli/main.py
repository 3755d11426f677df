"""`colorize-archive VERB ...`: finds the verb's file and hands the rest to it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from colorize_core import __version__
from colorize_core.errors import EXIT_CANNOT_RUN, EXIT_DONE
from colorize_core.pipeline.stop import end_resumable

# Each is a module of this package with `parser()` and `main(argv)`.
VERBS = {
    "run": "colorize an archive of photos and films; the same command again resumes",
    "status": "how far a run is",
    "report": "make the page of a finished run again",
    "review": "look at results in the browser, say colors, accept, reject",
    "share": "one file with before and after of an item, to send to somebody",
    "clean": "remove what a run left behind and no later run needs",
    "train": "train a generator on color photos",
    "evaluate": "figures of a generator on color photos and films as ground truth",
    "export": "write a generator as ONNX",
    "average": "the mean of several stages of one training",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the words say; a first word that is no verb is the SRC of `run`.

    Args:
        argv: words after the program's name; None takes those of this process, which then may end
            here: see `leave`.

    Returns:
        The exit code.
    """
    if sys.platform == "win32":
        print(
            "error: Windows itself is not supported (use WSL2: docs/where_it_runs.md)",
            file=sys.stderr,
        )
        return EXIT_CANNOT_RUN
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(_help())
        return EXIT_DONE
    if words[0] == "--version":
        print(f"colorize-archive {__version__}")
        return EXIT_DONE
    verb = words.pop(0) if words[0] in VERBS else "run"
    if argv is None and verb == "run":
        end_resumable()
    code: int = import_module(f"colorize_core.cli.{verb}").main(words)
    if argv is None and verb == "run":
        from colorize_core.cli.command import leave

        leave(code)
    return code


def _help() -> str:
    verbs = "\n".join(f"  {verb:9} {text}" for verb, text in VERBS.items())
    return (
        "usage: colorize-archive [VERB] ...\n\n"
        "Colorize grayscale photo archives and black-and-white film.\n\n"
        f"{verbs}\n\n"
        "colorize-archive SRC is short for colorize-archive run SRC; `run` alone colorizes a "
        "built-in sample.\n"
        "colorize-archive VERB --help lists the options of a verb; --version says the version."
    )
