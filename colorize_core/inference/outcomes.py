"""What becomes of an exception while an item is worked on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from colorize_core.archive.records.in_hand import InHandFile
from colorize_core.archive.records.work import ItemId, ItemReport
from colorize_core.errors import (
    ColorizeError,
    InputError,
    OutOfMemoryError,
    in_words,
    is_disk_full,
    is_transient,
)
from colorize_core.inference.memory_ladder import is_out_of_memory

log = logging.getLogger(__name__)


class UnitOutcomes:
    """Collects the results of one unit.

    Args:
        in_hand: is told what the worker is at.
    """

    def __init__(self, in_hand: InHandFile | None = None) -> None:
        self._in_hand = in_hand or InHandFile(None)
        self.items: list[ItemReport] = []
        self.retry: dict[str, str] = {}
        self.blocked = ""
        self._logged: set[str] = set()

    def add(self, report: ItemReport) -> None:
        """An item ended."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.items.append(report if report.ended else replace(report, ended=now))
        if report.kind == "photo":
            self._in_hand.finish_photo(report.source)

    @contextmanager
    def item(self, about: ItemId) -> Iterator[None]:
        """Settle what the block raises."""
        self._in_hand.look_at(about.source)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - settle() records, retries or raises it
            self.settle(about, error)

    def settle(self, about: ItemId, error: Exception) -> None:
        """Record a failure, mark for retry, or stop: nothing is swallowed.

        Raises:
            ColorizeError: an error that is not about this input (no model, bad configuration).
        """
        if is_disk_full(error):
            self.blocked = str(error)
        elif isinstance(error, ColorizeError) and not isinstance(error, InputError):
            raise error
        elif isinstance(error, InputError):
            self.add(ItemReport.of_error(about, error))
        elif is_out_of_memory(error):
            remedy = "use a machine with more memory, or fewer --workers"
            self._fail(about, f"out of memory: {error}", remedy, OutOfMemoryError.kind)
        elif is_transient(error):
            self.retry[about.key] = in_words(error)
        else:
            # A bug of ours must not stop the archive, but it must be seen.
            reason = f"internal error: {type(error).__name__}: {error}"
            if reason not in self._logged:
                self._logged.add(reason)
                log.error("%s: %s", about.source, reason, exc_info=error)
            self._fail(about, reason, "please report it with the file", "internal")

    def _fail(self, about: ItemId, reason: str, remedy: str, kind: str) -> None:
        self.add(ItemReport.failed(about, reason=reason, remedy=remedy, error=kind))
