"""Who is let in, and how far: no other site, no other name, no path out of OUT."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from colorize_core.archive.records.details import PhotoDetails
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.work import ItemReport
from colorize_core.media.picture.pair import ThumbnailPair
from colorize_core.review.access import HEADER, Access
from tests.review.conftest import Browser, serve


def test_without_the_token_nothing_is_shown(run_folder: Path):
    async def act(browser: Browser) -> None:
        for path in ("/", "/static/main.js", "/api/state", "/api/items", "/?token=wrong", "/x"):
            answer = await browser.client.get(path)
            assert answer.status == 403, path
            assert "archive" not in await answer.text()
        await browser.enter()
        assert (await browser.client.get("/api/state")).status == 200

    serve(run_folder / "out", act, enters=False)


def test_the_token_leaves_the_address_and_no_script_can_read_it(run_folder: Path):
    async def act(browser: Browser) -> None:
        answer = await browser.client.get(
            "/", params={"token": browser.access.token}, allow_redirects=False
        )
        assert answer.status == 303
        assert answer.headers["Location"] == "/"
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie

    serve(run_folder / "out", act, enters=False)


def test_other_sites_and_names_are_refused(run_folder: Path):
    async def act(browser: Browser) -> None:
        port = browser.access.port
        own = {HEADER: "1", "Origin": f"http://127.0.0.1:{port}"}
        refused: list[dict[str, str]] = [
            {**own, "Origin": "http://evil.example"},
            {**own, "Origin": "null"},
            {**own, "Origin": f"http://127.0.0.1:{port + 1}"},
            {**own, "Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"},
            {**own, "Host": "127.0.0.1:1"},
            {**own, "Sec-Fetch-Site": "cross-site"},
            {"Origin": own["Origin"]},  # a form of another page: it cannot send the header
        ]
        body = {"item": browser.id_of("top.png"), "do": "accept", "session": "s"}
        for headers in refused:
            answer = await browser.client.post("/api/event", json=body, headers=headers)
            assert answer.status == 403, headers
        assert browser.review.log.events() == []
        answer = await browser.client.post("/api/event", json=body, headers=own)
        assert answer.status == 200

    serve(run_folder / "out", act)


@pytest.mark.parametrize(
    ("host", "asked", "is_let_in"),
    [
        ("127.0.0.1", "127.0.0.1:80", True),
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "[::1]:80", True),
        ("127.0.0.1", "192.168.0.7:80", False),
        ("127.0.0.1", "name.example:80", False),
        ("0.0.0.0", "192.168.0.7:80", True),
        ("0.0.0.0", "name.example:80", False),
        ("archive.lan", "archive.lan:80", True),
        ("archive.lan", "archive.lan:81", False),
    ],
)
def test_names_that_the_server_answers_to(host: str, asked: str, is_let_in: bool):
    assert Access(host, 80)._is_our_name(asked) is is_let_in


@pytest.mark.parametrize(
    "path",
    [
        "/static/../state.py",
        "/static/%2e%2e/state.py",
        "/static/..%2f..%2f..%2fetc/passwd",
        "/static//etc/passwd",
        "/picture/..%2f..%2fetc%2fpasswd/before",
        "/thumb/0123456789abcdef/after",
    ],
)
def test_no_path_leads_out(run_folder: Path, path: str):
    async def act(browser: Browser) -> None:
        answer = await browser.client.get(path)
        assert answer.status in (400, 403, 404)
        assert b"root:" not in await answer.read()

    serve(run_folder / "out", act)


def test_a_forged_record_shows_nothing_from_outside(run_folder: Path):
    secret = run_folder / "secret.png"
    secret.write_bytes((run_folder / "src" / "top.png").read_bytes())
    link = run_folder / "out" / "report" / "thumbs" / "link.jpg"
    link.symlink_to(secret)
    size = secret.stat().st_size
    forged = [
        ("../secret.png", "../secret.png", None),
        ("/etc/passwd", "/etc/passwd", None),
        ("forged", "top.png", ThumbnailPair("../../../secret.png", "link.jpg", 9, 9)),
    ]
    Manifest(run_folder / "out" / ".colorize" / "manifest.jsonl").append(
        ItemReport(
            key=hashlib.md5(source.encode()).hexdigest(),
            kind="photo",
            source=source,
            status="done",
            output=output,
            size=size,
            details=PhotoDetails(9, 9, thumbnails=pair),
        )
        for source, output, pair in forged
    )

    async def act(browser: Browser) -> None:
        for source, _, _ in forged:
            id_ = browser.id_of(source)
            for path in (f"/thumb/{id_}/before", f"/picture/{id_}/before", f"/live/{id_}"):
                answer = await browser.client.get(path)
                assert answer.status in (400, 422), (source, path)
        outside = browser.id_of("../secret.png")
        for path in (f"/thumb/{outside}/after", f"/picture/{outside}/after", f"/share/{outside}"):
            assert (await browser.client.get(path)).status == 422
        linked = browser.id_of("forged")
        assert (await browser.client.get(f"/thumb/{linked}/after")).status == 422

    serve(run_folder / "out", act)
