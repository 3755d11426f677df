"""What a run needs of its OUT, whatever it is; and the OUT that is a local folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from stat import S_ISREG
from typing import Protocol

from colorize_core.archive.records.fence import Fence
from colorize_core.archive.records.leftovers import Leftover, find_leftovers
from colorize_core.archive.records.lock import OutputLock, is_locked
from colorize_core.archive.records.output_paths import OutputLook, output_in
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.work import ItemReport, UnitReport, WorkUnit
from colorize_core.archive.storage.part_names import join_copied
from colorize_core.atomic import content_sha256
from colorize_core.errors import UnsafePathError


class Worker(Protocol):
    """Turns a unit into published files and a report."""

    @property
    def has_bf16(self) -> bool:
        """Whether its device computes bf16 itself."""
        ...

    def run(self, unit: WorkUnit) -> UnitReport:
        """Run one unit; per-item failures are in the report, not raised."""
        ...


class Lock(Protocol):
    """That this driver alone writes to OUT."""

    @property
    def token(self) -> str:
        """No two drivers have the same."""
        ...

    def check(self) -> None:
        """Raise LockLostError where that is no longer so."""
        ...


class Storage(Protocol):
    """An OUT. Units write into `folder`, a local one; the rest is where OUT differs from it.

    Attributes:
        folder: where units and the driver work.
        at_once: how many outputs are looked at together.
    """

    @property
    def folder(self) -> Path:
        """See the class."""
        ...

    @property
    def at_once(self) -> int:
        """See the class."""
        ...

    def name_of(self, path: Path) -> str:
        """Where what stands in `folder` is to be found, for people."""
        ...

    def inside(self, source: str) -> str:
        """Where it lies in a source that is a URL, to be left out; "" if it does not.

        Raises:
            UsageError: it is SRC, or SRC lies in it.
        """
        ...

    def locked(self, say: Callable[[str], None] | None) -> AbstractContextManager[Lock]:
        """Keep other drivers out."""
        ...

    def fence(self, lock: Lock) -> Fence | None:
        """What keeps late workers from OUT; None where they do not write to it themselves."""
        ...

    def is_running(self) -> bool:
        """Whether a driver holds it, as far as one look can tell."""
        ...

    def open_records(self) -> None:
        """Bring what earlier runs recorded into `folder`."""
        ...

    def keep_records(self) -> None:
        """Make what was added to the manifest last."""
        ...

    def keep_summary(self, lock: Lock) -> None:
        """Make the summary last; the last thing of a run that holds the lock."""
        ...

    def keep_page(self) -> None:
        """Make the page last."""
        ...

    def holds(self, report: ItemReport) -> bool:
        """Whether the recorded output is there, with its size; folders by their name alone."""
        ...

    def problem(self, name: str, sha256: str) -> str:
        """What is wrong with an output, by its content; empty if nothing is."""
        ...

    def drop_segments(self, film_key: str) -> None:
        """Remove the segments of a film that is recorded."""
        ...

    def leftovers(self) -> list[Leftover]:
        """What no later run needs; by the records that were opened, under the lock."""
        ...

    def remove(self, leftover: Leftover) -> None:
        """Remove it."""
        ...

    def worker(self, worker: Worker) -> Worker:
        """The worker whose outputs are in OUT when it answers."""
        ...

    def close(self) -> None:
        """Remove what stood in `folder` only for the time of the run."""
        ...


@dataclass(frozen=True)
class LocalFolder:
    """OUT is `folder` itself; see Storage."""

    folder: Path
    at_once: int = 1

    def __str__(self) -> str:
        return str(self.folder)

    def name_of(self, path: Path) -> str:
        """See Storage."""
        return str(path)

    def inside(self, source: str) -> str:
        """No URL leads here."""
        del source
        return ""

    def locked(self, say: Callable[[str], None] | None) -> OutputLock:
        """See Storage."""
        return OutputLock(RunFolder(self.folder).lock, say=say)

    def fence(self, lock: Lock) -> Fence | None:
        """See Storage."""
        return Fence(self.folder, lock.token)

    def is_running(self) -> bool:
        """See Storage."""
        return is_locked(RunFolder(self.folder).lock)

    def open_records(self) -> None:
        """They are there; those of a copy of an OUT in object storage become a manifest."""
        join_copied(RunFolder(self.folder).manifest)

    def keep_records(self) -> None:
        """They are kept by being written."""

    def keep_summary(self, lock: Lock) -> None:
        """It is kept by being written."""

    def keep_page(self) -> None:
        """It is kept by being written."""

    def holds(self, report: ItemReport) -> bool:
        """See Storage."""
        try:
            found = self._look.stat(report.output)
        except UnsafePathError:
            return False
        # A folder of frames is checked by --verify only.
        return found is not None and (not S_ISREG(found.st_mode) or found.st_size == report.size)

    @cached_property
    def _look(self) -> OutputLook:
        return OutputLook(self.folder)

    def problem(self, name: str, sha256: str) -> str:
        """See Storage."""
        try:
            path = output_in(self.folder, name)
            if not path.exists():
                return "missing"
            found = content_sha256(path)
        except UnsafePathError as error:
            return error.message
        except OSError as error:
            return f"cannot be read: {error.strerror or error}"
        return "" if found == sha256 else "differs from what was recorded"

    def drop_segments(self, film_key: str) -> None:
        """See Storage."""
        shutil.rmtree(RunFolder(self.folder).segments(film_key), ignore_errors=True)

    def leftovers(self) -> list[Leftover]:
        """See Storage."""
        return find_leftovers(self.folder)

    def remove(self, leftover: Leftover) -> None:
        """See Storage; with it go the folders that are empty then."""
        path = self.folder / leftover.name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent == self.folder or any(parent.iterdir()):
                return
            parent.rmdir()

    def worker(self, worker: Worker) -> Worker:
        """It writes to OUT itself."""
        return worker

    def close(self) -> None:
        """Nothing of it is for a time."""
