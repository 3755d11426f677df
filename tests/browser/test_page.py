import time

import pytest

from colorize_core.archive.records.named_items import read_redo_list
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.media.picture.thumbnails import write_pair
from tests.browser.conftest import colored, item

pytestmark = pytest.mark.browser

HOSTILE = [
    "</script><script>alert(1)</script>.jpg",
    "<img src=x onerror=alert(2)>.jpg",
    "javascript:alert(3)",
    'a" onmouseover="alert(4)\' .jpg',
    "line\nbreak\u2028.jpg",
    "not unicode \udcff.jpg",
    "#not a comment.jpg",
    ' "quoted".jpg ',
    "Größe 50 % & \U0001f600.jpg",
]


def index_of(out):
    return out / "report" / "index.html"


def until(page, expression):
    """Wait until a JavaScript expression is true (the page forbids eval, so ask from outside)."""
    end = time.monotonic() + 15
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never true: {expression}"
        time.sleep(0.03)


def names(page):
    return page.locator(".card .name").all_text_contents()


def pixel(page, selector, x, y):
    """RGB of the screen at a share of an element's box."""
    from io import BytesIO

    from PIL import Image

    picture = Image.open(BytesIO(page.locator(selector).screenshot())).convert("RGB")
    return picture.getpixel((int(picture.width * x), int(picture.height * y)))


def saturation(rgb):
    return max(rgb) - min(rgb)


