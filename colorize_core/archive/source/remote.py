"""Files behind fsspec URLs: what is there, their state, and streams of their bytes."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from html import unescape
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from colorize_core.archive.source.filters import OUTPUT, Row, ScanFilter, safe_member_path
from colorize_core.archive.source.kinds import HEAD_BYTES
from colorize_core.archive.source.leftovers import leftover
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
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_KEY = re.compile(r"^s3a?://[^/]*@", re.IGNORECASE)
_REQUESTS_AT_ONCE = 16
_MOST_FOLDERS = 40  # in each other: behind a web server, a link in circles cannot be told apart
DEEP = "folder too deep on the web server"
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


def _is_http(url: str) -> bool:
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
        if _is_http(url):
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
        if _is_http(url):
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
        return _state(system.info(path))


def _state(info: Mapping[str, Any]) -> tuple[int, str]:
    mark = next((key for key in _MARKS if info.get(key)), None)
    value = info[mark] if mark else ""
    # Some file systems give one time as a datetime here and as a number there.
    value = value.timestamp() if isinstance(value, datetime) else value
    return int(info.get("size") or 0), f"{_MARKS[mark] if mark else 'unknown'}:{value}"


def open_stream(url: str) -> BinaryIO:
    """Open a remote file for reading once from its beginning; call inside `remote_errors`."""
    system, path = open_system(url)
    if _is_http(url):
        from colorize_core.archive.source.web import Download

        return cast(BinaryIO, Download(system, path))
    return cast(BinaryIO, system.open(path, "rb"))


def open_seekable(url: str) -> BinaryIO | None:
    """Open a remote file for reading at random, or None if the server cannot do that."""
    with remote_errors(url):
        system, path = open_system(url)
        size, _ = _state(system.info(path))
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
        if _is_http(url):
            from colorize_core.archive.source.web import PatientFile

            file = PatientFile(file)
        return cast(BinaryIO, file)


def list_url(url: str, notes: ScanFilter, exclude: str = "") -> Iterator[Row]:
    """Yield the photos and films at or below a URL, in no order, with explicit locations.

    `*` in the URL is expanded by fsspec. A plain web server's folder is read from its index page.
    `exclude` is OUT, relative to the URL.

    Raises:
        UsageError: nothing there, or it cannot be read.
    """
    try:
        with remote_errors(url):
            system, root = open_system(url)
            for relative, info in _find(system, root, notes):
                if exclude and relative.startswith(f"{exclude}/"):
                    notes.ignored[OUTPUT] += 1
                    continue
                yield from _row(relative, info, system, notes)
    except (InputError, OSError) as error:
        raise UsageError(f"{url}: cannot be read: {error}", remedy="check SRC") from error


def files_below(url: str) -> list[tuple[str, str]]:
    """All files at or below a URL of object storage: their paths relative to it, and their URLs.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with remote_errors(url):
            system, root = open_system(url)
            infos = system.find(root)
    except (InputError, OSError) as error:
        raise UsageError(f"{url}: cannot be read: {error}", remedy="check the address") from error
    base = root.rstrip("/") + "/"
    return [(name[len(base) :], system.unstrip_protocol(name)) for name in infos if name != root]


def _row(relative: str, info: Mapping[str, Any], system: Any, notes: ScanFilter) -> Iterator[Row]:
    if "error" in info:
        notes.problem(relative, info["error"])
        return
    name = info["name"]
    location = name if _is_http(name) else system.unstrip_protocol(name)
    try:
        # A request for each file that may be anything would take longer than the photos.
        added = notes.accept_inside(relative, lambda: _head(location), may_look=False)
        if added is not None:
            yield Row(safe_member_path(relative), location, *_state(info), added)
    except InputError as error:
        notes.problem(relative, error)


def _head(url: str) -> bytes:
    with remote_errors(url), open_stream(url) as file:
        return file.read(HEAD_BYTES)


def _find(system: Any, root: str, notes: ScanFilter) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The files at or below `root`, with their paths relative to it."""
    base = root.rstrip("/") + "/"
    if "*" in root:
        base = root.partition("*")[0].rpartition("/")[0] + "/"
        found = system.glob(root, detail=True).values()
        infos: Iterable[Mapping[str, Any]] = (i for i in found if i["type"] == "file")
    elif _is_http(root):
        if notes.is_wanted(name_of(root)):
            yield name_of(root), system.info(root)
            return
        infos = _crawl(system, base, notes)
    else:
        info = system.info(root)
        if info["type"] == "file":
            yield root.rpartition("/")[2], info
            return
        infos = system.find(root, detail=True).values()
    for info in infos:
        relative = info["name"][len(base) :]
        yield unquote(relative) if _is_http(root) else relative, info


def _crawl(system: Any, root: str, notes: ScanFilter) -> Iterator[Mapping[str, Any]]:
    """Files linked from index pages below `root`; never above it, nor to sorted views of it."""
    folders, seen = [root], {root}
    with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
        while folders:
            folder = folders.pop()
            below = _links(system, folder, is_root=folder == root, notes=notes) - seen
            seen |= below
            inner = {n for n in below if n.endswith("/")}
            deep = {n for n in inner if n.count("/") - root.count("/") > _MOST_FOLDERS}
            notes.ignored[DEEP] += len(deep)
            folders += [n for n in inner - deep if not leftover(name_of(n))]
            # Index pages do not tell sizes and versions; ask for those of the wanted files only.
            wanted = {n for n in below - inner if notes.is_wanted(name_of(n))}
            yield from ({"name": n} for n in below - inner - wanted)
            yield from pool.map(lambda name: _info(system, name), sorted(wanted))


def _links(system: Any, folder: str, *, is_root: bool, notes: ScanFilter) -> set[str]:
    """What a folder's index page links to inside the folder; a refused page is a problem."""
    try:
        with remote_errors(folder):
            entries = system.ls(folder, detail=True)
    except (InputError, OSError) as error:
        if is_root:
            raise
        remedy = error.remedy if isinstance(error, InputError) else "run again later"
        message = error.message if isinstance(error, InputError) else str(error)
        notes.problem(folder, InputError(message, remedy=remedy))
        return set()
    return {name for name in (unescape(e["name"]) for e in entries) if _is_below(name, folder)}


def _is_below(url: str, folder: str) -> bool:
    """Whether a link of an index page stays in its folder: no query, no scheme, no `..`."""
    inner = url[len(folder) :]
    parts = unquote(inner).split("/")
    is_step = "." in parts or ".." in parts
    return url.startswith(folder) and not (is_step or "?" in inner or _SCHEME.match(inner))


def _info(system: Any, url: str) -> Mapping[str, Any]:
    """The file's info, or {"name", "error"}: one bad file must not end the scan."""
    try:
        with remote_errors(url):
            return cast(Mapping[str, Any], system.info(url))
    except InputError as error:
        return {"name": url, "error": error}
    except OSError as error:
        return {"name": url, "error": InputError(str(error), remedy="run again later")}
