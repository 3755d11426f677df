"""What the console says of rules: those found in SRC, and those that fit nothing."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from tests.archive.test_own_folders import items, make_source, run


def test_rules_in_the_source_are_said_and_lift_no_limit(
    tmp_path: Path, tiny_weights: Path, capsys: pytest.CaptureFixture[str]
):
    name = unicodedata.normalize("NFD", "München/Brücke.png")
    source, out = make_source(tmp_path / "src", (name, "plain.png")), tmp_path / "out"
    rules = source / "overrides.yaml"
    composed = unicodedata.normalize("NFC", name)
    rules.write_text(
        f'"{composed}": {{photo.max_pixels: 5}}\n"1931/**": {{render.strength: 0.5}}\n'
    )
    redo = tmp_path / "redo.txt"
    redo.write_text("plane.png\n")
    assert run(source, out, tiny_weights, "--redo-list", str(redo), "--exclude", "raw") == 2
    said = capsys.readouterr().err
    assert f"using {rules}, which lies in SRC: '{composed}': photo.max_pixels=5" in said
    assert "'1931/**' fits nothing in SRC\n" in said
    assert "'plane.png' fits nothing in SRC; nearest: plain.png" in said
    assert "'raw' fits nothing in SRC" in said
    found = items(out)
    assert found[name]["status"] == "failed", "a rule may lower a limit"
    assert found["plain.png"]["status"] == "done"
    rules.write_text('"*": {photo.max_pixels: 1000000000}')
    assert run(source, out, tiny_weights) == 1
    assert "lifts no limits" in capsys.readouterr().err
    assert run(source, out, tiny_weights, "--overrides", str(rules)) == 0


def test_what_is_not_read_is_counted_at_the_end(
    tmp_path: Path, tiny_weights: Path, capsys: pytest.CaptureFixture[str]
):
    source, out = make_source(tmp_path / "src", ("a.png",)), tmp_path / "out"
    for name in ("b.dng", "c.dng", "letter.docx", "a.png.xmp", "#recycle/old.png"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_bytes(b"1")
    for _ in range(2):
        assert run(source, out, tiny_weights) == 0
        said = capsys.readouterr().err.splitlines()
        assert "not read: 2 .dng, 1 .docx" in said
        assert "left out: 1 in a recycle bin, 1 sidecar .xmp" in said
        found = items(out)
        assert found["b.dng"]["status"] == "skipped"
        assert "camera raw" in found["b.dng"]["reason"]
        assert "raw converter" in found["b.dng"]["remedy"]
        assert len(found) == 4
        page = (out / "report" / "index.html").read_text()
        assert 'data-filter="unread"' in page
    lines = (out / ".colorize" / "manifest.jsonl").read_text().splitlines()
    assert len(lines) == 1 + 4, "a second run records nothing again"


def test_results_of_renamed_and_removed_sources_are_named_and_stay(
    tmp_path: Path, tiny_weights: Path, capsys: pytest.CaptureFixture[str]
):
    source, out = make_source(tmp_path / "src", ("a.png", "b.png", "c.png")), tmp_path / "out"
    for number, name in enumerate(("a.png", "b.png", "c.png")):
        with (source / name).open("ab") as file:
            file.write(b"%d" % number)  # contents that differ, for pixels that do not
    assert run(source, out, tiny_weights) == 0
    assert "without a source" not in capsys.readouterr().err
    (source / "a.png").rename(source / "z.png")
    (source / "b.png").unlink()
    assert run(source, out, tiny_weights) == 0
    line = "2 in OUT without a source in SRC, left as they are: "
    assert f"{line}a.png (a.png, now z.png), b.png (b.png, not in SRC)\n" in capsys.readouterr().err
    summary = json.loads((out / ".colorize" / "summary.json").read_text())
    assert summary["orphans"] == [
        {"output": "a.png", "source": "a.png", "renamed": "z.png"},
        {"output": "b.png", "source": "b.png", "renamed": ""},
    ]
    assert (out / "a.png").exists()
    assert (out / "b.png").exists()
    for words in (("--exclude", "c.png"), ()):
        where = source if words else source / "c.png"
        assert run(where, out, tiny_weights, *words) == 0
        assert "without a source" not in capsys.readouterr().err