def test_first_view_shows_totals_and_suspicious_items_first(make_run, open_page):
    page = open_page(index_of(make_run(200)))
    assert page.locator(".tile").first.inner_text().split() == ["Items", "201"]
    assert page.locator("[data-filter=all]").inner_text().split() == ["All", "201"]
    assert page.locator(".card").count() == 60
    cards = page.locator(".card")
    for width, height in ((1280, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        box = page.locator(".card img").first.bounding_box()
        assert box["y"] + box["height"] < height / 2  # pictures first
    assert cards.nth(0).locator(".badge.suspicious").count() == 1
    assert cards.nth(19).locator(".badge.suspicious").count() == 1
    assert cards.nth(20).locator(".badge.suspicious, .badge.failed").count() == 0
    assert "scan it again" in page.locator(".trouble").inner_text()
    image = page.locator(".card img").first
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 160


def test_slider_uncovers_the_gray_picture_by_mouse_and_by_keys(make_run, open_page):
    page = open_page(index_of(make_run(20)))
    page.locator(".shot").first.click()
    for role in ("before", "after"):
        page.locator(f"#compare-{role}").evaluate("image => image.decode()")
    assert saturation(pixel(page, "#compare", 0.4, 0.8)) < 12  # gray on the left of the divider
    assert saturation(pixel(page, "#compare", 0.6, 0.8)) > 40
    box = page.locator("#compare").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + box["height"] * 0.5, steps=5)
    page.mouse.up()
    assert saturation(pixel(page, "#compare", 0.4, 0.8)) > 40
    at = int(page.locator("#slider").input_value())
    assert at < 20
    page.keyboard.press("End")
    assert saturation(pixel(page, "#compare", 0.9, 0.8)) < 12
    page.keyboard.press("ArrowLeft")
    assert page.locator("#slider").input_value() == "99"
    assert page.locator("#slider").get_attribute("aria-valuetext") == "99 % before"


def test_filters_and_pages_show_what_they_say(make_run, open_page):
    page = open_page(index_of(make_run(700)))
    page.locator("[data-filter=failed]").click()
    until(page, "document.querySelectorAll('.card').length === 28")
    assert page.locator(".badge.failed").count() >= 28
    assert "--retry-failed" in page.locator("#meaning").inner_text()
    assert page.locator("#pager").is_hidden()
    page.locator("[data-filter=suspicious]").click()
    until(page, "document.getElementById('status').textContent.includes('of 70')")
    first = names(page)
    page.locator("#next").click()
    until(page, "document.querySelectorAll('.card').length === 10")
    assert not set(first) & set(names(page))
    page.locator("[data-filter=films]").click()
    until(page, "document.querySelectorAll('.card').length === 1")
    assert "chapters" in page.locator(".card").inner_text()
    assert page.locator("[data-filter=degraded]").is_disabled()


def test_paging_through_everything_meets_each_item_once(make_run, open_page):
    page = open_page(index_of(make_run(500)))
    seen = names(page)
    for number in range(2, 10):
        page.locator("#next").click()
        until(page, f"document.getElementById('page').value === '{number}'")
        seen += names(page)
    assert page.locator("#next").is_disabled()
    assert sorted(seen) == sorted([f"scan {n:05d}.png" for n in range(500)] + ["reel.mkv"])


def test_search_and_return_to_the_same_place(make_run, open_page):
    page = open_page(index_of(make_run(500)))
    page.locator("#search").fill("SCAN 0041")
    until(page, "document.querySelectorAll('.card').length === 10")
    assert all(name.startswith("scan 0041") for name in names(page))
    page.locator("#search").fill("")
    until(page, "document.querySelectorAll('.card').length === 60")
    page.locator("#page").fill("3")
    page.keyboard.press("Enter")
    until(page, "location.hash === '#all/3'")
    here = names(page)
    page.reload()
    page.wait_for_selector(".card")
    assert names(page) == here


def test_ticked_items_are_exported_and_read_back_exactly(make_run, open_page, tmp_path):
    extra = [
        {"source": name, "output": name, "status": "done", "suspicious": ["x"]} for name in HOSTILE
    ]
    page = open_page(index_of(make_run(5, extra)))
    assert page.locator("#redo").is_hidden()
    page.locator("[data-filter=suspicious]").click()
    until(page, f"document.querySelectorAll('.card').length === {len(HOSTILE) + 1}")
    page.locator(".card .tick input").first.check()
    page.locator("#tick-all").click()
    assert page.locator("#ticked").inner_text() == f"{len(HOSTILE) + 1} ticked for redo"
    page.reload()
    page.wait_for_selector("#redo:not([hidden])")  # ticks outlive a reload
    with page.expect_download() as download:
        page.locator("#export").click()
    assert download.value.suggested_filename == "redo.txt"
    download.value.save_as(tmp_path / "redo.txt")
    assert read_redo_list(tmp_path / "redo.txt") == {*HOSTILE, "box/scan 00001.png"}
    page.locator("#clear").click()
    assert page.locator("#redo").is_hidden()


def test_hostile_names_do_nothing_but_show(make_run, open_page):
    extra = [
        {
            "source": n,
            "output": n,
            "status": "failed",
            "reason": n,
            "remedy": n,
            "error": n,
            "doubt": 1.0,
        }
        for n in HOSTILE
    ]
    page = open_page(index_of(make_run(0, extra)))
    titles = [page.locator(".card .name").nth(i).get_attribute("title") for i in range(9)]
    assert titles == [name.replace("\udcff", "\ufffd") for name in HOSTILE]
    for number in range(len(HOSTILE)):
        page.locator(".shot").nth(number).click()
        link = page.locator("#viewer-open")
        assert link.evaluate("a => a.protocol") == "file:"
        assert "/report/" not in link.evaluate("a => a.href")
        page.keyboard.press("Escape")
    assert page.locator("main script, main img[src=x]").count() == 0


def test_the_link_opens_the_result(make_run, open_page):
    out = make_run(3)
    result = out / "box" / "scan 00000.png"
    result.parent.mkdir()
    result.write_bytes(b"not empty")
    page = open_page(index_of(out))
    page.locator("[aria-label^='Compare box/scan 00000.png']").click()
    assert page.locator("#viewer-open").evaluate("a => a.href") == result.as_uri()


def test_the_comparison_is_linked_where_there_is_one(make_run, open_page):
    out = make_run(0)
    both = out / "report" / "compare" / "box" / "scan 00000.png.jpg"
    both.parent.mkdir(parents=True)
    both.write_bytes(b"not empty")
    # The page is written after the comparisons.
    page = open_page(index_of(make_run(3)))
    page.locator("[aria-label^='Compare box/scan 00002.png']").click()
    assert page.locator("#viewer-side").is_hidden()
    page.keyboard.press("Escape")
    page.locator("[aria-label^='Compare box/scan 00000.png']").click()
    assert page.locator("#viewer-side").evaluate("a => a.href") == both.as_uri()


def test_keyboard_alone_is_enough(make_run, open_page):
    page = open_page(index_of(make_run(200)))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the pictures"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "shot"
    page.keyboard.press("Enter")
    first = page.locator("#viewer-name").inner_text()
    assert page.evaluate("document.activeElement.id") == "slider"
    page.keyboard.press("n")
    second = page.locator("#viewer-name").inner_text()
    assert second != first
    page.keyboard.press("r")
    page.keyboard.press("p")
    assert page.locator("#viewer-name").inner_text() == first
    page.keyboard.press("n")
    assert page.locator("#viewer-tick").is_checked()
    page.keyboard.press("Escape")
    assert page.locator("#viewer").is_hidden()
    # The browser gives the focus back to the first picture, and a moment later reports "close".
    until(page, f"document.activeElement.getAttribute('aria-label')?.includes('{second}')")
    assert page.locator("#ticked").inner_text() == "1 ticked for redo"


def test_a_late_close_leaves_the_next_picture_open(make_run, open_page):
    page = open_page(index_of(make_run(20)))
    page.locator(".shot").first.click()
    # In one go: the browser reports "close" only after the second picture has been opened.
    page.evaluate(
        """new Promise((reported) => {
          const viewer = document.getElementById("viewer");
          viewer.addEventListener("close", () => reported(), { once: true });
          viewer.close();
          document.querySelectorAll(".shot")[1].click();
        })"""
    )
    second = page.locator("#viewer-name").inner_text()
    page.keyboard.press("n")
    assert page.locator("#viewer-name").inner_text() not in (second, names(page)[0])
    page.keyboard.press("p")
    assert page.locator("#viewer-name").inner_text() == second


def test_next_goes_on_to_the_following_page(make_run, open_page):
    page = open_page(index_of(make_run(100)))
    page.locator(".shot").nth(59).click()
    page.locator("#viewer-next").click()
    until(page, "location.hash === '#all/2'")
    until(page, "document.getElementById('viewer-previous').disabled === false")
    page.keyboard.press("p")
    until(page, "location.hash === '#all/1'")


def test_everything_has_a_name_for_a_screen_reader(make_run, open_page):
    page = open_page(index_of(make_run(100)))
    page.locator("[data-filter=films]").click()
    until(page, "document.querySelectorAll('.card').length === 1")
    page.locator(".shot").click()
    unnamed = page.evaluate(
        """() => [
          ...document.querySelectorAll('img, button, input, a, video, dialog')
        ].filter(e => {
          if (e.tagName === 'IMG') return !e.hasAttribute('alt');
          const label = e.getAttribute('aria-label') || e.textContent.trim() ||
            e.getAttribute('aria-labelledby') || (e.labels && e.labels.length);
          return !label;
        }).map(e => e.outerHTML)"""
    )
    assert unnamed == []
    assert page.locator("#compare-after").get_attribute("alt") == "After: reel.mkv"
    assert page.evaluate("document.documentElement.lang") == "en"


def test_narrow_pictures_keep_their_labels_apart(make_run, open_page):
    thumbs = RunFolder(make_run(0)).thumbs
    pair = vars(write_pair(*(p[:, :9] for p in colored(0)), thumbs, "narrow"))
    page = open_page(index_of(make_run(1, [item(7, pair, source="narrow.png")])), width=390)
    page.locator("[aria-label^='Compare narrow.png']").click()
    left, right = (page.locator(f".tag.{side}").bounding_box() for side in ("left", "right"))
    assert left["x"] + left["width"] < right["x"]
    # The picture is not stretched to the room that the labels take.
    fits = page.locator("#compare-after").evaluate("e => getComputedStyle(e).objectFit")
    assert fits == "contain"


def test_a_degraded_film_says_what_is_lost_once_and_what_to_do(make_run, open_page):
    film = {
        "source": "lost.mkv",
        "kind": "film",
        "status": "degraded",
        "reason": "lost: chapters; 3 frames damaged",
        "remedy": "--container mkv can hold more",
        "details": {"lost": ["chapters"]},
    }
    page = open_page(index_of(make_run(1, [film])))
    page.locator("[aria-label^='Compare lost.mkv']").click()
    assert page.locator("#viewer-notes li").all_inner_texts() == [
        "Reason: 3 frames damaged",
        "Lost: chapters",
        "Remedy: --container mkv can hold more",
    ]


def test_film_strip_changes_the_compared_frame(make_run, open_page):
    page = open_page(index_of(make_run(3)))
    page.locator("[data-filter=films]").click()
    until(page, "document.querySelectorAll('.card').length === 1")
    page.locator(".shot").click()
    before = page.locator("#compare-after").get_attribute("src")
    frame = page.locator("#strip button").nth(3)
    assert frame.get_attribute("aria-label") == "Frame at 0:30"
    frame.click()
    assert page.locator("#compare-after").get_attribute("src") != before
    text = page.locator(".viewer-text").inner_text()
    assert "Lost: chapters" in text
    assert "Kept: 2 audio" in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 820, 1300, 2200])
