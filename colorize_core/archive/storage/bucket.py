"""An OUT in object storage. Units work in a local folder; what they finish is put into OUT."""

from __future__ import annotations

import hashlib
import math
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from colorize_core.archive.records.leftovers import Leftover, unneeded_segments
from colorize_core.archive.records.lock import OutputLock
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.output_paths import output_in
from colorize_core.archive.records.run_folder import (
    PAGE_FOLDER,
    SEGMENTS_FOLDER,
    RunFolder,
    segment_folder,
)
from colorize_core.archive.records.work import ItemReport
from colorize_core.archive.storage.address import Address
from colorize_core.archive.storage.lock import ObjectLock, is_held
from colorize_core.archive.storage.objects import AT_ONCE, Objects, each
from colorize_core.archive.storage.parts import Parts
from colorize_core.archive.storage.publishing import Publishing
from colorize_core.archive.storage.storage import Lock, Worker
from colorize_core.atomic import STATE_FOLDER, file_sha256
from colorize_core.errors import StorageError, UnsafePathError, UsageError

_STATE_SECONDS: Final = 15.0
# The small records; not the manifest, the lock and the segments.
_STATE: Final = re.compile(rf"{re.escape(STATE_FOLDER)}/[^/]+\.json")
# No output is called so: sources are photos and films.
_DATA: Final = re.compile(rf"{PAGE_FOLDER}/data/[0-9a-f]{{12}}/[a-z0-9-]+\.js")


