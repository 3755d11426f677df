import json
import re
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from colorize_core.archive.records.details import PhotoDetails
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.summary import write_summary
from colorize_core.archive.records.work import ItemReport
from colorize_core.errors import ManifestError
from colorize_core.inference.starting import judge
from colorize_core.report.build import build
from colorize_core.review.catalog import Catalog
from jobs.report import main

HOSTILE = "</script><img src=x onerror=alert(1)>&\"'`${1}{{7*7}}.jpg"


def chunks(out):
    (folder,) = (out / "report" / "data").iterdir()
    index = call(folder / "index.js", "start")[0]
    return index, [call(folder / f"{c['name']}.js", "chunk")[1] for c in index["chunks"]]


def call(path, function):
    text = path.read_text(encoding="ascii")
    body = re.fullmatch(rf"colorizeReport\.{function}\((.*)\);\n", text, re.DOTALL)
    return json.loads(f"[{body[1]}]")


def test_the_page_holds_totals_times_reasons_and_remedies(make_run, photo):
    items = [
        *(photo(n) for n in range(3)),
        photo(3, status="failed", output=None, error="undecodable", reason="torn", remedy="rescan"),
        photo(4, status="degraded", reason="profile lost"),
        photo(5, suspicious=["cast: strong"]),
        photo(6, kind="film", frames=100, seconds=50.0),
    ]
    out = make_run(items, source="/my/photos", seconds=3700.0, computed={"photos": 5})
    page = build(out).read_text()
    for text in (
        "<h1>photos</h1>",
        '<dt data-t="failed">Failed</dt><dd>1</dd>',
        '<dt data-t="suspicious">To look at</dt><dd>1</dd>',
        '<dt data-t="items">Items</dt><dd>7</dd>',
        "Undecodable",
        "torn",
        "rescan",
        "Profile lost",
        "1 h 1 min",
        "<dt>Work per film frame</dt><dd>0.50 s</dd>",
        "<dt>Photos per hour</dt><dd>5</dd>",
    ):
        assert text in page, text


def test_an_unfinished_run_says_how_to_go_on(make_run, photo):
    assert "not done yet" not in build(make_run([photo(0)], totals={"left": 0})).read_text()
    page = build(make_run([photo(0)], totals={"left": 1234})).read_text()
    assert "1,234 items are not done yet" in page


def test_every_item_is_in_exactly_one_chunk_in_order_of_doubt(make_run, photo):
    items = [photo(n, doubt=(n * 37 % 101) / 10) for n in range(1000)]
    for n in range(0, 1000, 7):
        items[n]["suspicious"] = ["blotches"]
    for n in range(3, 1000, 50):
        items[n] |= {"status": "failed", "doubt": -1.0}
    items[5]["doubt"] = float("nan")  # somebody wrote it
    out = make_run(items)
    build(out)
    index, data = chunks(out)
    sources = [record["source"] for chunk in data for record in chunk]
    items[5]["doubt"] = 0.0
    assert sources == [i["source"] for i in sorted(items, key=lambda i: -i["doubt"])]
    assert index["filters"]["suspicious"] == sum("suspicious" in i for i in items)
    for name in ("all", "suspicious", "failed"):
        assert sum(c["counts"].get(name, 0) for c in index["chunks"]) == index["filters"][name]
    assert max(len(chunk) for chunk in data) <= 240


def test_the_page_and_the_review_have_one_order(tmp_path):
    rng = np.random.default_rng(1)
    out = tmp_path / "out"
    statuses = rng.choice(["done", "degraded", "skipped", "failed"], 300, p=[0.7, 0.2, 0.05, 0.05])
    manifest = Manifest(RunFolder(out).manifest)
    for n, status in enumerate(statuses):
        signals = dict(zip(("blotches", "cast", "colorfulness"), rng.gamma(2, 4, 3), strict=True))
        output = None if status == "failed" else f"{n:03d}.jpg"
        details = PhotoDetails(60, 40, signals)
        report = ItemReport(f"k{n}", "photo", f"{n:03d}.jpg", status, output, details=details)
        manifest.append([report])
    write_summary(out, {"version": "1"}, manifest, [f"k{n}" for n in range(300)], judge)
    build(out)
    _, data = chunks(out)
    catalog = Catalog(out)
    catalog.read()
    found = [record["source"] for chunk in data for record in chunk]
    assert found == [entry.source for entry in catalog.entries.values()]
    assert found != sorted(found)