def test_no_width_scrolls_sideways(make_run, open_page, width, scheme):
    long = {"source": "a" * 300 + "/" + "b" * 250, "status": "failed", "reason": "r" * 200}
    page = open_page(index_of(make_run(30, [long])), width=width, color_scheme=scheme)
    page.locator(".card .tick input").first.check()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator(".shot").first.click()
    assert page.evaluate("document.getElementById('viewer').scrollWidth") <= width


def contrast(page, selector):
    """WCAG 2 contrast of an element's text with the nearest background behind it."""
    return page.locator(selector).first.evaluate(
        """element => {
          const parse = c => c.match(/[\\d.]+/g).map(Number);
          const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
            .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
          let behind = element, back = [0, 0, 0, 0];
          while (behind && (back[3] === 0 || back.length === 4 && back[3] < 1)) {
            back = parse(getComputedStyle(behind).backgroundColor);
            behind = behind.parentElement;
          }
          const front = light(parse(getComputedStyle(element).color)) + 0.05;
          const rear = light(back) + 0.05;
          return Math.max(front / rear, rear / front);
        }"""
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_background(make_run, open_page, scheme):
    page = open_page(index_of(make_run(60)), color_scheme=scheme)
    page.locator(".card .tick input").first.check()
    for selector in (
        "h1",
        ".tile dt",
        ".tile.bad dd",
        ".tile.look dd",
        ".facts dt",
        ".badge.failed",
        ".badge.suspicious",
        ".card .note",
        ".card .folder",
        "#export",
        "[data-filter=all]",
        "footer p",
    ):
        assert contrast(page, selector) >= 4.5, selector


def test_background_button_turns_the_page_dark_and_back(make_run, open_page):
    page = open_page(index_of(make_run(3)), color_scheme="light")
    light = pixel(page, "body", 0.01, 0.01)
    page.locator("#theme").click()
    assert sum(pixel(page, "body", 0.01, 0.01)) < sum(light) / 2
    page.locator("#theme").click()
    assert pixel(page, "body", 0.01, 0.01) == light


def test_a_lost_data_file_is_said(make_run, open_page, chromium):
    out = make_run(10)
    for chunk in (out / "report" / "data").rglob("0-*.js"):
        chunk.unlink()
    page = chromium.new_page()
    page.goto(index_of(out).as_uri())
    until(page, "document.getElementById('status').textContent.includes('incomplete')")
    page.close()


def test_twenty_thousand_items_show_a_picture_as_fast_as_sixty(make_run, open_page):
    def first_picture(out):
        start = time.monotonic()
        page = open_page(index_of(out))
        page.locator(".card img").first.evaluate("image => image.decode()")
        return page, time.monotonic() - start

    # A busy machine is slow with any page; a large one must not be slower than a small one.
    _, small = first_picture(make_run(60))
    page, large = first_picture(make_run(20_000))
    assert large < max(3, 2 * small)
    assert page.locator("#status").inner_text() == "1–60 of 20,001"  # noqa: RUF001
    page.locator("#page").fill("330")
    page.keyboard.press("Enter")
    until(page, "location.hash === '#all/330'")
    assert page.locator(".card").count() == 60
    # The browser holds a page of the grid, not the archive.
    assert page.evaluate("document.getElementsByTagName('*').length") < 2500
