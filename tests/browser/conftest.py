import json
import os
import shutil

import numpy as np
import pytest

from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.media.picture.thumbnails import write_pair
from colorize_core.report.build import build


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium. Its absence is a failure: a skipped check would look green."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        pytest.fail("no Chromium: install it (apt-get install chromium) or set CHROMIUM")
    with sync_playwright() as playwright:
        # Containers run tests as root, where Chromium's own sandbox refuses to start.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Open a page from the disk; fail on script errors and on any request off the disk."""
    contexts, troubles = [], []

    def open_(path, *, width=1300, height=900, wait=".card", **options):
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: troubles.append(f"script error: {error}"))
        page.on("dialog", lambda dialog: troubles.append(f"dialog: {dialog.message}"))
        page.on(
            "console",
            # Outputs of made runs are not there; the page then shows what was made for it.
            lambda message: (
                troubles.append(message.text)
                if message.type == "error" and "ERR_FILE_NOT_FOUND" not in message.text
                else None
            ),
        )
        page.on(
            "request",
            lambda request: (
                troubles.append(f"request to {request.url}")
                if not request.url.startswith(("file:", "blob:"))
                else None
            ),
        )
        page.goto(path.as_uri())
        if wait:
            page.wait_for_selector(wait)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert troubles == []


def colored(hue):
    """A picture whose after is reddish or bluish, and whose before is its gray."""
    gray = np.tile(np.linspace(40, 220, 160, dtype=np.uint8), (120, 1))
    after = np.stack([gray, gray, gray], axis=2)
    after[..., 2 if hue else 0] //= 3
    return gray, after


@pytest.fixture
def make_run(tmp_path):
    """Build the page of a run of `count` photos and one film; return OUT."""
    out = tmp_path / "out with space"

    def make(count=200, extra=()):
        thumbs = RunFolder(out).thumbs
        pairs = [vars(write_pair(*colored(n % 2), thumbs, f"{n:02x}k")) for n in range(8)]
        items = [item(n, pairs[n % 8]) for n in range(count)]
        strip = [{**pairs[n], "time": n * 10.0} for n in range(4)]
        film = item(0, pairs[0], kind="film", source="reel.mkv", frames=900)
        film["details"] = {
            "thumbnails": {**pairs[0], "strip": strip},
            "lost": ["chapters"],
            "kept": ["2 audio"],
        }
        body = {"source": "/archive", "seconds": 60, "items": [*items, film, *extra]}
        (out / ".colorize").mkdir(exist_ok=True)
        (out / ".colorize" / "summary.json").write_text(json.dumps(body), encoding="ascii")
        build(out)
        return out

    return make


def item(number, pair, **changes):
    """Every 10th photo is suspicious, every 25th failed, every 40th skipped."""
    name = f"box/scan {number:05d}.png"
    entry = {"source": name, "output": name, "status": "done", "kind": "photo", "seconds": 0.2}
    entry["details"] = {"thumbnails": pair, "signals": {"colorfulness": 9.0}}
    if number % 10 == 1:
        entry["suspicious"] = ["cast: nearly everything is pulled 20 to one hue"]
        entry["doubt"] = 2.5
    if number % 25 == 2:
        entry |= {"status": "failed", "output": None, "error": "undecodable", "reason": "torn"}
        entry |= {"remedy": "scan it again", "doubt": -1.0}
        entry["details"] = {}
    if number % 40 == 3:
        entry |= {"status": "skipped", "reason": "already in color", "doubt": -0.5}
    return {**entry, **changes}
