import json

import pytest

from colorize_core.report.records import (
    bytes_text,
    duration_text,
    filters_of,
    output_url,
    page_record,
)

PAIR = {"before": "ab/k-before.jpg", "after": "ab/k-after.jpg", "width": 40, "height": 30}


def film(**details):
    return {"source": "f.mkv", "output": "f.mkv", "status": "done", "kind": "film", **details}


@pytest.mark.parametrize(
    ("output", "url"),
    [
        ("a b/ü#?%.jpg", "../a%20b/%C3%BC%23%3F%25.jpg"),
        ("javascript:alert(1)", "../javascript%3Aalert%281%29"),
        ('"><script>.jpg', "../%22%3E%3Cscript%3E.jpg"),
        ("bad\udcff.jpg", "../bad%FF.jpg"),
        ("line\nbreak.jpg", "../line%0Abreak.jpg"),
        ("/etc/passwd", None),
        ("a/../../x.jpg", None),
        ("a\0b", None),
        ("", None),
        (None, None),
        (3, None),
    ],
)
def test_links_stay_inside_out_and_are_encoded(output, url):
    assert output_url(output) == url


@pytest.mark.parametrize(
    "name",
    ["../x.jpg", "/x.jpg", "javascript:x.jpg", "a/../x.jpg", "x.svg", "x.jpg\n", "a b.jpg", "", 3],
)
def test_thumbnails_with_other_names_than_ours_are_left_out(name):
    item = film(details={"thumbnails": {**PAIR, "after": name}})
    assert "thumbs" not in page_record(item)


def test_film_details_reach_the_page():
    thumbnails = {
        **PAIR,
        "strip": [{**PAIR, "time": 1.5}, {**PAIR, "before": "../x.jpg"}],
        "preview": {"file": "ab/k-preview.mp4", "seconds": 6},
    }
    details = {"thumbnails": thumbnails, "lost": ["chapters"], "kept": ["2 audio"], "frames": 240}
    record = page_record(film(details=details, seconds=75.0, size=2_500_000))
    assert record["thumbs"]["after"] == "thumbs/ab/k-after.jpg"
    assert [frame["time"] for frame in record["strip"]] == [1.5]
    assert record["preview"] == "thumbs/ab/k-preview.mp4"
    assert (record["lost"], record["kept"]) == (["chapters"], ["2 audio"])
    assert ["Frames", "240"] in record["facts"]
    assert ["Work", "1 min 15 s"] in record["facts"]
    assert ["File", "2.5 MB"] in record["facts"]


def test_names_that_are_not_unicode_are_shown_and_kept_exactly():
    record = page_record({"source": "bad\udcff.jpg", "status": "done", "kind": "photo"})
    assert record["name"] == "bad\ufffd.jpg"
    assert json.loads(json.dumps(record))["source"] == "bad\udcff.jpg"


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"details": 3, "status": "?", "kind": None, "suspicious": "text"},
        {"details": {"thumbnails": 3, "signals": [], "width": True, "height": "x"}},
        {"details": {"thumbnails": {"strip": 3, "preview": 3}}, "seconds": float("inf")},
        {"size": float("nan"), "details": {"signals": {"a": float("nan")}}},
    ],
)
def test_damaged_items_still_make_a_record(item):
    record = page_record(item)
    assert record["status"] in ("failed", "done")
    json.dumps(record, allow_nan=False)


def test_which_filters_show_an_item():
    assert filters_of(page_record({"status": "degraded", "suspicious": ["cast"]})) == [
        *("all", "suspicious", "degraded")
    ]
    assert filters_of(page_record({"status": "done", "kind": "film"})) == ["all", "films"]


def test_numbers_for_people():
    assert [bytes_text(n) for n in (5, 1500, 250_000, 3.2e9, 5e15)] == [
        "5 B",
        "1.5 kB",
        "250 kB",
        "3.2 GB",
        "5,000.0 TB",
    ]
    assert [duration_text(s) for s in (0.21, 59.4, 200, 25_500)] == [
        "0.2 s",
        "59 s",
        "3 min 20 s",
        "7 h 5 min",
    ]
