"""Files behind fsspec URLs: what is there, their state, and streams of their bytes."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from colorize_core.errors import (
    ColorizeError,
    InputError,
    MissingError,
    ServerError,
    UsageError,
    is_disk_full,
)

CHUNK_BYTES = 1 << 20
# Set by the command line; workers read it.
FOLLOW_REDIRECTS = "COLORIZE_FOLLOW_REDIRECTS"
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://|^[A-Za-z][A-Za-z0-9+-]*::")
_KEY = re.compile(r"^s3a?://[^/]*@", re.IGNORECASE)
# What file systems call the mark of a file's version, best first.
_MARKS = {
    "ETag": "etag",
    "etag": "etag",
    "e_tag": "etag",
    "md5Hash": "md5",
    "generation": "generation",
    "Last-Modified": "modified",
    "LastModified": "modified",
    "last_modified": "modified",
    "mtime": "modified",
    "modified": "modified",
    "created": "created",
}


def is_url(source: str) -> bool:
    """Whether `source` is an fsspec URL rather than a path."""
    return _URL.match(source) is not None


def name_of(url: str) -> str:
    """Last part of a URL's path, decoded, without query."""
    path = urlsplit(url).path.rstrip("/")
    return unquote(path.rpartition("/")[2])


def is_http(url: str) -> bool:
    """Whether a web server answers there, and no object storage."""
    return url.startswith(("http://", "https://"))


def refuse_key(url: str) -> None:
    """Refuse an address of a bucket with a key in it, without saying it again.

    Raises:
        UsageError: there is one.
    """
    if _KEY.match(url):
        raise UsageError(
            f"{url.partition(':')[0]}://...: a key does not belong into an address",
            remedy="put it into the environment or ~/.aws/credentials",
        )


def open_system(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it.

    Raises:
        UsageError: unknown protocol, its package is not installed, or there is a key in the URL.
    """
    refuse_key(url)
    import fsspec  # a third of a second that local sources need not pay

    try:
        # A listing that is kept would hide what others change, or this process itself.
        options: dict[str, Any] = {"use_listings_cache": False}
        if is_http(url):
            from colorize_core.archive.source.web import make_session

            options["get_client"] = make_session
        system, path = fsspec.url_to_fs(url, **options)
    except (ValueError, ImportError) as error:
        raise UsageError(
            f"{url}: {error}",
            remedy="install fsspec's package for this protocol, or copy the files",
        ) from error
    return system, cast(str, path)


@contextmanager
def remote_errors(url: str) -> Iterator[None]:
    """Translate what a server answers: final refusals to InputError, the rest to OSError."""
    try:
        yield
    except ColorizeError:
        raise
    except Exception as error:
        # fsspec's http hides every failed request behind FileNotFoundError; the cause tells.
        cause = error.__cause__ if isinstance(error, FileNotFoundError) else error
        if isinstance(cause, InputError):
            raise cause from error
        status = getattr(cause, "status", None)
        if status in (404, 410) or (isinstance(error, FileNotFoundError) and cause is None):
            raise MissingError(f"{url}: not there any more", remedy="check the source") from error
        if status in (401, 403, 451) or isinstance(error, PermissionError):
            raise InputError(
                f"{url}: access denied", remedy="check the credentials for this source"
            ) from error
        if is_disk_full(error) or (isinstance(error, OSError) and error.filename):
            raise  # of this machine
        if is_http(url):
            from colorize_core.archive.source.web import in_words, is_of_the_web

            if not is_of_the_web(cause or error):
                raise
            # aiohttp's dropped connections and 5xx are no OSError, but pass like one.
            raise ServerError(errno.EIO, f"{url}: {in_words(cause or error)}") from error
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise
        raise ServerError(errno.EIO, f"{url}: {cause or error}") from error


def remote_state(url: str) -> tuple[int, str]:
    """Size in bytes (0: the server does not say) and stamp of one remote file.

    Raises:
        MissingError, InputError: not there, or not allowed.
        OSError: the server cannot be reached now.
    """
    with remote_errors(url):
        system, path = open_system(url)
        return state_of(system.info(path))


def state_of(info: Mapping[str, Any]) -> tuple[int, str]:
    """Size in bytes, 0 where it is not told, and what changes when the object does."""
    mark = next((key for key in _MARKS if info.get(key)), None)
    value = info[mark] if mark else ""
    # Some file systems give one time as a datetime here and as a number there.
    value = value.timestamp() if isinstance(value, datetime) else value
    return int(info.get("size") or 0), f"{_MARKS[mark] if mark else 'unknown'}:{value}"


def open_stream(url: str) -> BinaryIO:
    """Open a remote file for reading once from its beginning; call inside `remote_errors`."""
    system, path = open_system(url)
    if is_http(url):
        from colorize_core.archive.source.web import Download

        return cast(BinaryIO, Download(system, path))
    return cast(BinaryIO, system.open(path, "rb"))


def open_seekable(url: str) -> BinaryIO | None:
    """Open a remote file for reading at random, or None if the server cannot do that."""
    with remote_errors(url):
        system, path = open_system(url)
        size, _ = state_of(system.info(path))
        if not size:
            return None
        file = system.open(path, "rb")
        try:
            file.seek(size - 1)
            file.read(1)
            file.seek(0)
        except ValueError:
            file.close()
            return None
        if is_http(url):
            from colorize_core.archive.source.web import PatientFile

            file = PatientFile(file)
        return cast(BinaryIO, file)
