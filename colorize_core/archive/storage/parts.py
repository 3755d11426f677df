"""The manifest in object storage: numbered parts, each written once; at the end they become one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Final

from colorize_core.archive.storage.objects import AT_ONCE, Objects
from colorize_core.archive.storage.part_names import (
    FOLDER,
    WHOLE,
    in_order,
    part_name,
    part_number,
)
from colorize_core.errors import StorageError

_TRIES: Final = 5  # of a reader, while a driver makes one of the parts
_READ_AT_ONCE: Final = 64


class Parts:
    """Keeps a local manifest file in step with the parts of OUT.

    Args:
        objects: of OUT.
        path: the local file.
    """

    def __init__(self, objects: Objects, path: Path) -> None:
        self._objects, self._path = objects, path
        self._number = 0
        self._kept = 0  # bytes of the local file that are in OUT
        self._since_whole = 0  # parts

    def open(self) -> None:
        """Write the local file from what is in OUT.

        Raises:
            StorageError: it cannot be read, or changes all the time.
        """
        for _ in range(_TRIES):
            try:
                self._read()
            except FileNotFoundError:  # parts became one meanwhile
                continue
            return
        raise StorageError(
            f"{self._objects.address}: the records change all the time", remedy="try again later"
        )

    def keep(self) -> bool:
        """Write what was added to the local file as the next part; whether there was anything."""
        if not self._path.exists():
            return False
        with self._path.open("rb") as file:
            file.seek(self._kept)
            added = file.read()
        if not added:
            return False
        # A number that is taken is of a driver that lost the lock as it wrote: its lines are
        # whole and read by the next run.
        self._number = next(
            number
            for number in count(self._number + 1)
            if self._objects.put_new(part_name(number), added)
        )
        self._kept += len(added)
        self._since_whole += 1
        return True

    def make_whole(self) -> None:
        """Make one object of all parts, and then remove them."""
        if not self._since_whole:
            return
        self._objects.put_file(part_name(self._number, WHOLE), self._path)
        self._since_whole = 0
        newest = part_name(self._number, WHOLE)
        names = self._objects.sizes(FOLDER)
        self._objects.remove(n for n in names if part_number(n) <= self._number and n != newest)

    def _read(self) -> None:
        names = in_order(self._objects.sizes(FOLDER))
        parts = [name for name in names if not name.endswith(WHOLE)]
        self._path.unlink(missing_ok=True)
        for whole in names[: len(names) - len(parts)]:
            self._objects.fetch(whole, self._path)
        if parts:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.writelines(self._contents(parts))
        self._number = part_number(names[-1]) if names else 0
        self._kept = self._path.stat().st_size if self._path.exists() else 0
        self._since_whole = len(parts)

    def _contents(self, parts: list[str]) -> Iterator[bytes]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for start in range(0, len(parts), _READ_AT_ONCE):
                yield from pool.map(self._objects.read, parts[start : start + _READ_AT_ONCE])
