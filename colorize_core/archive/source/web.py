"""Web servers: how long they may be silent, downloads that go on after a break, redirects."""

from __future__ import annotations

import io
import os
import time
from typing import Any, BinaryIO, Final

import aiohttp
from yarl import URL

from colorize_core.archive.source.remote import FOLLOW_REDIRECTS
from colorize_core.errors import ChangedError, InputError

CONNECT_SECONDS: Final = 30.0
STALL_SECONDS = 30.0  # without a byte
_WINDOW_SECONDS: Final = 60.0
_LEAST_BYTES: Final = 1 << 14  # in such a window: less is as good as nothing
_BREAKS: Final = 4  # in a row, without a byte between them
_STALLS: Final = 1
_FIRST_PAUSE: Final = 0.2  # doubled with every break


async def make_session(**options: Any) -> aiohttp.ClientSession:
    """The session that fsspec's file system of the web works with.

    No limit for a whole download: a film of 100 GB takes its time.
    """
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_check_redirect)
    limits = aiohttp.ClientTimeout(
        total=None, sock_connect=CONNECT_SECONDS, sock_read=STALL_SECONDS
    )
    return aiohttp.ClientSession(timeout=limits, trace_configs=[trace], **options)


async def _check_redirect(
    _session: aiohttp.ClientSession,
    _context: object,
    parameters: aiohttp.TraceRequestRedirectParams,
) -> None:
    source, headers = parameters.url, parameters.response.headers
    target = source.join(URL(headers.get("Location") or headers.get("URI") or ""))
    if os.environ.get(FOLLOW_REDIRECTS) or _is_same(source, target):
        return
    raise InputError(
        f"{source} leads to another host, {target.host}",
        remedy="give that address, or run with --follow-redirects",
    )


def _is_same(source: URL, target: URL) -> bool:
    """Whether a redirect stays: the same host and port, or from http to https."""
    if source.host != target.host:
        return False
    if source.scheme == target.scheme:
        return source.port == target.port
    is_upgrade = source.scheme == "http" and target.scheme == "https"
    return is_upgrade and source.is_default_port() and target.is_default_port()


class Download(io.RawIOBase):
    """A file on a web server, read once from its beginning; a break is mended by a range.

    Without blocks, one plain GET is sent: it works on servers that know no ranges, and one that
    understated the size cannot fill the memory. After a break, what is left is asked for, if the
    server marks versions of the file; one that knows no ranges sends all again, and what was read
    is passed over.

    Args:
        system: fsspec's.
        url: of the file.

    Raises:
        ChangedError: on reading, when the file became another one in between.
        Exception: what aiohttp and fsspec raise, when it does not go on.
    """

    def __init__(self, system: Any, url: str) -> None:
        self._system, self._url = system, url
        self._at = 0
        self._window = (time.monotonic(), 0)
        self._file = self._open()
        self._mark = self._mark_now()

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read at most as many bytes as fit; 0 at the end."""
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """End the download."""
        if not self.closed:
            self._file.close()
        super().close()

    def _read(self, size: int) -> bytes:
        breaks = stalls = 0
        while True:
            try:
                if breaks:
                    self._go_on()
                data: bytes = self._file.read(size)
                self._check_speed(len(data))
            except (aiohttp.ClientError, OSError) as error:
                breaks += 1
                stalls += isinstance(error, TimeoutError)
                if not self._mark or breaks > _BREAKS or stalls > _STALLS or _is_final(error):
                    raise
                time.sleep(_FIRST_PAUSE * 2**breaks)
            else:
                self._at += len(data)
                return data

    def _open(self, **options: Any) -> Any:
        return self._system.open(self._url, "rb", block_size=0, size=1, **options)

    def _mark_now(self) -> str:
        headers = self._file.r.headers
        return headers.get("ETag") or headers.get("Last-Modified") or ""

    def _go_on(self) -> None:
        """Continue where the last byte was read.

        Raises:
            ChangedError: with another version of the file, that cannot be.
        """
        self._file.close()
        self._file = self._open(headers={"Range": f"bytes={self._at}-", "If-Range": self._mark})
        if self._mark_now() != self._mark:
            raise ChangedError(
                f"{self._url}: changed while it was read", remedy="run again for the new version"
            )
        answer = self._file.r
        if answer.status == 206:
            if not answer.headers.get("Content-Range", "").startswith(f"bytes {self._at}-"):
                raise OSError(f"{self._url}: the server sent another part than was asked for")
            return
        left = self._at
        while left > 0 and (passed := self._file.read(min(left, 1 << 20))):
            left -= len(passed)

    def _check_speed(self, count: int) -> None:
        began, so_far = self._window
        self._window = (began, so_far + count)
        if time.monotonic() - began < _WINDOW_SECONDS:
            return
        self._window = (time.monotonic(), 0)
        if so_far + count < _LEAST_BYTES and count:
            raise TimeoutError(f"only {so_far} bytes in {_WINDOW_SECONDS:.0f} s")


class PatientFile:
    """A remote file read at random, each part of which is asked for again when it breaks off."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.close = file.seek, file.tell, file.close
        self.seekable = file.seekable

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes."""
        at = self._file.tell()
        for breaks in range(1, _BREAKS + 2):
            try:
                return self._file.read(size)
            except (aiohttp.ClientError, OSError) as error:
                if breaks > _BREAKS or isinstance(error, TimeoutError) or _is_final(error):
                    raise
                time.sleep(_FIRST_PAUSE * 2**breaks)
                self._file.seek(at)
        return b""


def _is_final(error: BaseException) -> bool:
    """Whether the server said no, rather than nothing."""
    cause = error.__cause__ or error
    return (
        isinstance(error, PermissionError | FileNotFoundError)
        or isinstance(cause, InputError)
        or 400 <= getattr(cause, "status", 0) < 500
    )


def is_of_the_web(error: BaseException | None) -> bool:
    """Whether the server or the way to it failed, and not this program."""
    return isinstance(error, aiohttp.ClientError | OSError)


def in_words(error: BaseException) -> str:
    """What went wrong, for people: no names of classes, no numbers of the system's."""
    if isinstance(error, aiohttp.TooManyRedirects):
        return "the server leads in circles"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"the server answered {error.status} ({error.message})"
    if isinstance(error, TimeoutError):
        is_ours = type(error) is TimeoutError and str(error)
        return str(error) if is_ours else "the server did not answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "its certificate is not valid"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"no host of the name {error.host}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no server answers at {error.host}, port {error.port}"
    if isinstance(error, aiohttp.ClientError | ConnectionError):
        return "the connection broke off"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
