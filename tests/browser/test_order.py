"""Sort, folders, languages, print and the large view of the page, in a real browser."""

import pytest
from PIL import Image

from tests.browser.conftest import colored, item
from tests.browser.test_page import index_of, names, until

pytestmark = pytest.mark.browser


def made(number, name, date, **changes):
    return item(
        0, None, source=name, output=name, details={}, stamp=f"mtime_ns:{date}000000000", **changes
    )


ITEMS = [
    made(0, "a/b/one.tif", 30),
    made(1, "a/b/two.jpg", 10),
    made(2, "a/three.jpg", 50, suspicious=["cast: x"], doubt=1.2),
    made(3, "a b/four.png", 20, status="failed", doubt=-1),
    made(4, "five.gif", 40, status="skipped", reason="already in color: copied", doubt=-0.5),
]


def shown(page):
    return [name.split(".")[0] for name in names(page)]


def test_sort_by_doubt_name_date_and_kind(make_run, open_page):
    page = open_page(index_of(make_run(0, ITEMS)))
    orders = {
        "name": ["reel", "one", "two", "three", "four", "five"],
        "date": ["three", "five", "one", "four", "two", "reel"],
        "kind": ["five", "two", "three", "four", "one", "reel"],
        "doubt": ["three", "reel", "one", "two", "five", "four"],
    }
    for order, expected in orders.items():
        page.locator("#sort").select_option(order)
        until(
            page, f"document.querySelector('.card .name').textContent.startsWith('{expected[0]}')"
        )
        assert shown(page) == expected, order


def test_a_sorted_page_has_every_item_once_and_a_link_leads_back(make_run, open_page):
    page = open_page(index_of(make_run(500)))
    page.locator("#sort").select_option("name")
    until(page, "location.hash === '#all/1/name/0'")
    seen = names(page)
    for number in range(2, 10):
        page.locator("#next").click()
        until(page, f"location.hash === '#all/{number}/name/0'")
        seen += names(page)
    assert seen == [*(f"scan {n:05d}.png" for n in range(500)), "reel.mkv"]
    page.reload()
    page.wait_for_selector(".card")
    assert names(page) == seen[480:]
    assert page.locator("#sort").input_value() == "name"


def test_the_tree_shows_what_is_in_and_below_a_folder(make_run, open_page):
    page = open_page(index_of(make_run(0, ITEMS)))
    assert page.locator("#tree > li > ul > li > .branch").all_inner_texts() == ["▸\na 3", "a b 1"]
    page.locator(".folder-name", has_text="a 3").click()
    until(page, "document.querySelectorAll('.card').length === 3")
    assert shown(page) == ["three", "one", "two"]
    page.locator("[aria-label=a].toggle").click()
    page.locator(".folder-name", has_text="b 2").last.click()
    until(page, "document.querySelectorAll('.card').length === 2")
    page.locator("#sort").select_option("date")
    until(page, "document.querySelector('.card .name').textContent === 'one.tif'")
    page.locator("#search").fill("TWO")
    until(page, "document.querySelectorAll('.card').length === 1")
    page.locator("#search").fill("")
    page.locator("[data-folder='0']").click()
    until(page, "document.querySelectorAll('.card').length === 6")
    page.locator("[data-filter=failed]").click()
    until(page, "document.querySelectorAll('.card').length === 1")


def test_folders_are_closed_on_a_telephone(make_run, open_page):
    page = open_page(index_of(make_run(0, ITEMS)), width=390, height=844)
    assert page.locator("#tree").is_hidden()
    page.locator("#folders summary").click()
    assert page.locator("#tree").is_visible()


@pytest.mark.parametrize(
    ("locale", "lang", "before", "failed"),
    [
        ("de-AT", "de", "Vorher", "Fehlgeschlagen"),
        ("fr-FR", "fr", "Avant", "En échec"),
        ("en-US", "en", "Before", "Failed"),
        ("pl-PL", "en", "Before", "Failed"),
    ],
)
def test_the_page_speaks_the_language_of_the_browser(
    make_run, open_page, locale, lang, before, failed
):
    page = open_page(index_of(make_run(30)), locale=locale)
    assert page.evaluate("document.documentElement.lang") == lang
    assert page.locator("[data-filter=failed] .label").text_content() == failed
    page.locator(".shot").first.click()
    assert page.locator(".tag.left").inner_text() == before
    assert page.evaluate("document.documentElement.scrollWidth") <= 1300


