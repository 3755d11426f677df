"""Sources behind URLs: a loopback web server with and without ranges, file:// and memory://."""

import io
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from colorize_core.archive.source.contents import read_item, stage_item
from colorize_core.archive.source.item import Scan
from colorize_core.archive.source.scan import scan
from colorize_core.errors import (
    ChangedError,
    InputError,
    MissingError,
    TooLargeError,
    UsageError,
)


def find(source, **options) -> Scan:
    return scan(
        str(source),
        photo_suffixes=frozenset({".jpg"}),
        film_suffixes=frozenset({".mp4"}),
        **options,
    )


def content(found: Scan) -> dict[str, bytes]:
    return {item.path: read_item(item, max_bytes=1 << 20) for item in found.items}


class Plain(SimpleHTTPRequestHandler):
    """Python's own web server: index pages, Last-Modified, no ranges."""

    requests: list[tuple[str, str]]
    answers: dict[str, int]

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.requests.append(("HEAD", self.path))
        super().do_HEAD()

    def do_GET(self):
        self.requests.append(("GET", self.path))
        super().do_GET()

    def send_head(self):
        status = self.answers.get(self.path)
        if status == 0:
            self.close_connection = True
            self.connection.close()
            return None
        if status is not None:
            self.send_error(status)
            return None
        return super().send_head()


