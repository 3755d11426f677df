"""How the report page of a large run behaves in a real browser.

    python -m bench.report_page [--items 20000] [--keep FOLDER]

Thumbnails are synthetic, but every item has its own two files, as after a real run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.media.picture.thumbnails import write_pair
from colorize_core.report.build import build

RUNS = 5


def make_run(out: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    scenes = [rng.integers(0, 255, (19, 25, 3), np.uint8) for _ in range(16)]
    large = [np.kron(scene, np.ones((16, 16, 1), np.uint8)) for scene in scenes]
    summary = RunFolder(out).summary
    summary.parent.mkdir(parents=True)
    start = time.monotonic()
    with summary.open("w") as file:
        file.write('{"source": "/archive", "seconds": 3600, "items": [')
        for number in range(count):
            picture = large[number % 16]
            pair = write_pair(
                picture[..., 1], picture, RunFolder(out).thumbs, f"{number:08x}"[::-1]
            )
            file.write(("," if number else "") + json.dumps(item(number, vars(pair))))
        file.write("]}")
    print(f"thumbnails: {(time.monotonic() - start) / count * 1000:.1f} ms per item")


def item(number: int, pair: dict[str, object]) -> dict[str, object]:
    name = f"box {number // 500}/scan {number:06d}.tif"
    entry = {
        "source": name,
        "output": name,
        "status": "failed" if number % 200 == 7 else "done",
        "kind": "photo",
        "size": 3_000_000,
        "seconds": 0.2,
        "details": {"thumbnails": pair, "width": 3000, "height": 2000},
    }
    if number % 50 == 3:
        entry["suspicious"] = ["cast: nearly everything is pulled 20 to one hue"]
    return entry


def until(page: Page, expression: str) -> None:
    while not page.evaluate(expression):
        time.sleep(0.005)


def timed(page: Page, action: str, done: str) -> float:
    start = time.monotonic()
    page.evaluate(action)
    until(page, done)
    return time.monotonic() - start


def measure(page_path: Path, browser_path: str, count: int) -> None:
    firsts: list[float] = []
    with sync_playwright() as playwright:
        for _ in range(RUNS):
            browser = playwright.chromium.launch(
                executable_path=browser_path, args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            start = time.monotonic()
            page.goto(page_path.as_uri(), wait_until="commit")
            page.wait_for_selector(".card img")
            page.locator(".card img").first.evaluate("image => image.decode()")
            firsts.append(time.monotonic() - start)
            if len(firsts) < RUNS:
                browser.close()
        print(
            f"first picture: median {statistics.median(firsts):.2f} s, worst {max(firsts):.2f} s"
            f" of {RUNS} fresh browsers"
        )
        last = -(-count // 60)
        jump = f"document.getElementById('page').value = {last};"
        jump += "document.getElementById('page').dispatchEvent(new Event('change'))"
        print(f"last page: {timed(page, jump, f'location.hash === `#all/{last}`'):.2f} s")
        failed = "document.querySelector('[data-filter=failed]').click()"
        print(f"filter: {timed(page, failed, 'location.hash === `#failed/1`'):.2f} s")
        page.evaluate("document.querySelector('[data-filter=all]').click()")
        until(page, "location.hash === '#all/1'")
        seek = "const s = document.getElementById('search'); s.value = '019999';"
        seek += "s.dispatchEvent(new Event('input'))"
        found = "document.querySelectorAll('.card').length === 1"
        print(f"search by name over everything: {timed(page, seek, found):.2f} s")
        heap = page.evaluate("performance.memory.usedJSHeapSize") / 1e6
        print(f"script memory {heap:.0f} MB, {page.evaluate(COUNT)} elements")
        browser.close()


COUNT = "document.getElementsByTagName('*').length"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--keep", type=Path, help="leave the run here")
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    options = parser.parse_args()
    out = options.keep or Path(tempfile.mkdtemp())
    try:
        make_run(out, options.items)
        start = time.monotonic()
        page = build(out)
        seconds = time.monotonic() - start
        tracemalloc.start()
        build(out)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        print(f"build: {seconds:.1f} s, peak {peak:.1f} MB of Python memory")
        measure(page, options.chromium, options.items)
    finally:
        if not options.keep:
            shutil.rmtree(out)


if __name__ == "__main__":
    main()
