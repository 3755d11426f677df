"""A shot on request: what the clip shows is what the job makes, and one is made at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from skimage import data, transform

from colorize_core.cli.main import main
from tests.review.conftest import Browser, run_words, serve

SHOT, RATE = 8, 8
BLUE = {"x": 0.3, "y": 0.7, "color": "#2040c0", "radius": 0.08, "time": (SHOT + 4) / RATE}


def write_film(path: Path) -> None:
    """Two shots, slow pans."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "gray"
        for picture in (data.chelsea(), data.astronaut()):
            small = transform.resize(picture.mean(-1) / 255, (80, 112), anti_aliasing=True)
            for n in range(SHOT):
                part = np.ascontiguousarray(small[n // 2 : n // 2 + 64, n : n + 96])
                gray = (255 * part).round().astype(np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(gray, format="gray")))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def finished_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `src`, a film and a photo, and the `out` of a run over it."""
    folder = tmp_path_factory.mktemp("shots")
    (folder / "src").mkdir()
    write_film(folder / "src" / "film.mkv")
    gray = cv2.cvtColor(data.astronaut()[:64, :64], cv2.COLOR_RGB2GRAY)
    cv2.imwrite(str(folder / "src" / "photo.png"), gray)
    assert main(run_words(folder)) == 0
    return folder


async def ended(browser: Browser) -> dict:
    while not (state := (await browser.get("/api/state"))["shot"])["ended"]:
        await asyncio.sleep(0.05)
    return state


def frames(film: Path | bytes, folder: Path | None = None) -> list[np.ndarray]:
    """Decoded by FFmpeg alone, in Lab."""
    if isinstance(film, bytes):
        (folder / "clip.mp4").write_bytes(film)
        film = folder / "clip.mp4"
    with av.open(str(film)) as container:
        found = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return [cv2.cvtColor(f.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for f in found]


def test_the_clip_shows_what_the_job_makes(finished_film: Path, tmp_path: Path):
    clips: list[bytes] = []

    async def act(browser: Browser) -> None:
        await browser.say("film.mkv", "hint", BLUE)
        id_ = browser.id_of("film.mkv")
        status, state = await browser.post("/api/shot", item=id_, time=BLUE["time"])
        assert (status, state["ended"], state["item"]) == (200, "", id_)
        state = await ended(browser)
        assert (state["ended"], state["said"]) == ("done", "")
        assert (state["done"], state["total"], state["is_whole"]) == (SHOT, SHOT, True)
        assert state["begin"] == SHOT / RATE
        answer = await browser.client.get(f"/shot/{state['number']}")
        assert answer.content_type == "video/mp4"
        clips.append(await answer.read())
        answer = await browser.client.get(f"/shot/{state['number'] + 1}")
        assert answer.status == 400

    serve(finished_film / "out", act)
    clip = frames(clips[0], tmp_path)
    before = frames(finished_film / "out" / "film.mkv")[SHOT:]
    assert main(run_words(finished_film)) == 0
    after = frames(finished_film / "out" / "film.mkv")[SHOT:]
    assert len(clip) == len(after) == SHOT
    here = np.s_[38:52, 20:36, 1:]
    for shown, was, made in zip(clip, before, after, strict=True):
        assert np.abs(shown - made)[..., 1:].mean() < 2, "encoded once more, and no more"
        changed = np.abs(made - was)[here].mean()
        assert changed > 5
        assert np.abs(shown - made)[here].mean() < changed / 3


def test_one_at_a_time_that_can_be_stopped(finished_film: Path):
    async def act(browser: Browser) -> None:
        film, photo = browser.id_of("film.mkv"), browser.id_of("photo.png")
        status, said = await browser.post("/api/shot", item=photo, time=0)
        assert (status, said["error"]) == (400, "photo.png: no film")
        status, _ = await browser.post("/api/shot", item=film, time="soon")
        assert status == 400
        await browser.post("/api/shot", item=film, time=0)
        status, said = await browser.post("/api/shot", item=film, time=2)
        assert (status, said["remedy"]) == (400, "stop it first")
        await browser.post("/api/shot", stop=True)
        state = await ended(browser)
        assert state["ended"] == "stopped"
        assert state["done"] < SHOT
        status, _ = await browser.post("/api/shot", item=film, time=2)
        assert status == 200, "the next one can begin"

    serve(finished_film / "out", act)


def test_a_film_that_is_gone_is_said(finished_film: Path):
    async def act(browser: Browser) -> None:
        (finished_film / "src" / "film.mkv").rename(finished_film / "film.mkv")
        await browser.post("/api/shot", item=browser.id_of("film.mkv"), time=0)
        state = await ended(browser)
        assert state["ended"] == "failed"
        assert "film.mkv: not in the source any more" in state["said"]

    try:
        serve(finished_film / "out", act)
    finally:
        (finished_film / "film.mkv").rename(finished_film / "src" / "film.mkv")