@dataclass
class Bucket:
    """See Storage.

    Args:
        address: OUT.
        folder: a local one of this run, emptied at its beginning and removed at its end.
    """

    address: Address
    folder: Path
    at_once: int = AT_ONCE
    _is_mine: bool = field(default=False, init=False)
    _until_closed: ExitStack = field(default_factory=ExitStack, init=False, repr=False)
    _state_kept: float = field(default=-math.inf, init=False)

    def __str__(self) -> str:
        return str(self.address)

    @cached_property
    def objects(self) -> Objects:
        """What is in OUT."""
        return Objects(self.address)

    @cached_property
    def _parts(self) -> Parts:
        return Parts(self.objects, self._run.manifest)

    @cached_property
    def _there(self) -> dict[str, int]:
        """What was there when it was first asked."""
        return self.objects.sizes()

    @cached_property
    def _folders(self) -> frozenset[str]:
        return frozenset(name.rpartition("/")[0] for name in self._there)

    @property
    def _run(self) -> RunFolder:
        return RunFolder(self.folder)

    def __getstate__(self) -> dict[str, object]:
        # To a worker, which opens the storage by itself.
        return {"address": self.address, "folder": self.folder, "at_once": self.at_once}

    def name_of(self, path: Path) -> str:
        """See Storage."""
        return f"{self}/{path.relative_to(self.folder).as_posix()}"

    def inside(self, source: str) -> str:
        """See Storage."""
        inside = self.address.inside(source)
        if inside == "" or self.address.contains(source):
            raise UsageError(
                f"SRC lies in OUT: {self}",
                remedy="choose another OUT: originals are never written",
            )
        return inside or ""

    @contextmanager
    def locked(self, say: Callable[[str], None] | None) -> Iterator[Lock]:
        """See Storage. Two drivers of this machine must not share a folder either: see `close`."""
        self._until_closed.enter_context(OutputLock(self._run.lock, say=say))
        self._is_mine = True
        with ObjectLock(self.objects, say=say) as lock:
            self.objects.abort_uploads()
            yield lock

    def fence(self, lock: Lock) -> None:
        """None: a worker that was given up can only put what is whole, and the same again."""
        del lock

    def is_running(self) -> bool:
        """See Storage."""
        return is_held(self.objects)

    def open_records(self) -> None:
        """See Storage.

        Raises:
            UsageError: OUT cannot be reached.
        """
        self._empty()
        try:
            self._parts.open()
            each(self._fetch, filter(_STATE.fullmatch, self.objects.sizes(f"{STATE_FOLDER}/")))
        except StorageError as error:
            raise UsageError(error.message, remedy=error.remedy) from error

    def keep_records(self) -> None:
        """See Storage."""
        self._parts.keep()
        if time.monotonic() - self._state_kept > _STATE_SECONDS:
            self._keep_state()

    def keep_summary(self, lock: Lock) -> None:
        """See Storage."""
        self._parts.keep()
        self._keep_state()
        lock.check()
        self._parts.make_whole()

    def keep_page(self) -> None:
        """See Storage. The page comes last, and only then what it no longer names goes."""
        page = self._run.page / "index.html"
        new = [path for path in self._run.page.rglob("*") if path.is_file() and path != page]
        each(self._put, [*new, *filter(Path.exists, [self._run.checksums])])
        self._put(page)
        names = {path.relative_to(self.folder).as_posix() for path in new}
        found = self.objects.sizes(f"{PAGE_FOLDER}/data/")
        self.objects.remove(n for n in found if _DATA.fullmatch(n) and n not in names)

    def holds(self, report: ItemReport) -> bool:
        """See Storage."""
        if report.output is None:
            return False
        size = self._there.get(report.output)
        return size == report.size if size is not None else report.output in self._folders

    def problem(self, name: str, sha256: str) -> str:
        """See Storage."""
        try:
            output_in(self.folder, name)
            found = self._sha256(name)
        except UnsafePathError as error:
            return error.message
        except FileNotFoundError:
            return "missing"
        return "" if found == sha256 else "differs from what was recorded"

    def drop_segments(self, film_key: str) -> None:
        """See Storage."""
        shutil.rmtree(self._run.segments(film_key), ignore_errors=True)
        self.objects.remove(self.objects.sizes(f"{segment_folder(film_key)}/"))

    def leftovers(self) -> list[Leftover]:
        """See Storage. Segments: nothing unfinished is ever seen there."""
        sizes: Counter[str] = Counter()
        for name, size in self.objects.sizes(f"{SEGMENTS_FOLDER}/").items():
            sizes[name.split("/")[-2]] += size
        found = unneeded_segments(Manifest(self._run.manifest), sizes)
        return [Leftover(segment_folder(key), why, sizes[key]) for key, why in found]

    def remove(self, leftover: Leftover) -> None:
        """See Storage."""
        self.objects.remove(self.objects.sizes(f"{leftover.name}/"))

    def worker(self, worker: Worker) -> Worker:
        """See Storage."""
        return Publishing(worker, self.objects, self.folder)

    def close(self) -> None:
        """See Storage. The folder of another driver, for which this one was refused, stays."""
        if not self._is_mine:
            return
        self._empty()
        self._until_closed.close()
        with suppress(OSError):  # the next driver has begun
            self._run.state.rmdir()
            self.folder.rmdir()

    def _empty(self) -> None:
        for path in (*self.folder.glob("*"), *self._run.state.glob("*")):
            if path not in (self._run.state, self._run.lock):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _put(self, path: Path) -> None:
        self.objects.put_file(path.relative_to(self.folder).as_posix(), path)

    def _fetch(self, name: str) -> None:
        self.objects.fetch(name, self.folder / name)

    def _keep_state(self) -> None:
        """The small records, such as makers and progress."""
        files = (path for path in self._run.state.glob("[!.]*.json") if path != self._run.lock)
        each(self._put, files)
        self._state_kept = time.monotonic()

    def _sha256(self, name: str) -> str:
        """Of a file, or of a folder as `folder_sha256`."""
        if self.objects.size(name) is not None:
            return self._file_sha256(name)
        inside = {n[len(name) + 1 :]: n for n in self.objects.sizes(f"{name}/")}
        files = sorted(short for short in inside if "/" not in short)
        if not files:
            raise FileNotFoundError(name)
        digest = hashlib.sha256()
        for short in files:
            digest.update(os.fsencode(short) + b"\0" + self._file_sha256(inside[short]).encode())
        return digest.hexdigest()

    def _file_sha256(self, name: str) -> str:
        copy = self._run.staging / "verify" / hashlib.sha256(os.fsencode(name)).hexdigest()
        try:
            self.objects.fetch(name, copy)
            return file_sha256(copy)
        finally:
            copy.unlink(missing_ok=True)
