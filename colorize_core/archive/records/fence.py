"""Keeps what a run no longer counts on from changing what it records.

A worker that hangs is given up, and its unit runs elsewhere; a driver that slept may have a
successor. Either may wake up and publish. So a worker looks at the lock and for a mark of its own
before each rename, and the driver compares each file with what its worker published before it
records it. Between the last look and a rename some microseconds stay; what comes even later,
`--verify` finds.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from colorize_core.archive.records.lock_holder import read_holder
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.work import FileState, ItemReport, UnitReport
from colorize_core.atomic import content_sha256
from colorize_core.errors import FencedError

REPLACED = "another process replaced its output while this run worked on it"


@dataclass(frozen=True)
class Fence:
    """What a worker needs to know of its run, to tell whether it still belongs to it.

    Attributes:
        out: OUT.
        driver: token of the lock of the driver that started it.
        worker: its own token.
    """

    out: Path
    driver: str
    worker: str = ""

    def of_worker(self, token: str) -> Fence:
        """That of one worker of this run."""
        return replace(self, worker=token)

    def require(self) -> None:
        """Go on only as long as the run counts on this worker.

        Raises:
            FencedError: it does not.
        """
        folder = RunFolder(self.out)
        holder = read_holder(folder.lock)
        # Without a token it is being written just now: the next look sees more.
        if holder.token not in ("", self.driver) or not folder.lock.exists():
            raise FencedError(f"{folder.lock}: the run that started this worker is over")
        if self.worker and (folder.given_up / self.worker).exists():
            raise FencedError(f"worker {self.worker} was given up, its unit runs elsewhere")

    def give_up(self, worker: str) -> None:
        """Let a worker publish nothing more; without a disk to say it on, comparing has to do."""
        folder = RunFolder(self.out).given_up
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / worker).touch()


def without_replaced(report: UnitReport, out: Path) -> UnitReport:
    """A report before it is recorded: what is not as its worker published it goes to `retry`.

    Args:
        report: of a worker behind a fence; others' pass as they are.
        out: OUT.
    """
    wrong = {item.key: REPLACED for item in report.items if not _is_own(item, report, out)}
    if not wrong:
        return report
    items = tuple(item for item in report.items if item.key not in wrong)
    return replace(report, items=items, retry={**report.retry, **wrong})


def _is_own(item: ItemReport, report: UnitReport, out: Path) -> bool:
    published = report.files.get(item.output or "")
    if published is None:  # nothing was written
        return True
    path = out / str(item.output)
    try:
        # Where two machines see other numbers for one file, its content decides.
        return state_of(path) == published or content_sha256(path) == item.sha256
    except FileNotFoundError:
        return False


def state_of(path: Path) -> FileState:
    """Of a file that is there."""
    status = path.stat()
    return FileState(status.st_size, status.st_mtime_ns, status.st_ino)
