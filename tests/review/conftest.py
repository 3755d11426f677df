"""A finished run to review, made once, and a browser without pictures: aiohttp's test client."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from aiohttp.test_utils import TestClient, TestServer, unused_port

from colorize_core.cli.main import main
from colorize_core.review.access import HEADER, Access
from colorize_core.review.server import make_app
from colorize_core.review.state import Review
from tests.conftest import gray_picture

NAMES = ("box/a.png", "box/b[1].png", "top.png")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `src` and the `out` of a run over it."""
    folder = tmp_path_factory.mktemp("review")
    for number, name in enumerate(NAMES):
        path = folder / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", gray_picture(number, 64))[1].tobytes())
    assert main(run_words(folder)) == 0
    return folder


def run_words(folder: Path) -> list[str]:
    words = ["run", str(folder / "src"), "--out", str(folder / "out"), "--runner", "serial"]
    return [*words, "--device", "cpu", "--set", "render.size=64"]


@pytest.fixture
def run_folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of that run, whose source it is, too."""
    shutil.copytree(finished, tmp_path / "run")
    command = tmp_path / "run" / "out" / ".colorize" / "command.json"
    command.write_text(command.read_text().replace(str(finished), str(tmp_path / "run")))
    return tmp_path / "run"


class Browser:
    """What the page does, without a page."""

    def __init__(self, client: TestClient, review: Review, access: Access) -> None:
        self.client, self.review, self.access = client, review, access

    async def enter(self) -> None:
        answer = await self.client.get("/", params={"token": self.access.token})
        assert answer.status == 200

    def id_of(self, source: str) -> str:
        return self.review.catalog.ids[source]

    async def post(self, path: str, **body: object) -> tuple[int, dict]:
        answer = await self.client.post(path, json=body, headers={HEADER: "1"})
        return answer.status, await answer.json()

    async def say(self, source: str, do: str, value: object = None, **more: object) -> dict:
        body = {"item": self.id_of(source), "do": do, "value": value, "session": "s", **more}
        status, said = await self.post("/api/event", **body)
        assert status == 200, said
        return said

    async def get(self, path: str, **query: object) -> dict:
        answer = await self.client.get(path, params={k: str(v) for k, v in query.items()})
        assert answer.status == 200, await answer.text()
        return await answer.json()

    async def picture(self, path: str, **query: object) -> np.ndarray:
        answer = await self.client.get(path, params={k: str(v) for k, v in query.items()})
        assert answer.status == 200, await answer.text()
        data = np.frombuffer(await answer.read(), np.uint8)
        return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2LAB).astype(float)


def serve(out: Path, act: Callable[[Browser], Awaitable[None]], *, enters: bool = True) -> None:
    """Run a server over `out`, and `act` as its browser."""

    async def go() -> None:
        review = Review(out)
        access = Access("127.0.0.1", unused_port())
        server = TestServer(make_app(review, access, device="cpu"), port=access.port)
        async with TestClient(server) as client:
            browser = Browser(client, review, access)
            if enters:
                await browser.enter()
            await act(browser)

    asyncio.run(go())


@contextmanager
def changed(path: Path) -> Iterator[None]:
    """Fail where a file stays as it was."""
    before = path.stat().st_ctime_ns
    yield
    assert path.stat().st_ctime_ns != before, f"{path} was not written"
