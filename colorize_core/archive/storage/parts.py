"""The manifest in object storage: numbered parts, each written once; at the end they become one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Final

from colorize_core.archive.storage.objects import AT_ONCE, Objects
from colorize_core.atomic import STATE_FOLDER
from colorize_core.errors import StorageError

FOLDER: Final = f"{STATE_FOLDER}/manifest/"
_WHOLE: Final = "-whole.jsonl"
_TRIES: Final = 5  # of a reader, while a driver makes one of the parts
_READ_AT_ONCE: Final = 64


class Parts:
    """Keeps a local manifest file in step with the parts of OUT.

    `N.jsonl` is a part, `N-whole.jsonl` all that was recorded up to N. The newest whole one and the
    parts above it are the manifest.

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
            if self._objects.put_new(_name(number), added)
        )
        self._kept += len(added)
        self._since_whole += 1
        return True

    def make_whole(self) -> None:
        """Make one object of all parts, and then remove them."""
        if not self._since_whole:
            return
        self._objects.put_file(_name(self._number, _WHOLE), self._path)
        self._since_whole = 0
        newest = _name(self._number, _WHOLE)
        names = self._objects.sizes(FOLDER)
        self._objects.remove(n for n in names if _number(n) <= self._number and n != newest)

    def _read(self) -> None:
        names = self._objects.sizes(FOLDER)
        whole = max((n for n in names if n.endswith(_WHOLE)), key=_number, default="")
        parts = sorted(
            (n for n in names if not n.endswith(_WHOLE) and _number(n) > _number(whole)),
            key=_number,
        )
        self._path.unlink(missing_ok=True)
        if whole:
            self._objects.fetch(whole, self._path)
        if parts:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.writelines(self._contents(parts))
        self._number = _number(parts[-1] if parts else whole)
        self._kept = self._path.stat().st_size if self._path.exists() else 0
        self._since_whole = len(parts)

    def _contents(self, parts: list[str]) -> Iterator[bytes]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for start in range(0, len(parts), _READ_AT_ONCE):
                yield from pool.map(self._objects.read, parts[start : start + _READ_AT_ONCE])


def _name(number: int, end: str = ".jsonl") -> str:
    return f"{FOLDER}{number:012d}{end}"


def _number(name: str) -> int:
    digits = name.removeprefix(FOLDER).partition(".")[0].partition("-")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else 0
