"""One driver per OUT."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from colorize_core.archive.records.lock_holder import Holder, boot_id, read_holder
from colorize_core.atomic import TEMP_PREFIX
from colorize_core.errors import LockLostError, OutputLockedError, UsageError, is_disk_full

HEARTBEAT_SECONDS = 5.0
# A lock of another machine that beat within this time is left alone without looking further.
STALE_SECONDS = 180.0
# How long one that seems to be dead is watched before it is taken: four heartbeats.
WATCH_SECONDS = 20.0
_LOOK_SECONDS: Final = 0.1
_LOOKS: Final = 10
_BUSY: Final = frozenset({errno.EWOULDBLOCK, errno.EACCES})
_ROOM: Final = 512  # bytes of the file, so that every heartbeat is one write over the last


class OutputLock:
    """A lock file in OUT: who holds it, and a heartbeat.

    The kernel's own lock on the file settles it between all processes of one machine, in whatever
    container, asleep or not. Where that says nothing (another machine, shares without locks), a
    process of this namespace is looked up; any other holder is watched: it is dead when its file
    does not change for WATCH_SECONDS of this process' own time, whatever the clocks say.

    A driver that slept may find its successor's file in place of its own. So each heartbeat and
    each `check` reads first, and heartbeats go into the file that this process made, never to the
    name.

    Args:
        path: the lock file.
        say: prints a line when it takes a while to find out.

    Raises:
        OutputLockedError: on entering, when a live driver holds it.
        UsageError: on entering, when it cannot be written.
    """

    def __init__(self, path: Path, *, say: Callable[[str], None] | None = None) -> None:
        self.path = path
        self._say = say
        self._holder = Holder.this_process(uuid.uuid4().hex)
        self._descriptor = -1
        self._lost = False
        self._stop = threading.Event()
        self._beat = threading.Thread(target=self._heartbeat, name="lock-heartbeat", daemon=True)

    def __enter__(self) -> OutputLock:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            while not self._create():
                self._free()
        except OSError as error:
            if is_disk_full(error):
                raise
            raise UsageError(
                f"{self.path}: cannot be written: {error.strerror or error}",
                remedy="choose another --out, or make it writable",
            ) from error
        self._beat.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._beat.join()
        with suppress(OSError, OutputLockedError):  # what is left of it, the next driver removes
            if self._is_ours():
                self.path.unlink(missing_ok=True)
        os.close(self._descriptor)

    @property
    def token(self) -> str:
        """No two holders have the same."""
        return self._holder.token

    def check(self) -> None:
        """Look that this driver still holds OUT; to be called before anything is recorded.

        Raises:
            LockLostError: it does not.
        """
        if self._lost or not self._is_ours():
            self._lost = True
            holder = read_holder(self.path)
            raise LockLostError(
                f"{self.path}: another run took over while this one slept ({holder.words})"
                if holder.token
                else f"{self.path}: the lock of this run was removed",
                remedy="let that one finish; the same command resumes",
            )

    def _create(self) -> bool:
        """Make the file, all of it at once: who dies in between leaves none that names nobody."""
        aside = self._aside()
        self._write_new(aside)
        try:
            os.link(aside, self.path)
        except FileExistsError:
            os.close(self._descriptor)
            return False
        except OSError:  # a share without links, or a driver that cleans up: the plain way
            os.close(self._descriptor)
            return self._create_in_place()
        finally:
            aside.unlink(missing_ok=True)
        return True

    def _create_in_place(self) -> bool:
        try:
            self._write_new(self.path)
        except FileExistsError:
            return False
        return True

    def _write_new(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644)
        self._holder = replace(self._holder, locked=_lock_file(self._descriptor))
        self._write()

    def _write(self) -> None:
        os.pwrite(self._descriptor, self._holder.to_bytes().ljust(_ROOM), 0)

    def _aside(self) -> Path:
        return self.path.with_name(f"{TEMP_PREFIX}{self._holder.token}")

    def _is_ours(self) -> bool:
        return read_holder(self.path).token == self._holder.token

    def _heartbeat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            try:
                if not self._is_ours():
                    self._lost = True
                    return
                self._holder = replace(
                    self._holder, heartbeat=time.time(), beats=self._holder.beats + 1
                )
                self._write()
            except (OSError, OutputLockedError):
                # A full disk must not end the run here: the photos' own writes report it.
                continue

    def _free(self) -> None:
        """Remove the file of a holder that is dead; OutputLockedError if it is not."""
        holder = read_holder(self.path)
        state = _state(self.path)
        if state is None:
            return
        alive = False if _is_abandoned(self.path, holder) else holder.is_alive()
        # One of this machine's name is another container, or was there before a reboot; one without
        # a name is being written just now, or its writer died of it.
        is_elsewhere = bool(holder.token) and holder.host != socket.gethostname()
        if alive or (alive is None and is_elsewhere and _is_recent(self.path, holder)):
            raise self._refusal(holder)
        if alive is None:
            if self._say is not None:
                self._say(f"{self.path}: watching whether {holder.words} still writes here")
            if _changes(self.path, state):
                raise self._refusal(holder)
        # Two drivers may both see a dead lock: the rename lets only one of them remove it.
        aside = self._aside()
        try:
            if _state(self.path) != state:
                return
            self.path.rename(aside)
            if read_holder(aside).token != holder.token:
                _put_back(aside, self.path)
            aside.unlink()
        except FileNotFoundError:
            return

    def _refusal(self, holder: Holder) -> OutputLockedError:
        return OutputLockedError(
            f"{self.path.parent.parent}: another run is writing here ({holder.words})",
            remedy="wait for it, stop it, or choose another OUT",
        )


def is_locked(path: Path) -> bool:
    """Whether a driver holds the lock, as far as one look can tell."""
    if _state(path) is None:
        return False
    holder = read_holder(path)
    alive = holder.is_alive()
    return alive if alive is not None else _is_recent(path, holder)


def _lock_file(descriptor: int) -> bool:
    """Take the kernel's lock of a new file; False where the share knows none."""
    for _ in range(_LOOKS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _BUSY:
                return False
            time.sleep(_LOOK_SECONDS)  # another driver looks whether it is abandoned
        else:
            return True
    return False


def _is_abandoned(path: Path, holder: Holder) -> bool:
    """Whether a holder of this very kernel no longer has its file locked.

    Raises:
        OutputLockedError: it has.
    """
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            raise OutputLockedError(
                f"{path.parent.parent}: another run is writing here ({holder.words})",
                remedy="wait for it, stop it (it may be suspended), or choose another OUT",
            ) from error
        return False
    finally:
        os.close(descriptor)
    return holder.locked and holder.boot == boot_id()


def _is_recent(path: Path, holder: Holder) -> bool:
    """Whether it beat a short while ago by the clocks of both its machine and its disk."""
    now = time.time()
    try:
        beaten = path.stat().st_mtime
    except FileNotFoundError:
        return False
    if not holder.token:  # just created and not yet written, or torn by a power cut
        return 0 <= now - beaten < 2 * HEARTBEAT_SECONDS
    return all(0 <= now - moment < STALE_SECONDS for moment in (beaten, holder.heartbeat))


def _state(path: Path) -> tuple[object, ...] | None:
    """What changes with every heartbeat; None when the file is gone."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, read_holder(path)


def _changes(path: Path, state: tuple[object, ...]) -> bool:
    deadline = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        found = _state(path)
        if found is not None and found != state:
            return True
        if found is None:
            return False
    return False


def _put_back(aside: Path, path: Path) -> None:
    try:
        os.link(aside, path)  # unlike a rename, it overwrites no third one's
    except OSError:
        return
