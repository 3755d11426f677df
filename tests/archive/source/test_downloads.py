"""Downloads from servers that break off, stall, change, lead away: real ones, on this machine."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from colorize_core.archive.source import web
from colorize_core.archive.source.contents import read_item, stage_item
from colorize_core.archive.source.remote import FOLLOW_REDIRECTS
from colorize_core.archive.source.scan import scan
from colorize_core.errors import (
    ChangedError,
    InputError,
    ServerError,
    UsageError,
    is_transient,
)
from tests.archive.source.test_urls import QuietServer

DATA = b"".join(hashlib.sha256(n.to_bytes(4, "big")).digest() for n in range(100_000))


class FlakyHandler(BaseHTTPRequestHandler):
    flaky: Flaky

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self._head(len(self.flaky.data))

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.flaky.asked.append(wanted)
        first, status = 0, 200
        fresh = self.headers.get("If-Range") in (None, self.flaky.mark)
        if wanted and self.flaky.knows_ranges and fresh:
            first, status = int(wanted.removeprefix("bytes=").split("-")[0]), 206
        body = self.flaky.data[first:]
        if not self._head(len(body), status, first):
            return
        after = self.flaky.break_after.pop(0) if self.flaky.break_after else len(body)
        self.wfile.write(body[:after])
        if after < len(body):
            self.wfile.flush()
            time.sleep(self.flaky.stall)
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def _head(self, length, status=200, first=0):
        if self.flaky.location:
            self.send_response(302)
            self.send_header("Location", self.flaky.location)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False
        if self.flaky.status != 200:
            self.send_error(self.flaky.status)
            return False
        self.send_response(status)
        if self.flaky.mark:
            self.send_header("ETag", self.flaky.mark)
        if status == 206:
            total = len(self.flaky.data)
            self.send_header("Content-Range", f"bytes {first}-{total - 1}/{total}")
        self.send_header("Content-Length", str(length))
        self.end_headers()
        return True


class Flaky:
    """A server of one file; `break_after` bytes end the next answers, held for `stall` s."""

    def __init__(self) -> None:
        self.data = DATA
        self.mark = '"1"'
        self.knows_ranges = True
        self.break_after: list[int] = []
        self.stall = 0.0
        self.status = 200
        self.location = ""
        self.asked: list[str | None] = []
        handler = type("Handler", (FlakyHandler,), {"flaky": self})
        self._server = QuietServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}/film.mp4"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Flaky]:
    monkeypatch.setattr(web, "_FIRST_PAUSE", 0.001)
    monkeypatch.delenv(FOLLOW_REDIRECTS, raising=False)
    server = Flaky()
    yield server
    server.stop()


def find(url: str):
    found = scan(url, photo_suffixes=frozenset({".jpg"}), film_suffixes=frozenset({".mp4"}))
    return found.items[0]


def read(server: Flaky) -> bytes:
    item = find(server.url)
    server.asked.clear()
    return read_item(item, max_bytes=None)


def test_a_download_that_breaks_goes_on_where_it_was(server: Flaky, tmp_path: Path):
    server.break_after = [1_000_000, 0, 500_000, 7]
    item = find(server.url)
    server.asked.clear()
    with stage_item(item, tmp_path) as path:
        assert path.read_bytes() == DATA
    assert server.asked[0] is None
    assert len(server.asked) == 5
    assert all(str(asked).startswith("bytes=") for asked in server.asked[1:])
    starts = [int(str(asked)[6:-1]) for asked in server.asked[1:]]
    assert starts == sorted(starts)
    # What was on its way when the connection broke is lost with it.
    assert starts[0] > 0, "what was there is not asked for again"


def test_without_ranges_it_begins_again_and_passes_over_what_it_has(server: Flaky):
    server.knows_ranges = False
    server.break_after = [1_000_000, 2_000_000]
    assert read(server) == DATA


def test_another_version_in_between_is_not_glued_on(server: Flaky):
    item = find(server.url)
    server.break_after = [1_000_000]
    original = server.data

    class Swap(list):
        def pop(self, index: int = -1) -> int:
            server.data, server.mark = original[::-1], '"2"'
            return list.pop(self, index)

    server.break_after = Swap([1_000_000])
    with pytest.raises(ChangedError, match="changed"):
        read_item(item, max_bytes=None)


def test_a_server_without_marks_is_not_trusted_to_go_on(server: Flaky):
    server.mark = ""
    server.break_after = [1_000_000]
    item = find(server.url)
    server.asked.clear()
    with pytest.raises(ServerError, match="the connection broke off") as caught:
        read_item(item, max_bytes=None)
    assert is_transient(caught.value)
    assert server.asked == [None]


def test_it_ends_when_nothing_comes(server: Flaky):
    server.break_after = [1000] + [0] * 50
    with pytest.raises(ServerError, match=r"film\.mp4: the connection broke off"):
        read(server)
    assert len(server.asked) <= 2 + web._BREAKS


def test_a_server_that_stalls_once_is_asked_again_and_one_that_stays_silent_given_up(
    monkeypatch: pytest.MonkeyPatch,
):
    # Sessions keep their limits: a name of its own for this server's.
    monkeypatch.setattr(web, "STALL_SECONDS", 0.4)
    monkeypatch.setattr(web, "_FIRST_PAUSE", 0.001)
    import fsspec

    fsspec.filesystem("http").clear_instance_cache()
    server = Flaky()
    try:
        server.stall, server.break_after = 30.0, [1_000_000]
        assert read(server) == DATA
        server.break_after = [1_000_000, 0, 0, 0]
        started = time.monotonic()
        with pytest.raises(ServerError, match="did not answer in time"):
            read(server)
        assert time.monotonic() - started < 5
    finally:
        server.stop()
        fsspec.filesystem("http").clear_instance_cache()


def test_no_limit_for_a_download_as_a_whole():
    async def limits():
        session = await web.make_session()
        await session.close()
        return session.timeout

    found = asyncio.run(limits())
    assert found.total is None
    assert found.sock_read == 30


def test_a_trickle_is_no_answer(server: Flaky, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(web, "_WINDOW_SECONDS", 0.0)
    monkeypatch.setattr(web, "_LEAST_BYTES", 1 << 30)
    with pytest.raises(ServerError, match="bytes in"):
        read(server)


@pytest.mark.parametrize("location", ["http://localhost:{port}/film.mp4", "//localhost/x"])
def test_redirects_stay_on_the_host(server: Flaky, location: str, monkeypatch):
    other = Flaky()
    try:
        item = find(server.url)
        server.location = location.format(port=other.host.split(":")[1])
        with pytest.raises(InputError, match=r"leads to another host, localhost \(.*--follow"):
            read_item(item, max_bytes=None)
        with pytest.raises(UsageError, match="another host"):
            find(server.url)
        assert other.asked == []
        if location.startswith("http"):
            monkeypatch.setenv(FOLLOW_REDIRECTS, "1")
            assert read_item(item, max_bytes=None) == DATA
    finally:
        other.stop()


def test_another_port_is_another_host(server: Flaky):
    other = Flaky()
    try:
        item = find(server.url)
        server.location = other.url
        with pytest.raises(InputError, match="another host"):
            read_item(item, max_bytes=None)
    finally:
        other.stop()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: setattr(s, "status", 503), r"the server answered 503 \(Service Unavailable\)"),
        (lambda s: setattr(s, "location", "/film.mp4"), "leads in circles"),
        (lambda s: s.stop(), r"no server answers at 127\.0\.0\.1, port"),
    ],
)
def test_reasons_are_plain_words(change: Callable[[Flaky], None], words: str):
    server = Flaky()
    item = find(server.url)
    change(server)
    try:
        with pytest.raises(ServerError, match=words) as caught:
            read_item(item, max_bytes=None)
        text = str(caught.value)
        assert text.startswith(server.url)
        assert not any(mark in text for mark in ("Error", "Errno", "object", "<"))
    finally:
        if server._thread.is_alive():
            server.stop()


def test_an_unknown_host_is_named():
    with pytest.raises(UsageError, match=r"no host of the name|no server answers") as caught:
        find("http://nonexistent.invalid/a.jpg")
    assert "Errno" not in str(caught.value)
