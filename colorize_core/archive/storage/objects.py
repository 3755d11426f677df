"""The objects below an address: whole ones only, asked for until the storage answers."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from colorize_core.archive.source.remote import open_system
from colorize_core.archive.storage.address import PACKAGES, Address
from colorize_core.atomic import publish
from colorize_core.errors import StorageError, UsageError, is_disk_full

# How long a storage that does not answer is asked again, on top of the client's own retries.
PATIENCE_SECONDS: Final = 120.0
_PAUSE_SECONDS: Final = 0.5  # doubled with every try
_LONGEST_PAUSE: Final = 15.0
AT_ONCE: Final = 8
_PART_BYTES: Final = 16 * 2**20  # of a multipart upload; four are in memory at a time
_MOST_PARTS: Final = 9_000
_THERE: Final = frozenset({"PreconditionFailed", "412"})
# botocore's words for what no second try changes.
_OF_SETTINGS: Final = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound")

T = TypeVar("T")


class Objects:
    """Reads and writes below `address`.

    Args:
        address: of OUT.
        patience: seconds for which an operation that fails is tried again; None for
            PATIENCE_SECONDS.

    Every method raises:
        StorageError: the storage does not answer, or refuses.
    """

    def __init__(self, address: Address, *, patience: float | None = None) -> None:
        self.address = address
        self.patience = PATIENCE_SECONDS if patience is None else patience
        try:
            self._system, self._root = open_system(str(address))
        except UsageError as error:
            raise UsageError(
                f"{address}: {error.message.partition(': ')[2] or error.message}",
                remedy=f"pip install {PACKAGES[address.scheme]}",
            ) from error

    def put(self, name: str, data: bytes) -> None:
        """Write an object; it is there as a whole when this returns, and before that not at all."""
        self._patiently(lambda: self._system.pipe_file(self._path(name), data))

    def put_file(self, name: str, path: Path, *, mtime_ns: int | None = None) -> None:
        """Write a file as an object; `mtime_ns` is kept as rclone keeps it."""
        options: dict[str, Any] = {}
        if self.address.scheme == "s3":
            size = path.stat().st_size
            options = {"chunksize": max(_PART_BYTES, size // _MOST_PARTS), "max_concurrency": 4}
            if mtime_ns is not None:
                seconds, rest = divmod(mtime_ns, 10**9)
                options["Metadata"] = {"mtime": f"{seconds}.{rest:09d}"}
        self._patiently(lambda: self._system.put_file(str(path), self._path(name), **options))

    def put_new(self, name: str, data: bytes) -> bool:
        """Write an object if there is none of this name; whether it was written.

        An answer may be lost and the object be there all the same, so `data` must be different for
        every writer.

        Raises:
            UsageError: the storage cannot do that.
        """

        def create() -> bool:
            try:
                self._system.pipe_file(self._path(name), data, mode="create")
            except Exception as error:
                if _code(error) in ("NotImplemented", "501"):
                    raise NotImplementedError from error
                if not _is_there(error):
                    raise
                return bytes(self._system.cat_file(self._path(name))) == data
            return True

        try:
            return self._patiently(create)
        except (TypeError, NotImplementedError) as error:
            raise no_exclusive_creation(self.address) from error

    def read(self, name: str) -> bytes:
        """An object's bytes.

        Raises:
            FileNotFoundError: there is none.
        """
        return bytes(self._patiently(lambda: self._system.cat_file(self._path(name))))

    def fetch(self, name: str, target: Path) -> None:
        """Copy an object to a local file, which appears as a whole.

        Raises:
            FileNotFoundError: there is none.
        """

        def get() -> None:
            size = self._system.info(self._path(name))["size"]
            with publish(target) as temporary:
                self._system.get_file(self._path(name), str(temporary))
                if temporary.stat().st_size != size:
                    raise OSError(errno.EIO, f"{name}: cut short")

        self._patiently(get)

    def size(self, name: str) -> int | None:
        """Bytes of an object; None where there is none."""
        try:
            info = self._patiently(lambda: self._system.info(self._path(name)))
        except FileNotFoundError:
            return None
        return int(info["size"]) if info["type"] == "file" else None

    def sizes(self, below: str = "") -> dict[str, int]:
        """Bytes of all objects below a folder, by their names; the folder ends with "/"."""
        root = self._path(below).rstrip("/")
        found = self._patiently(lambda: _find(self._system, root))
        return {name[len(self._root) + 1 :]: size for name, size in found.items()}

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects; those that are not there are no error."""

        def remove(name: str) -> None:
            def call() -> None:
                try:
                    self._system.rm_file(self._path(name))
                except FileNotFoundError:
                    return

            self._patiently(call)

        each(remove, names)

    def abort_uploads(self) -> None:
        """Remove the parts of uploads that a killed run left: nobody sees them, and they cost.

        Only the holder of the lock may call it. In a bucket that is OUT as a whole, an upload may
        be somebody else's: there they stay.
        """
        bucket, _, folder = self._root.partition("/")
        if self.address.scheme != "s3" or not folder:
            return
        # A storage may know no such list, or not allow it: a run needs it as little.
        with suppress(OSError):
            found = self._system.call_s3(
                "list_multipart_uploads", Bucket=bucket, Prefix=f"{folder}/"
            )
            for upload in found.get("Uploads", []):
                self._system.call_s3(
                    "abort_multipart_upload",
                    Bucket=bucket,
                    Key=upload["Key"],
                    UploadId=upload["UploadId"],
                )

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _patiently(self, call: Callable[[], T]) -> T:
        """Call until it succeeds, is refused for good, or patience ends."""
        deadline, pause = time.monotonic() + self.patience, _PAUSE_SECONDS
        while True:
            try:
                return call()
            except (FileNotFoundError, UsageError, TypeError, NotImplementedError) as error:
                if isinstance(error, FileNotFoundError) and _code(error) == "NoSuchBucket":
                    raise self._refusal(error, "make the bucket first") from error
                raise
            except Exception as error:
                if is_disk_full(error) or (isinstance(error, OSError) and error.filename):
                    raise  # of this machine
                if isinstance(error, PermissionError) or type(error).__name__ in _OF_SETTINGS:
                    raise self._refusal(error, "check the credentials and rights") from error
                if time.monotonic() + pause > deadline:
                    remedy = "check the network and the storage; the same command resumes"
                    raise self._refusal(error, remedy) from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _refusal(self, error: BaseException, remedy: str) -> StorageError:
        words = " ".join(str(getattr(error, "strerror", None) or error).split())
        return StorageError(f"{self.address}: {words or type(error).__name__}", remedy=remedy)


