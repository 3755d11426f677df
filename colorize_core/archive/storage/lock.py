"""One driver per OUT in object storage: the lock is the newest of numbered objects."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Final

from colorize_core.archive.records.lock import STALE_SECONDS
from colorize_core.archive.records.lock_holder import Holder, parse_holder
from colorize_core.archive.storage.objects import Objects, no_exclusive_creation
from colorize_core.atomic import STATE_FOLDER
from colorize_core.errors import (
    ColorizeError,
    LockLostError,
    OutputLockedError,
    StorageError,
    UsageError,
)

HEARTBEAT_SECONDS: Final = 15.0
LOOK_SECONDS: Final = 5.0
_LAST_PATIENCE: Final = 5.0
FOLDER: Final = f"{STATE_FOLDER}/lock/"
_FREE: Final = b"{}"  # what a driver that ended leaves: numbers never start again


class ObjectLock:
    """Holds OUT as long as it writes the next number.

    A number is created only if it is not there, so of two drivers one gets it. Each heartbeat is
    the next number. A driver that sees no new one for `stale` seconds of its own clock takes the
    next: no two clocks are compared. A driver that slept sees a number above its own and stops.

    Args:
        objects: of OUT.
        say: prints a line when it takes a while to find out.
        stale: seconds without a heartbeat after which a holder is dead.
        heartbeat: seconds from one to the next.

    Raises:
        OutputLockedError: on entering, when another driver holds it.
        UsageError: on entering, when the storage cannot be written or cannot create exclusively.
    """

    def __init__(
        self,
        objects: Objects,
        *,
        say: Callable[[str], None] | None = None,
        stale: float = STALE_SECONDS,
        heartbeat: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._objects, self._say = objects, say
        self._stale, self._every = stale, heartbeat
        self._holder = Holder.this_process(uuid.uuid4().hex)
        self._number = 0
        self._lost = False
        self._busy = threading.Lock()  # a check between the creation and the number of a beat
        self._stop = threading.Event()
        self._beat = threading.Thread(target=self._heartbeat, name="lock-heartbeat", daemon=True)

    def __enter__(self) -> ObjectLock:
        try:
            while not self._create(self._next_number()):
                pass  # another driver was quicker: look at it
            self._require_exclusive()
        except StorageError as error:
            raise UsageError(error.message, remedy=error.remedy) from error
        self._beat.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._beat.join(self._every)
        if isinstance(error, StorageError):
            self._objects.patience = min(self._objects.patience, _LAST_PATIENCE)
        # What is not freed is taken over when it has been silent for long enough.
        with suppress(ColorizeError):
            if self._is_ours() and self._objects.put_new(_name(self._number + 1), _FREE):
                self._remove_below(self._number + 1)

    @property
    def token(self) -> str:
        """No two drivers have the same."""
        return self._holder.token

    def check(self) -> None:
        """Look that this driver still holds OUT; to be called before anything is recorded.

        Raises:
            LockLostError: it does not.
        """
        if self._lost or not self._is_ours():
            self._lost = True
            raise LockLostError(
                f"{self._objects.address}: another run took over while this one slept",
                remedy="let that one finish; the same command resumes",
            )

    def _next_number(self) -> int:
        """The number to create; waits until the holder of the last one has shown what it is."""
        newest = _newest(self._objects)
        if newest == 0:
            return 1
        holder = read(self._objects, newest)
        if holder is None or not holder.token:
            return newest + 1
        alive = holder.is_alive()
        if alive is None:
            if self._say is not None:
                self._say(
                    f"{self._objects.address}: watching for {self._stale:.0f} s whether "
                    f"{holder.words} still writes there"
                )
            alive = self._beats(newest)
        if alive:
            raise OutputLockedError(
                f"{self._objects.address}: another run is writing there ({holder.words})",
                remedy="wait for it, stop it, or choose another OUT",
            )
        return newest + 1

    def _beats(self, newest: int) -> bool:
        deadline = time.monotonic() + self._stale
        while time.monotonic() < deadline:
            time.sleep(min(LOOK_SECONDS, self._stale / 10))
            if _newest(self._objects) > newest:
                return True
        return False

    def _create(self, number: int) -> bool:
        if not self._objects.put_new(_name(number), self._holder.to_bytes()):
            return False
        self._number = number
        return True

    def _require_exclusive(self) -> None:
        """Try what must not succeed: a storage that does not know the condition passes over it."""
        other = replace(self._holder, token="")
        if self._objects.put_new(_name(self._number), other.to_bytes()):
            self._objects.remove([_name(self._number)])
            raise no_exclusive_creation(self._objects.address)

    def _is_ours(self) -> bool:
        with self._busy:
            return _newest(self._objects) == self._number

    def _heartbeat(self) -> None:
        while not self._stop.wait(self._every):
            try:
                with self._busy:
                    self._holder = replace(self._holder, heartbeat=time.time())
                    beaten = _newest(self._objects) == self._number and self._create(
                        self._number + 1
                    )
                if not beaten:
                    self._lost = True
                    return
                self._remove_below(self._number)
            except StorageError:
                continue  # `check` tells whether that was too long

    def _remove_below(self, number: int) -> None:
        numbers = (_number(name) for name in self._objects.sizes(FOLDER))
        self._objects.remove([_name(n) for n in numbers if 0 < n < number])


def is_held(objects: Objects) -> bool:
    """Whether a driver holds OUT, as far as one look can tell: it has not freed it."""
    newest = _newest(objects)
    holder = read(objects, newest) if newest else None
    if holder is None or not holder.token:
        return False
    alive = holder.is_alive()
    return abs(time.time() - holder.heartbeat) < STALE_SECONDS if alive is None else alive


def read(objects: Objects, number: int) -> Holder | None:
    """Who wrote a number; None where it is gone."""
    try:
        return parse_holder(objects.read(_name(number)))
    except FileNotFoundError:
        return None


def _newest(objects: Objects) -> int:
    return max((_number(name) for name in objects.sizes(FOLDER)), default=0)


def _name(number: int) -> str:
    return f"{FOLDER}{number:012d}.json"


def _number(name: str) -> int:
    digits = name.removeprefix(FOLDER).removesuffix(".json")
    return int(digits) if digits.isascii() and digits.isdigit() else 0