def test_hostile_names_are_text_everywhere(make_run, photo):
    changes = {"source": HOSTILE, "output": HOSTILE, "reason": HOSTILE, "remedy": HOSTILE}
    items = [photo(0, status="failed", error=HOSTILE, **changes)]
    out = make_run(items, source=HOSTILE, version=HOSTILE, settings={HOSTILE: HOSTILE})
    page = build(out).read_text()
    assert "<img src=x" not in page
    assert page.count("<script") == page.count("</script>") == 6
    assert "{{7*7}}" in page  # the template language does not run inside values
    _, (records,) = chunks(out)
    assert records[0]["source"] == HOSTILE
    for file in (out / "report" / "data").rglob("*.js"):
        assert "<" not in file.read_text()


def test_named_colors_of_the_archive_are_listed(make_run, photo):
    palette = {"field gray": "#4d5d53", HOSTILE: "#123456", "no color": '"/><script>'}
    page = build(make_run([photo(0)], palette=palette)).read_text()
    assert "<bdi>field gray</bdi> <code>#4d5d53</code>" in page
    assert 'fill="#123456"' in page
    assert "no color" not in page
    assert "<img src=x" not in page
    assert 'class="palette"' not in build(make_run([photo(0)])).read_text()


def test_comparisons_are_linked_where_they_are(make_run, photo):
    outputs = ["box/a b.png", "c.jpg", "n" * 252 + ".png", "../../etc/passwd"]
    items = [photo(n, source=name, output=name) for n, name in enumerate(outputs)]
    out = make_run([*items, photo(9, kind="film", source="f.webm", output="f.webm")])
    for name in ("box/a b.png.jpg", "f.webm.mkv"):
        path = out / "report" / "compare" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    build(out)
    _, data = chunks(out)
    linked = {r["source"]: r["side"] for chunk in data for r in chunk if "side" in r}
    assert linked == {
        "box/a b.png": "../report/compare/box/a%20b.png.jpg",
        "f.webm": "../report/compare/f.webm.mkv",
    }


def test_nothing_points_to_a_network(make_run, thumbnails, photo):
    out = make_run([photo(0, details={"thumbnails": thumbnails})])
    build(out)
    for file in (out / "report").rglob("*"):
        if file.suffix in (".html", ".js", ".css"):
            assert not re.search(r"https?:|//[a-z]|@import|\bfetch\(|innerHTML", file.read_text())


def test_building_again_replaces_the_data_and_keeps_thumbnails(make_run, thumbnails, photo):
    out = make_run([photo(0)])
    build(out)
    first = {p.name for p in (out / "report" / "data").iterdir()}
    make_run([photo(0), photo(1)])
    page = build(out)
    (second,) = (p.name for p in (out / "report" / "data").iterdir())
    assert second not in first
    assert second in page.read_text()
    assert (out / "report" / "thumbs" / thumbnails["after"]).exists()


def test_a_torn_summary_leaves_the_old_page_whole(make_run, photo):
    out = make_run([photo(0)])
    page = build(out)
    before = {p: p.read_bytes() for p in (out / "report").rglob("*") if p.is_file()}
    summary = out / ".colorize" / "summary.json"
    summary.write_text(summary.read_text()[:-40])
    with pytest.raises(ManifestError, match=r"summary\.json"):
        build(out)
    assert {p: p.read_bytes() for p in (out / "report").rglob("*") if p.is_file()} == before
    assert page.exists()


def test_many_kinds_of_trouble_do_not_flood_the_page(make_run, photo):
    items = [photo(n, status="degraded", reason=f"frame {n} is torn") for n in range(300)]
    page = build(make_run(items)).read_text()
    assert page.count('class="group"') == 100
    assert "95 more kinds" in page
    assert "200 more with other reasons" in page


def test_memory_does_not_grow_with_the_archive(make_run, photo):
    out = make_run([photo(n, reason="x" * 300) for n in range(10_000)])
    assert (out / ".colorize" / "summary.json").stat().st_size > 4_000_000
    build(out)  # what is loaded at the first use is no part of it
    tracemalloc.start()
    build(out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_an_empty_run_has_a_page(make_run):
    assert '<dt data-t="items">Items</dt><dd>0</dd>' in build(make_run([])).read_text()


def test_job_prints_the_page_and_its_exit_codes(make_run, tmp_path, capsys, photo):
    out = make_run([photo(0)])
    assert main([str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out / "report" / "index.html")
    assert main([str(tmp_path / "nothing")]) == 1
    shown = capsys.readouterr().err
    assert "summary.json" in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "nothing").exists()


def test_help_loads_no_heavy_library():
    code = (
        "import sys, jobs.report\n"
        "try: jobs.report.main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'ray', 'cv2', 'jinja2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
