"""What every verb does around its work: arguments, one-line errors, exit codes."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from colorize_core.archive.storage.opening import default_work, user_path
from colorize_core.config import Settings
from colorize_core.config.reference import help_text
from colorize_core.errors import (
    EXIT_CANNOT_RUN,
    EXIT_RESUME,
    FULL_ERRNOS,
    ColorizeError,
    UsageError,
    is_transient,
)

# The repository's `configs`, also inside the wheel.
CONFIGS = Path(__file__).parents[1] / "configs"
# Libraries that only some verbs need, and the extra of the package that brings them.
EXTRAS = {
    "lightning": "train",
    "matplotlib": "train",
    "tensorboard": "train",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "s3fs": "s3",
}

_NOT_ALLOWED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, where argparse alone would print the usage too.

    Args:
        settings: class of the settings that `--help` lists at its end.
        options: of ArgumentParser.
    """

    def __init__(self, *, settings: type[Settings] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._settings = settings

    def format_help(self) -> str:
        """The help, and after it every setting with its default, words and range."""
        said = super().format_help()
        return said if self._settings is None else f"{said}\n{help_text(self._settings)}\n"

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments.

        Raises:
            UsageError: always.
        """
        raise UsageError(message, remedy="see --help")


def settings_file(kind: str) -> Callable[[str], Path]:
    """How `--config` is read: a file, or the name of one that travels with the package.

    Args:
        kind: "colorize", "evaluate" or "train": `configs/KIND`.
    """

    def find(text: str) -> Path:
        path = user_path(text)
        shipped = (CONFIGS / kind / f"{text}.yaml", CONFIGS.parent / text)
        return next((found for found in (path, *shipped) if found.is_file()), path)

    return find


def add_work(p: argparse.ArgumentParser) -> None:
    """Add `--work`, for an OUT in object storage."""
    p.add_argument(
        "--work",
        type=user_path,
        default=default_work(),
        metavar="DIR",
        help="where a run into object storage works on this machine (default: %(default)s)",
    )


def say(text: str) -> None:
    """One line for the user, at once."""
    print(text, file=sys.stderr, flush=True)


def command(
    parser: argparse.ArgumentParser,
    run: Callable[[argparse.Namespace], int],
    argv: Sequence[str] | None,
) -> int:
    """Parse and run; errors of this project become one line and their exit code.

    Returns:
        The exit code; 1 for wrong usage too, where argparse alone would give 2.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        return run(parser.parse_args(argv))
    except SystemExit as stop:  # --help, or a signal
        return stop.code if isinstance(stop.code, int) else EXIT_CANNOT_RUN
    except ColorizeError as error:
        say(f"error: {' '.join(str(error).split())}")
        return error.exit_code
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        say(f"error: {error.name} is not installed (pip install 'colorize-archive[{extra}]')")
        return EXIT_CANNOT_RUN
    except OSError as error:
        if error.errno in _NOT_ALLOWED:
            say(f"error: {error.filename}: {error.strerror} (make it writable, or choose another)")
            return EXIT_CANNOT_RUN
        if is_transient(error):
            say(f"error: {error}; when the storage answers again, the same command resumes")
            return EXIT_RESUME
        if error.errno not in FULL_ERRNOS:
            raise
        say(f"error: {error}; free some space and run the same command again")
        return EXIT_RESUME


def leave(code: int) -> NoReturn:
    """End the process of a colorizing run.

    A unit that was abandoned may still run in this process, in threads that Python would join at
    exit. Everything that counts is on the disk. A signal that comes now changes nothing: while it
    ends, Python would let it kill the process, and a finished run would not say so.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if code == EXIT_RESUME:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
