"""How a run was started, so that a review can find its originals and start it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.source.scan import local_path
from colorize_core.atomic import publish_bytes
from colorize_core.errors import UsageError


@dataclass(frozen=True)
class Started:
    """What a user asked for.

    Attributes:
        source: SRC as given.
        cwd: folder that relative paths count from.
        words: of the command line, without OUT and SRC.
        settings: of the run, as a tree.
        overrides: what `--overrides` named; empty for nothing.
        time: when, in seconds since 1970, before any override was read; 0 where it is not known.
    """

    source: str
    cwd: str
    words: tuple[str, ...]
    settings: Mapping[str, Any]
    overrides: str = ""
    time: float = 0.0

    @property
    def absolute_source(self) -> str:
        """SRC, a relative one counted from where the run was started."""
        if self.source.startswith("@"):
            return "@" + str(Path(self.cwd) / Path(self.source[1:]).expanduser())
        if "://" in self.source or local_path(self.source) is None:
            return self.source
        return str(Path(self.cwd) / Path(self.source).expanduser())

    @property
    def source_folder(self) -> Path | None:
        """SRC where it is a plain folder of this machine."""
        source = self.absolute_source
        path = None if source.startswith("@") else local_path(source)
        return path if path is not None and path.is_dir() else None


def write_started(path: Path, started: Started) -> None:
    """Record it."""
    publish_bytes(path, json.dumps(asdict(started)).encode())


def read_started(out: Path) -> Started:
    """What the last run in OUT was asked for; versions before 0.2.0 told its source alone.

    Raises:
        UsageError: no run has written there.
    """
    folder = RunFolder(out)
    try:
        return msgspec.convert(json.loads(folder.command.read_bytes()), Started)
    except (OSError, ValueError, RecursionError, msgspec.ValidationError):
        pass
    try:
        with folder.summary.open() as file:
            head = json.loads(file.readline().rpartition(', "items": [')[0] + "}")
        return Started(str(head["source"]), str(Path.cwd()), (), head["settings"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(
            f"{out}: no run has written here", remedy="give the OUT of a run"
        ) from error
