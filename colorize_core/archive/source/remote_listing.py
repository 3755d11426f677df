"""What lies below an address: folders of object storage, links of web pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any, cast
from urllib.parse import unquote

from colorize_core.archive.source.filters import OUTPUT, Row, ScanFilter, safe_member_path
from colorize_core.archive.source.kinds import HEAD_BYTES
from colorize_core.archive.source.leftovers import leftover
from colorize_core.archive.source.remote import (
    is_http,
    name_of,
    open_stream,
    open_system,
    remote_errors,
    state_of,
)
from colorize_core.errors import (
    InputError,
    UsageError,
)

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_REQUESTS_AT_ONCE = 16
_MOST_FOLDERS = 40  # in each other: behind a web server, a link in circles cannot be told apart
DEEP = "folder too deep on the web server"


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
    location = name if is_http(name) else system.unstrip_protocol(name)
    try:
        # A request for each file that may be anything would take longer than the photos.
        added = notes.accept_inside(relative, lambda: _head(location), may_look=False)
        if added is not None:
            yield Row(safe_member_path(relative), location, *state_of(info), added)
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
    elif is_http(root):
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
        yield unquote(relative) if is_http(root) else relative, info


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
