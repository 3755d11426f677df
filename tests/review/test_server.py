"""What reviewers do reaches the log, the file and the job; nothing that another did is lost."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from colorize_core.archive.records.overrides import load_overrides
from colorize_core.archive.records.review_log import ReviewLog
from colorize_core.archive.records.reviews import fold
from colorize_core.cli.main import main
from colorize_core.review.access import HEADER
from tests.review.conftest import Browser, changed, run_words, serve

RED = {"x": 0.25, "y": 0.25, "color": "#A03020", "radius": 0.05}


def in_file(folder: Path) -> dict:
    return yaml.safe_load((folder / "out" / "overrides.yaml").read_text())


def test_a_point_colors_its_place_and_the_file_holds_it(run_folder: Path):
    async def act(browser: Browser) -> None:
        id_ = browser.id_of("box/a.png")
        before = await browser.picture(f"/live/{id_}", size=128)
        said = await browser.say("box/a.png", "hint", RED)
        assert said["item"]["changed"]
        after = await browser.picture(f"/live/{id_}", size=128)
        height, width = after.shape[:2]
        at = np.s_[int(height * 0.2) : int(height * 0.3), int(width * 0.2) : int(width * 0.3)]
        a = after[at][..., 1].mean()
        assert a > before[at][..., 1].mean() + 5, "redder there"
        assert abs(after[..., 0] - before[..., 0]).mean() < 2, "L stays"

    serve(run_folder / "out", act)
    hint = {"x": 0.25, "y": 0.25, "color": "#a03020", "radius": 0.05}
    assert in_file(run_folder) == {"box/a.png": {"hints": [hint]}}
    rules = load_overrides(run_folder / "out" / "overrides.yaml")
    assert len(rules.hints_for("box/a.png").points) == 1
    assert not rules.hints_for("other/box/a.png").points


def test_names_with_marks_of_globs_and_at_the_top_fit_only_themselves(run_folder: Path):
    async def act(browser: Browser) -> None:
        await browser.say("box/b[1].png", "hint", RED)
        await browser.say("top.png", "set", {"render.strength": 0.5})

    serve(run_folder / "out", act)
    rules = load_overrides(run_folder / "out" / "overrides.yaml")
    assert [r.glob.fits("box/b[1].png") for r in rules.rules] == [True, False]
    assert [r.glob.fits("box/b1.png") for r in rules.rules] == [False, False]
    assert [r.glob.fits("top.png") for r in rules.rules] == [False, True]
    assert [r.glob.fits("box/top.png") for r in rules.rules] == [False, False]


def test_undo_and_remove_take_back_and_leave_what_others_did(run_folder: Path):
    async def act(browser: Browser) -> None:
        id_ = browser.id_of("top.png")
        first = await browser.say("top.png", "hint", RED, session="one")
        await browser.say("top.png", "hint", {**RED, "x": 0.5}, session="two")
        _, said = await browser.post("/api/undo", item=id_, session="one")
        assert [part["value"]["x"] for part in said["item"]["parts"]] == [0.5]
        assert first["event"] not in {part["id"] for part in said["item"]["parts"]}
        _, said = await browser.post("/api/undo", item=id_, session="one")
        assert said["event"] == "", "nothing of its own is left"
        part = said["item"]["parts"][0]["id"]
        said = await browser.say("top.png", "remove", part, session="one")
        assert said["item"]["parts"] == []
        assert not said["item"]["changed"], "as it was made"

    serve(run_folder / "out", act)
    path = run_folder / "out" / "overrides.yaml"
    assert not path.exists() or not in_file(run_folder)


def test_what_users_wrote_stays_with_its_comments(run_folder: Path):
    text = (
        "# the whole album\n"
        '"box/**": {render.strength: 0.9}  # pale prints\n'
        "box/a.png:\n"
        "  colored: recolor  # it is black and white\n"
        "  hints: [{x: 0.9, y: 0.9, color: '#204080'}]\n"
    )
    (run_folder / "out" / "overrides.yaml").write_text(text)

    async def act(browser: Browser) -> None:
        await browser.say("box/a.png", "hint", RED)

    serve(run_folder / "out", act)
    written = (run_folder / "out" / "overrides.yaml").read_text()
    for comment in ("# the whole album", "# pale prints", "# it is black and white"):
        assert comment in written
    tree = in_file(run_folder)
    assert tree["box/**"] == {"render.strength": 0.9}
    assert tree["box/a.png"]["colored"] == "recolor"
    assert [hint["x"] for hint in tree["box/a.png"]["hints"]] == [0.9, 0.25]
    assert not (run_folder / "src" / "overrides.yaml").exists()


def test_a_file_that_no_run_could_read_stays_and_is_said(run_folder: Path):
    broken = "box/**: [this is: not\n"
    path = run_folder / "out" / "overrides.yaml"

    async def act(browser: Browser) -> None:
        path.write_text(broken)
        id_ = browser.id_of("top.png")
        status, said = await browser.post("/api/event", item=id_, do="hint", value=RED)
        assert status == 400, "it would be lost on the way to the file"
        assert "overrides.yaml" in said["error"]
        await browser.say("top.png", "accept")
        await asyncio.sleep(0.7)  # the file is written when no further edit comes
        state = await browser.get("/api/state")
        assert "overrides.yaml" in state["problem"]

    serve(run_folder / "out", act)
    assert path.read_text() == broken
    assert fold(read_log(run_folder)).items["top.png"].decision == "accepted"


def read_log(folder: Path) -> list:
    log = ReviewLog(folder / "out")
    log.read()
    return log.events()


def test_two_servers_at_once_lose_nothing(run_folder: Path):
    many = 12

    async def act(one: Browser) -> None:
        other = asyncio.to_thread(serve, run_folder / "out", lambda two: points(two, "two"))
        await asyncio.gather(other, points(one, "one"))

    async def points(browser: Browser, who: str) -> None:
        for number in range(many):
            x = number / many / 2 + (0.5 if who == "two" else 0)
            await browser.say("top.png", "hint", {**RED, "x": x}, who=who)

    serve(run_folder / "out", act)
    review = fold(read_log(run_folder)).items["top.png"]
    assert len(review.of_kind("hint")) == 2 * many
    assert len(in_file(run_folder)["./top.png"]["hints"]) == 2 * many
    assert len(list((run_folder / "out/.colorize/review").glob("*.jsonl"))) == 2


@pytest.mark.parametrize(
    ("do", "value"),
    [
        ("hint", {**RED, "x": 1.2}),
        ("hint", {**RED, "x": float("nan")}),
        ("hint", {**RED, "color": "red"}),
        ("hint", {**RED, "radius": 0.9}),
        ("hint", "no"),
        ("gray", [[0, 0], [1, 1]]),
        ("gray", [[0, 0], [1, 1], [2, 0]]),
        ("set", {"render.strength": 7}),
        ("set", {"model.weights": "x"}),
        ("set", {"render.size": 4096}),
        ("remove", "../x"),
        ("reference", {"file": "/etc/passwd"}),
        ("undo", "x"),
        ("note", "x" * 3000),
        ("nonsense", None),
    ],
)
def test_what_is_not_an_event_is_refused_in_one_line(run_folder: Path, do: str, value: object):
    async def act(browser: Browser) -> None:
        body = json.dumps({"item": browser.id_of("top.png"), "do": do, "value": value})
        headers = {HEADER: "1", "Content-Type": "application/json"}
        answer = await browser.client.post("/api/event", data=body, headers=headers)
        assert answer.status == 400
        assert "\n" not in (await answer.json())["error"]
        assert browser.review.log.events() == []

    serve(run_folder / "out", act)


def test_the_job_redoes_what_changed_and_nothing_else(run_folder: Path):
    async def act(browser: Browser) -> None:
        await browser.say("box/a.png", "hint", RED)
        assert (await browser.get("/api/state"))["counts"]["changed"] == 1
        status, state = await browser.post("/api/job")
        assert status == 200
        assert state["running"]
        while state["running"]:
            await asyncio.sleep(0.2)
            state = (await browser.get("/api/state"))["job"]
        assert state["code"] == 0, state["said"]
        assert any("1 to do, 2 before" in line for line in state["said"]), state["said"]
        await asyncio.sleep(1.2)  # until the server has looked
        assert (await browser.get("/api/state"))["counts"]["changed"] == 0

    untouched = (run_folder / "out" / "top.png").stat().st_ctime_ns
    with changed(run_folder / "out" / "box" / "a.png"):
        serve(run_folder / "out", act)
    assert (run_folder / "out" / "top.png").stat().st_ctime_ns == untouched
    rgb = cv2.imread(str(run_folder / "out" / "box" / "a.png")).astype(int)
    at = rgb[14:18, 18:22].mean((0, 1))
    assert at[2] > at[0] + 20, "it is red in the file, too"


def test_what_was_accepted_stays_whatever_a_later_run_would_do(run_folder: Path):
    async def act(browser: Browser) -> None:
        await browser.say("top.png", "accept", who="Ada")
        item = await browser.get(f"/api/item/{browser.id_of('top.png')}")
        assert (item["decision"], item["by"]) == ("accepted", "Ada")

    serve(run_folder / "out", act)
    kept = (run_folder / "out" / "top.png").stat().st_ctime_ns
    with changed(run_folder / "out" / "box" / "a.png"):
        words = [*run_words(run_folder), "--set", "render.strength=0.5"]
        assert main(words) == 0
    assert (run_folder / "out" / "top.png").stat().st_ctime_ns == kept
    assert main([*words, "--redo-list", str(redo_list(run_folder, "top.png"))]) == 0
    assert (run_folder / "out" / "top.png").stat().st_ctime_ns != kept, "asked for by name"


def redo_list(folder: Path, name: str) -> Path:
    path = folder / "redo.txt"
    path.write_text(f"{name}\n")
    return path


def test_an_edit_takes_acceptance_back(run_folder: Path):
    async def act(browser: Browser) -> None:
        await browser.say("top.png", "accept")
        said = await browser.say("top.png", "hint", RED)
        assert said["item"]["decision"] == ""
        said = await browser.post("/api/undo", item=browser.id_of("top.png"), session="s")
        assert said[1]["item"]["decision"] == "accepted"

    serve(run_folder / "out", act)


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def test_references_are_checked_and_kept_below_out(run_folder: Path):
    rng = np.random.default_rng(1)
    colored = cv2.resize(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8), (120, 90))
    gray = np.repeat(cv2.cvtColor(colored, cv2.COLOR_BGR2GRAY)[..., None], 3, 2)

    async def act(browser: Browser) -> None:
        async def drop(data: bytes, name: str) -> tuple[int, dict]:
            path = f"/api/reference/{browser.id_of('top.png')}"
            query = {"name": name, "session": "s"}
            answer = await browser.client.post(path, params=query, data=data, headers={HEADER: "1"})
            return answer.status, await answer.json()

        status, said = await drop(png(gray), "gray.png")
        assert status == 422
        assert "no color" in said["error"]
        assert (await drop(b"no picture", "x.png"))[0] == 422
        status, said = await drop(png(colored), "../../etc/Tante Ida.png")
        assert status == 200
        file = said["item"]["parts"][0]["value"]["file"]
        assert file.startswith("references/Tante-Ida-")
        kept = cv2.imread(str(run_folder / "out" / file))
        assert np.array_equal(kept, colored)

    serve(run_folder / "out", act)
    assert sorted(p.name for p in run_folder.iterdir()) == ["out", "src"]


def test_filters_order_and_search(run_folder: Path):
    async def act(browser: Browser) -> None:
        await browser.say("top.png", "reject")
        names = [i["name"] for i in (await browser.get("/api/items", sort="name"))["items"]]
        assert names == ["box/a.png", "box/b[1].png", "top.png"]
        found = await browser.get("/api/items", show="rejected")
        assert [i["name"] for i in found["items"]] == ["top.png"]
        assert (await browser.get("/api/items", find="BOX/B"))["total"] == 1
        part = await browser.get("/api/items", sort="name", start=1, count=1)
        assert (part["total"], len(part["items"])) == (3, 1)

    serve(run_folder / "out", act)


def test_a_shared_photo_is_one_page_that_asks_for_nothing(run_folder: Path, tmp_path: Path):
    target = tmp_path / "pair.html"
    assert main(["share", str(run_folder / "out"), "box/b[1].png", "--to", str(target)]) == 0
    page = target.read_text()
    assert page.count("data:image/jpeg;base64,") == 2
    assert "http" not in page
    assert "color computed by colorize-archive" in page
    assert main(["share", str(run_folder / "out"), "box/c.png"]) == 1
