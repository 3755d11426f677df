"""The review in a real browser: a point set, two at once, many items."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import yaml
from PIL import Image
from skimage import data

from colorize_core.archive.records.details import PhotoDetails
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.review_log import ReviewLog
from colorize_core.archive.records.reviews import fold
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.started import Started, write_started
from colorize_core.archive.records.work import ItemReport
from colorize_core.cli.main import main
from colorize_core.config import ColorizeConfig, as_tree
from colorize_core.media.picture.thumbnails import write_pair
from tests.browser.conftest import colored
from tests.processes import Started as Process

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
MANY = 20_000


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `src`, two portraits and a cup, and the `out` of a run over it."""
    folder = tmp_path_factory.mktemp("review")
    (folder / "src").mkdir()
    for name, picture in (
        ("a", data.astronaut()),
        ("b", data.astronaut()[:, ::-1]),
        ("c", data.coffee()),
    ):
        gray = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
        cv2.imwrite(str(folder / "src" / f"{name}.png"), gray)
    words = ["run", str(folder / "src"), "--out", str(folder / "out"), "--runner", "serial"]
    assert main([*words, "--device", "cpu"]) == 0
    return folder


@pytest.fixture
def served() -> Iterator[Callable[[Path], str]]:
    """Starts `colorize-archive review OUT`; gives the address that it prints."""
    running: list[Process] = []

    def start(out: Path) -> str:
        command = [sys.executable, "-m", "colorize_core", "review", str(out), "--device", "cpu"]
        process = Process(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        running.append(process)
        return process.stdout.readline().strip()

    yield start
    for process in running:
        with process:
            process.terminate()
            assert process.wait(60) == 0


@pytest.fixture
def browse(chromium) -> Iterator[Callable]:
    """Opens an address in a browser of its own; fails on script errors."""
    contexts, troubles = [], []

    def open_(address: str, *, width: int = 1280, height: int = 900, **options):
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: troubles.append(f"script error: {error}"))
        page.on(
            "console",
            lambda message: troubles.append(message.text) if message.type == "error" else None,
        )
        page.goto(address)
        page.wait_for_selector(".card img")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert troubles == []


def wait_shown(page, act: Callable[[], None], times: int = 1) -> None:
    """Until the picture in the viewer was shown anew."""
    before = page.evaluate("Number(document.body.dataset.shown ?? 0)")
    act()
    end = time.monotonic() + 30
    while page.evaluate("Number(document.body.dataset.shown ?? 0)") < before + times:
        assert time.monotonic() < end, page.locator("#message").text_content()
        time.sleep(0.03)


def until(page, expression: str) -> None:
    """Wait until a JavaScript expression is true (the page forbids eval, so ask from outside)."""
    end = time.monotonic() + 30
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never true: {expression}"
        time.sleep(0.05)