class Ranges(Plain):
    """A server that sends parts and ETags."""

    def send_head(self):
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            return super().send_head()
        data = path.read_bytes()
        first, last, status = 0, len(data) - 1, 200
        if wanted := self.headers.get("Range"):
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            first, last, status = int(start), min(int(end or last), last), 206
        self.send_response(status)
        self.send_header("ETag", f'"{zipfile.crc32(data):x}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last + 1 - first))
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.end_headers()
        return io.BytesIO(data[first : last + 1])


class QuietServer(ThreadingHTTPServer):
    def handle_error(self, *args):
        pass  # a dropped connection is meant


class Server:
    def __init__(self, root: Path, kind: type[Plain]):
        self.requests: list[tuple[str, str]] = []
        self.answers: dict[str, int] = {}
        handler = type("Handler", (kind,), {"requests": self.requests, "answers": self.answers})
        self._server = QuietServer(("127.0.0.1", 0), partial(handler, directory=str(root)))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "www"
    for name in ["a.jpg", "x/b c.jpg", "x/ü&#.jpg", "x/y/f.mp4", "x/n.txt", "x/Thumbs.db"]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    with zipfile.ZipFile(root / "box.zip", "w") as file:
        file.writestr("in/z.jpg", b"zipped")
        file.writestr("film.mp4", b"f" * 100_000)
    for name, mode in [("box.tar", "w"), ("box.tgz", "w:gz")]:
        with tarfile.open(root / name, mode) as file:
            file.add(root / "a.jpg", "in/t.jpg")
    return root


@pytest.fixture(params=[Plain, Ranges])
def server(request, root):
    server = Server(root, request.param)
    yield server
    server.stop()


@pytest.fixture
def plain(root):
    server = Server(root, Plain)
    yield server
    server.stop()


def test_a_folder_on_a_web_server(server):
    found = find(f"{server.url}/x")
    assert content(found) == {
        "b c.jpg": b"x/b c.jpg",
        "y/f.mp4": b"x/y/f.mp4",
        "ü&#.jpg": "x/ü&#.jpg".encode(),
    }
    assert [item.path for item in found.items] == sorted(item.path for item in found.items)
    assert found.ignored == {"thumbnails of a NAS or photo program": 1, "sidecar .txt": 1}
    item = found.items[0]
    assert item.size == len("x/b c.jpg")
    assert item.location == f"{server.url}/x/b%20c.jpg"
    assert item.stamp.startswith(("etag:", "modified:"))
    assert [item.kind for item in found.items] == ["photo", "film", "photo"]
    # Index pages above the source are not asked for.
    assert ("GET", "/") not in server.requests


def test_one_file_on_a_web_server(server, tmp_path):
    found = find(f"{server.url}/x/b%20c.jpg")
    assert content(found) == {"b c.jpg": b"x/b c.jpg"}
    with stage_item(found.items[0], tmp_path / "staging") as path:
        assert path.suffix == ".jpg"
        assert path.read_bytes() == b"x/b c.jpg"
    assert list((tmp_path / "staging").iterdir()) == []


def test_an_index_page_leads_neither_up_nor_away_nor_in_circles(plain, root):
    links = ["?C=N;O=D", "/", "../", "/x/", "/a.jpg", "http://127.0.0.1:9/x/far.jpg", "y/", "./"]
    links += ["b%20c.jpg", "b%20c.jpg?size=2", "%2e%2e/up.jpg", "mailto:x@y.jpg", "&#98;%20c.jpg"]
    page = "".join(f'<a href="{link}">link</a>' for link in links)
    (root / "x" / "index.html").write_text(page)
    found = find(f"{plain.url}/x/")
    assert content(found) == {"b c.jpg": b"x/b c.jpg", "y/f.mp4": b"x/y/f.mp4"}
    assert ("GET", "/") not in plain.requests
    assert plain.requests.count(("GET", "/x/")) == 1


@pytest.mark.parametrize("name", ["box.zip", "box.tar", "box.tgz"])
@pytest.mark.parametrize("staged", [True, False])
def test_an_archive_on_a_web_server(root, tmp_path, name, staged):
    server = Server(root, Ranges)
    try:
        found = find(f"{server.url}/{name}", staging=tmp_path / "staging" if staged else None)
        first = "in/z.jpg" if name == "box.zip" else "in/t.jpg"
        film = {"film.mp4": b"f" * 100_000} if name == "box.zip" else {}
        assert content(found) == {first: b"zipped" if film else b"a.jpg"} | film
        if name == "box.zip":
            # Opened once, kept, and small enough to be here whole.
            before = len(server.requests)
            assert content(found)
            assert len(server.requests) == before
    finally:
        server.stop()


@pytest.mark.parametrize("name", ["box.zip", "box.tar", "box.tgz"])
def test_an_archive_on_a_server_without_ranges_is_fetched_once(plain, tmp_path, name):
    source, staging = f"{plain.url}/{name}", tmp_path / "staging"
    found = find(source, staging=staging)
    assert content(found)
    gets = plain.requests.count(("GET", f"/{name}"))
    again = find(source, staging=staging)
    assert list(again.items) == list(found.items)
    assert plain.requests.count(("GET", f"/{name}")) <= gets + 1  # the question for ranges


def test_an_archive_on_a_server_without_ranges_needs_staging(plain, root):
    # Larger than what is fetched at once, so that parts are needed.
    with zipfile.ZipFile(root / "large.zip", "w") as file:
        file.writestr("a.jpg", bytes(12_000_000))
    with pytest.raises(UsageError, match="cannot send parts"):
        find(f"{plain.url}/large.zip")


def test_what_a_server_refuses(plain):
    [item] = find(f"{plain.url}/a.jpg").items
    plain.answers["/a.jpg"] = 404
    with pytest.raises(MissingError):
        read_item(item, max_bytes=None)
    plain.answers["/a.jpg"] = 403
    with pytest.raises(InputError, match="access denied") as failed:
        read_item(item, max_bytes=None)
    assert type(failed.value) is InputError
    for passing in (500, 503, 0):
        plain.answers["/a.jpg"] = passing
        with pytest.raises(OSError, match=r"a\.jpg"):
            read_item(item, max_bytes=None)
    del plain.answers["/a.jpg"]
    assert read_item(item, max_bytes=None) == b"a.jpg"


def test_a_file_refused_during_the_scan_is_a_problem(plain):
    plain.answers["/x/b%20c.jpg"] = 403
    found = find(f"{plain.url}/x")
    assert [(path, type(error)) for path, error in found.problems] == [("b c.jpg", InputError)]
    assert [item.path for item in found.items] == ["y/f.mp4", "ü&#.jpg"]


def test_a_folder_refused_during_the_scan_is_a_problem(plain):
    plain.answers["/x/y/"] = 403
    found = find(f"{plain.url}/x")
    assert [path for path, _ in found.problems] == [f"{plain.url}/x/y/"]
    assert found.problems[0][1].remedy
    assert [item.path for item in found.items] == ["b c.jpg", "ü&#.jpg"]


def test_a_query_is_no_part_of_the_name(server):
    found = find(f"{server.url}/a.jpg?token=a/b")
    assert content(found) == {"a.jpg": b"a.jpg"}
    assert found.items[0].location.endswith("/a.jpg?token=a/b")


def test_a_server_that_is_away(root):
    server = Server(root, Plain)
    [item] = find(f"{server.url}/a.jpg").items
    server.stop()
    with pytest.raises(OSError, match=r"a\.jpg") as failed:
        read_item(item, max_bytes=None)
    assert not isinstance(failed.value, FileNotFoundError)
    with pytest.raises(UsageError, match="cannot be read"):
        find(f"{server.url}/a.jpg")
    with pytest.raises(UsageError, match="cannot be read"):
        find(f"{server.url}/box.zip")


def test_a_remote_file_that_changed_or_is_too_large(root):
    server = Server(root, Ranges)
    try:
        [item] = find(f"{server.url}/a.jpg").items
        with pytest.raises(TooLargeError):
            read_item(item, max_bytes=4)
        (root / "a.jpg").write_bytes(b"b.jpg")
        with pytest.raises(ChangedError):
            read_item(item, max_bytes=None)
    finally:
        server.stop()


def test_nothing_on_the_server(plain, root):
    (root / "empty").mkdir()
    for path, message in [("missing", "not there"), ("empty", "no photo or film")]:
        with pytest.raises(UsageError, match=message):
            find(f"{plain.url}/{path}/")
    with pytest.raises(UsageError, match="not there"):
        find(f"{plain.url}/missing.jpg")


def test_file_urls(root):
    assert content(find(f"file://{root}/x")) == content(find(root / "x"))
    assert find(f"file://{root}/x").items[0].location == str(root / "x" / "b c.jpg")
    assert content(find(f"file://{root}/x/b%20c.jpg")) == {"b c.jpg": b"x/b c.jpg"}
    assert "in/z.jpg" in content(find(f"file://{root}/box.zip"))


def test_other_file_systems(root, tmp_path):
    memory = fsspec.filesystem("memory")
    memory.put(f"{root}/", "/test_source_urls/", recursive=True)
    try:
        base = "memory://test_source_urls"
        assert content(find(f"{base}/x")) == content(find(root / "x"))
        assert content(find(f"{base}/x/b c.jpg")) == {"b c.jpg": b"x/b c.jpg"}
        assert content(find(f"{base}/x/*.jpg")) == content(find(root / "x" / "*.jpg"))
        for name in ("box.zip", "box.tar", "box.tgz"):
            expected = content(find(root / name))
            assert content(find(f"{base}/{name}")) == expected
            assert content(find(f"{base}/{name}", staging=tmp_path)) == expected
        with pytest.raises(UsageError, match="not there"):
            find(f"{base}/missing/")
    finally:
        memory.rm("/test_source_urls", recursive=True)


@pytest.mark.parametrize(
    "source",
    ["nosuch://host/a.jpg", "zip://a.jpg::https://host/box.zip", "simplecache::http://h/a.jpg"],
)
def test_urls_that_cannot_be_used(source):
    with pytest.raises(UsageError) as failed:
        find(source)
    assert failed.value.remedy