def test_another_language_can_be_chosen_and_is_kept(make_run, open_page):
    page = open_page(index_of(make_run(30)))
    page.locator("#language").select_option("de")
    until(page, "document.documentElement.lang === 'de'")
    assert "neigt zu einem Farbton" in page.locator(".card .note").first.inner_text()
    page.reload()
    page.wait_for_selector(".card")
    assert page.evaluate("document.documentElement.lang") == "de"
    assert page.locator("#sort option").first.text_content() == "nach Zweifel"


def test_every_language_has_every_word(make_run, open_page):
    page = open_page(index_of(make_run(3)))
    for code in ("de", "fr", "en"):
        page.locator("#language").select_option(code)
        until(page, f"document.documentElement.lang === '{code}'")
        missing = page.evaluate(
            "[...document.querySelectorAll('[data-t]')].map(e => e.dataset.t)"
            ".filter(key => colorizeReport.word(key) === key && key !== 'of')"
        )
        assert missing == []


def test_print_shows_pairs(make_run, open_page):
    page = open_page(index_of(make_run(20)))
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    first = page.locator(".card").first
    before, after = (
        first.locator(f"img{which}").bounding_box() for which in (".before", ":not(.before)")
    )
    assert before["x"] + before["width"] <= after["x"] + 1
    assert page.locator(".bar").is_hidden()


def test_the_viewer_shows_the_result_itself_and_zooms(make_run, open_page):
    out = make_run(3)
    _, after = colored(0)
    path = out / "box" / "scan 00000.png"
    path.parent.mkdir()
    Image.fromarray(after.repeat(12, 0).repeat(12, 1)).save(path)
    page = open_page(index_of(out))
    page.locator("[aria-label^='Compare box/scan 00000.png']").click()
    until(page, "document.getElementById('compare-after').naturalWidth === 160 * 12")
    assert page.locator("#compare-after").evaluate("e => e.src") == path.as_uri()
    page.keyboard.press("z")
    until(page, "document.getElementById('compare').clientWidth >= 160 * 12")
    assert page.evaluate("stage.scrollWidth > stage.clientWidth")
    page.keyboard.press("z")
    until(page, "stage.scrollWidth <= stage.clientWidth")


def test_a_film_plays_whole_with_its_shots(make_run, open_page, tmp_path):
    from tests.film_helpers import make_film

    film = item(0, None, kind="film", source="real.webm", output="real.webm", frames=40)
    film["details"] = {"cuts": [10, 30], "rate": 20.0}
    out = make_run(1, [film])
    make_film(out / "real.webm", frames=40, codec="libvpx", rate=20)
    page = open_page(index_of(out))
    page.locator("[aria-label^='Compare real.webm']").click()
    until(page, "document.getElementById('film').duration > 1.5")
    shots = page.locator("#timeline button")
    assert shots.count() == 3
    widths = [shots.nth(i).bounding_box()["width"] for i in range(3)]
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.1)
    shots.nth(2).click()
    until(page, "Math.abs(film.currentTime / film.duration - 0.75) < 0.02")
    until(page, "timeline.children[2].firstChild.hasAttribute('aria-current')")


def test_a_film_that_cannot_be_played_has_its_preview(make_run, open_page):
    film = item(0, None, kind="film", source="no.mkv", output="no.mkv", frames=40)
    film["details"] = {"cuts": [10], "thumbnails": {"preview": {"file": "00/p.mp4", "seconds": 1}}}
    out = make_run(1, [film])
    (out / "no.mkv").write_bytes(b"no film")
    page = open_page(index_of(out))
    page.locator("[aria-label^='Compare no.mkv']").click()
    until(page, "document.getElementById('film').hidden")
    assert page.locator("#preview").is_visible()
