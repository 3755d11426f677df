"""A local folder that is kept in object storage, too: that of a training."""

from __future__ import annotations

from pathlib import Path

from colorize_core.archive.records.output_paths import output_in
from colorize_core.archive.storage.address import Address
from colorize_core.archive.storage.objects import Objects, each
from colorize_core.atomic import TEMP_PREFIX


class Mirror:
    """Fetches what is there, then puts what is new or changed and removes what has gone here.

    One process writes at a time; others may fetch.

    Args:
        address: of the folder in object storage.
        folder: here.

    Every method raises:
        StorageError: the storage does not answer, or refuses.
        UnsafePathError: an object's name leads out of the folder.
    """

    def __init__(self, address: Address, folder: Path) -> None:
        self._objects, self._folder = Objects(address), folder
        self._kept: dict[str, tuple[int, int]] = {}  # size and time of what is the same there

    def fetch(self) -> None:
        """Bring here what is there: where both have a file, that of the storage counts."""
        sizes, here = self._objects.sizes(), self._here
        each(self._fetch, (n for n, size in sizes.items() if here.get(n, (-1, 0))[0] != size))
        here = self._here
        self._kept = {name: here[name] for name in sizes}

    def keep(self) -> None:
        """Make the storage the same as the folder; an older checkpoint goes after the newer came.

        Nothing goes that was not fetched or put by this.
        """
        here = self._here
        each(self._put, (name for name, found in here.items() if self._kept.get(name) != found))
        self._objects.remove(self._kept.keys() - here.keys())
        self._kept = here

    @property
    def _here(self) -> dict[str, tuple[int, int]]:
        files = (path for path in self._folder.rglob("*") if path.is_file())
        return {
            path.relative_to(self._folder).as_posix(): ((s := path.stat()).st_size, s.st_mtime_ns)
            for path in files
            if not path.name.startswith(TEMP_PREFIX)
        }

    def _fetch(self, name: str) -> None:
        self._objects.fetch(name, output_in(self._folder, name))

    def _put(self, name: str) -> None:
        self._objects.put_file(name, self._folder / name)