def wait_file(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, f"never written: {path}"
        time.sleep(0.03)


def open_item(page, name: str) -> None:
    card = page.locator(".card", has_text=name).locator("button")
    wait_shown(page, lambda: card.click())


def shown(page) -> np.ndarray:
    """CIE Lab of the picture as it stands in the viewer."""
    png = page.evaluate(
        "() => { const i = document.getElementById('after'), c = document.createElement('canvas');"
        " c.width = 256; c.height = 256; c.getContext('2d').drawImage(i, 0, 0, 256, 256);"
        " return c.toDataURL('image/png').split(',')[1]; }"
    )
    import base64

    rgb = np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"))
    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def click_at(page, x: float, y: float) -> None:
    box = page.locator("#after").bounding_box()
    page.mouse.click(box["x"] + box["width"] * x, box["y"] + box["height"] * y)


def say(page, x: float, y: float, color: str) -> None:
    """Click a place, choose a color."""
    click_at(page, x, y)
    page.wait_for_selector("#chooser[open]")
    page.locator(f"#usual [data-color='{color}']").click()


def test_a_point_reaches_picture_file_and_job(archive: Path, served, browse):
    out = archive / "out"
    page = browse(served(out))
    open_item(page, "a.png")
    before = shown(page)
    wait_shown(page, lambda: say(page, 0.42, 0.75, "#4d6b3f"))  # the suit, foliage green
    after = shown(page)
    suit, sky = (slice(180, 205), slice(95, 120)), (slice(20, 60), slice(10, 40))
    assert after[suit][..., 1].mean() < before[suit][..., 1].mean() - 4, "greener there"
    elsewhere = np.linalg.norm((after - before)[sky][..., 1:], axis=-1).mean()
    here = np.linalg.norm((after - before)[suit][..., 1:], axis=-1).mean()
    assert elsewhere < here / 3, "and hardly elsewhere"
    assert page.locator("#points .point").count() == 1
    page.keyboard.press("Escape")
    page.locator("#run").wait_for(state="visible")
    wait_file(out / "overrides.yaml")  # written when no further edit comes for a moment
    hints = yaml.safe_load((out / "overrides.yaml").read_text())["./a.png"]["hints"]
    assert abs(hints[0]["x"] - 0.42) < 0.01
    assert hints[0]["color"] == "#4d6b3f"
    others = {name: (out / name).stat().st_ctime_ns for name in ("b.png", "c.png")}
    made = (out / "a.png").stat().st_ctime_ns
    page.locator("#run").click()
    page.locator("#run").wait_for(state="hidden", timeout=90_000)
    assert (out / "a.png").stat().st_ctime_ns != made
    assert {name: (out / name).stat().st_ctime_ns for name in others} == others
    rgb = cv2.cvtColor(cv2.imread(str(out / "a.png")), cv2.COLOR_BGR2RGB)
    result = cv2.cvtColor(cv2.resize(rgb, (256, 256)).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    difference = np.linalg.norm((result - after)[suit][..., 1:], axis=-1).mean()
    assert difference < 3, "what was seen is what the job has made"


def test_two_browsers_at_once_lose_nothing_and_see_each_other(archive: Path, served, browse):
    out = archive / "out"
    one, two = browse(served(out)), browse(served(out))  # each by a server of its own
    for page, name in ((one, "Ada"), (two, "Ben")):
        page.locator("#who").fill(name)
        page.keyboard.press("Tab")
        open_item(page, "b.png")
    wait_shown(one, lambda: say(one, 0.3, 0.7, "#39476b"))
    wait_shown(two, lambda: say(two, 0.7, 0.3, "#c99a7e"))
    for page in (one, two):
        until(page, "document.querySelectorAll('#points .point').length === 2")
    one.keyboard.press("x")
    two.wait_for_selector("#reject[aria-pressed=true]")
    assert "Ada" in two.locator("#reasons").inner_text()
    one.keyboard.press("u")  # takes the rejection back, and nothing of the other
    two.wait_for_selector("#reject[aria-pressed=false]")
    log = ReviewLog(out)
    log.read()
    review = fold(log.events()).items["b.png"]
    assert {part.who for part in review.of_kind("hint")} == {"Ada", "Ben"}


def test_an_answer_that_was_overtaken_changes_nothing(archive: Path, served, browse):
    out = archive / "out"
    page = browse(served(out))
    open_item(page, "c.png")
    held = []

    def hold(route) -> None:
        held.append((route, route.fetch()))

    page.route("**/api/item/*", hold)
    ReviewLog(out).append("note", item="c.png", value="look again")
    end = time.monotonic() + 30
    while not held:
        assert time.monotonic() < end, "the news came to nothing"
        page.wait_for_timeout(50)
    wait_shown(page, lambda: say(page, 0.5, 0.5, "#39476b"))
    for route, response in reversed(held):  # what was asked for first comes last
        with page.expect_response("**/api/item/*"):
            route.fulfill(response=response)
    page.unroute("**/api/item/*")
    page.wait_for_timeout(200)
    assert page.locator("#points .point").count() == 1


def test_an_area_that_keeps_its_colors(archive: Path, served, browse):
    page = browse(served(archive / "out"))
    open_item(page, "c.png")
    page.keyboard.press("c")
    box = page.locator("#after").bounding_box()
    corners = [(0.2, 0.2), (0.6, 0.2), (0.6, 0.6), (0.2, 0.6)]
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()
    page.locator("#parts >> text=keeps its color").wait_for()
    assert page.locator("#color").get_attribute("aria-pressed") == "false"
    assert page.locator("#marks polygon").count() == 1
    page.locator("#undo").click()
    page.locator("#parts >> text=keeps its color").wait_for(state="detached")


def test_keys_and_a_phone(archive: Path, served, browse):
    page = browse(served(archive / "out"), width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    first = page.locator(".card button").first
    wait_shown(page, first.click)
    name = page.locator("#name").text_content()
    wait_shown(page, lambda: page.keyboard.press("n"))
    assert page.locator("#name").text_content() != name
    box = page.locator("#sheet").bounding_box()
    page.keyboard.press("+")
    assert page.locator("#sheet").bounding_box()["width"] > box["width"]
    page.keyboard.press("a")
    page.wait_for_selector("#accept[aria-pressed=true]")
    assert page.locator("#accept").bounding_box()["y"] < 844
    page.keyboard.press("Escape")
    page.wait_for_selector(".mark.accepted")


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of a film with two shots."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "src").mkdir()
    with av.open(str(folder / "src" / "film.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=8)
        stream.width, stream.height, stream.pix_fmt = 192, 128, "gray"
        for picture in (data.chelsea(), data.astronaut()):
            small = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (208, 144))
            for n in range(8):
                part = np.ascontiguousarray(small[n : n + 128, 2 * n : 2 * n + 192])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(part, format="gray")))
        container.mux(stream.encode(None))
    words = ["run", str(folder / "src"), "--out", str(folder / "out"), "--runner", "serial"]
    assert main([*words, "--device", "cpu", "--set", "render.size=128"]) == 0
    return folder


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_a_whole_shot_plays_before_the_job_runs(films: Path, served, browse, width, height):
    page = browse(served(films / "out"), width=width, height=height)
    wait_shown(page, page.locator(".card button").first.click)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    button = page.locator("#shot-run")
    box = button.bounding_box()
    assert box["x"] + box["width"] <= width
    assert box["y"] + box["height"] <= height
    button.click()
    page.wait_for_selector("#clip:not([hidden])")
    until(page, "document.getElementById('clip-video').currentTime > 0")  # it plays by itself
    video = page.evaluate(
        "(v => [v.videoWidth, v.videoHeight, v.duration])(document.getElementById('clip-video'))"
    )
    assert video == [192, 128, 1]
    assert page.locator("#clip-kind").inner_text().startswith("Shot from 0:0")
    page.keyboard.press("Escape")
    page.wait_for_selector("#stage:visible")
    assert page.locator("#clip").is_hidden()
    wait_shown(page, page.locator("#later").click)


def test_words_in_german_and_french(archive: Path, served, browse):
    page = browse(served(archive / "out"), locale="de-DE")
    page.wait_for_selector("#filters >> text=Alle")
    page.locator("#language").select_option("fr")
    until(page, "document.documentElement.lang === 'fr'")
    page.wait_for_selector("#filters >> text=Toutes")
    page.reload()
    page.wait_for_selector("html[lang=fr] .card")


def test_another_site_cannot_read_or_write(archive: Path, served, browse, chromium):
    address = served(archive / "out")
    own = browse(address)
    context = chromium.new_context(storage_state=own.context.storage_state())
    page = context.new_page()
    page.goto("data:text/html,<title>another</title>")
    base = address.split("?")[0]
    answer = page.evaluate(
        "base => Promise.all(['api/state', 'api/event'].map((path, i) => fetch(base + path, "
        "{method: i ? 'POST' : 'GET', credentials: 'include', body: i ? '{}' : null})"
        ".then(r => 'read', () => 'refused')))",
        base,
    )
    assert answer == ["refused", "refused"]
    page.goto(base + "?token=wrong")
    assert "wrong token" in page.inner_text("body")
    context.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The records of a run over many photos; their small pictures are shared by some."""
    out = tmp_path_factory.mktemp("large") / "out"
    folder = RunFolder(out)
    pairs = [write_pair(*colored(n % 2), folder.thumbs, f"{n:02x}k") for n in range(8)]
    started = Started(str(out.parent / "src"), str(out.parent), (), as_tree(ColorizeConfig()))
    write_started(folder.command, started)
    Manifest(folder.manifest).append(
        ItemReport(
            key=hashlib.md5(str(n).encode()).hexdigest(),
            kind="photo",
            source=f"box {n // 500:02d}/scan {n:05d}.jpg",
            status="done",
            output=f"box {n // 500:02d}/scan {n:05d}.jpg",
            details=PhotoDetails(
                160, 120, {"colorfulness": 9.0, "blotches": n % 97 / 9}, thumbnails=pairs[n % 8]
            ),
        )
        for n in range(MANY)
    )
    return out


def test_many_items_stay_usable(large: Path, served, browse):
    address = served(large)
    started = time.monotonic()
    page = browse(address)
    page.locator(".card img").first.evaluate("image => image.decode()")
    seconds = time.monotonic() - started
    until(page, "document.getElementById('progress').textContent.includes('20,000')")
    assert seconds < 4, "2 on an idle machine"
    page.locator("#find").fill("scan 19999")
    until(page, "document.querySelectorAll('.card').length === 1")
    page.locator("#find").fill("")
    until(page, "document.querySelectorAll('.card').length >= 60")
    page.mouse.wheel(0, 20_000)
    until(page, "document.querySelectorAll('.card').length >= 120")