def each(call: Callable[[T], None], values: Iterable[T]) -> None:
    """Call for every value, some at once; what one of them raises is raised at the end."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(call, value) for value in values]:
            done.result()


def no_exclusive_creation(address: Address) -> UsageError:
    """The refusal of a storage that cannot keep two runs apart."""
    return UsageError(
        f"{address}: this storage does not create an object only if there is none of its name",
        remedy="take one that does (If-None-Match on PUT), or a local OUT and copy it",
    )


def _find(system: Any, root: str) -> dict[str, int]:
    """Bytes by name; names that end with "/" only show folders in a browser."""
    try:
        pairs = _pages(system, root) if "s3" in system.protocol else _all(system, root)
        return {n: size for n, size in pairs if n.startswith(f"{root}/") and n[-1] != "/"}
    except FileNotFoundError as error:
        if _code(error) == "NoSuchBucket":
            raise
        return {}


def _pages(system: Any, root: str) -> Iterator[tuple[str, int]]:
    """Page by page: all that s3fs knows of a million objects would fill a gigabyte."""
    bucket, _, folder = root.partition("/")
    where = {"Bucket": bucket, "Prefix": f"{folder}/" if folder else "", **system.req_kw}
    while True:
        page = system.call_s3("list_objects_v2", **where)
        for entry in page.get("Contents", []):
            yield f"{bucket}/{entry['Key']}", entry["Size"]
        if not page.get("IsTruncated"):
            return
        where["ContinuationToken"] = page["NextContinuationToken"]


def _all(system: Any, root: str) -> Iterator[tuple[str, int]]:
    for name, info in system.find(root, detail=True).items():
        if info["type"] == "file":
            yield name, int(info["size"])


def _code(error: BaseException) -> str:
    """S3's own word for an error."""
    response = getattr(error.__cause__, "response", None) or getattr(error, "response", None)
    return str(cast(Mapping[str, Any], response or {}).get("Error", {}).get("Code", ""))


def _is_there(error: Exception) -> bool:
    return isinstance(error, FileExistsError) or _code(error) in _THERE
