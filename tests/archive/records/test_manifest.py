from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from colorize_core.archive.records.details import (
    FilmDetails,
    PhotoDetails,
    ScanDetails,
    SegmentDetails,
)
from colorize_core.archive.records.keys import Maker, item_key, photo_settings
from colorize_core.archive.records.manifest import Manifest, from_json, to_json
from colorize_core.archive.records.work import ItemReport
from colorize_core.archive.source.item import SourceItem
from colorize_core.config import ColorizeConfig, PhotoSettings, RenderSettings
from colorize_core.errors import ManifestError
from colorize_core.media.film.counts import Damage, LumaCheck
from colorize_core.media.film.shot import Shot
from colorize_core.media.picture.pair import FilmThumbnails, PhotoThumbnails, PreviewClip, StripPair


def report(key: str, status: str = "done", **more: object) -> ItemReport:
    return ItemReport(key, "photo", f"{key}.png", status, **more)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "manifest.jsonl"


def test_reports_come_back_as_they_were(path: Path):
    details = PhotoDetails(
        20, 10, {"x": 1.5}, 2.0, PhotoThumbnails("b.jpg", "a.jpg", 2, 1, "s.jpg")
    )
    written = report("a", output="ü/a\n.png", sha256="ff", size=3, details=details)
    Manifest(path).append([written, report("b", "failed", reason="torn")])
    manifest = Manifest(path)
    assert manifest.get("a") == written
    assert manifest.status("b") == "failed"
    assert manifest.status("c") is None
    assert [r.key for r in manifest.reports()] == ["a", "b"]


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("scan", ScanDetails("f", (Shot(0, 5, True), Shot(5, 9, False)))),
        (
            "segment",
            SegmentDetails("f", 1, 0.5, Damage(2), ("n",), {"infer": 1.5}, {"a": 1.0}, (7,)),
        ),
        ("segment", SegmentDetails("f")),
        (
            "film",
            FilmDetails(
                4,
                3,
                luma=LumaCheck(9, 0, 0.0, 0.0, is_lossless=True),
                thumbnails=FilmThumbnails(
                    "b", "a", 2, 1, (StripPair("c", "d", 2, 1, 0.5),), PreviewClip("p", 6.0)
                ),
            ),
        ),
    ],
)
def test_details_of_films_come_back_as_they_were(kind: str, details: object):
    written = replace(report("a"), kind=kind, details=details, frames=0)
    assert from_json(json.loads(json.dumps(to_json(written)))) == written


def test_lines_of_0_1_0_are_read():
    line = {
        "key": "k",
        "kind": "segment",
        "source": "a.mp4",
        "status": "done",
        "frames": 30,
        "details": {
            "film": "f",
            "index": 2,
            "share": 0.25,
            "damage": {"held": 1, "corrupt": 0, "converted": 0},
            "notes": [],
            "stages": {"decode": 0.5},
            "signals": {"colorfulness": 9.5, "frames": 30.0},
            "cuts": [40],
            "unknown": 1,
        },
        "future": True,
    }
    found = from_json(line)
    assert found.film_key == "f"
    assert found.details == SegmentDetails(
        "f", 2, 0.25, Damage(1), (), {"decode": 0.5}, {"colorfulness": 9.5, "frames": 30.0}, (40,)
    )


def test_every_line_is_json(path: Path):
    Manifest(path).append([report("a"), report("b")])
    assert [json.loads(line).get("key") for line in path.read_text().splitlines()] == [
        None,
        "a",
        "b",
    ]


def test_the_latest_line_of_a_key_counts(path: Path):
    manifest = Manifest(path)
    manifest.append([report("a", "failed")])
    manifest.append([report("a", "done")])
    assert manifest.status("a") == Manifest(path).status("a") == "done"
    assert len(manifest) == 1


def test_a_key_is_replaced_while_another_one_has_its_output(path: Path):
    def made(*keys: str) -> set[str]:
        Manifest(path).append([report(key, output="a.tif") for key in keys])
        found = Manifest(path)
        return {key for key in ("first", "second") if found.is_replaced(key)}

    assert made("first") == set()
    assert made("second") == {"first"}
    assert made("first") == {"second"}
    Manifest(path).append([report("third", "failed")])  # it has written nothing
    assert made("first") == {"second"}


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_torn_last_line_is_dropped_and_work_goes_on(path: Path, cut: int):
    manifest = Manifest(path)
    manifest.append([report("a"), report("b")])
    path.write_bytes(path.read_bytes()[:-cut])
    again = Manifest(path)
    assert again.status("a") == "done"
    assert again.status("b") is None
    assert again.damaged_lines == 1
    again.append([report("c")])
    third = Manifest(path)
    assert (third.status("a"), third.status("c")) == ("done", "done")


def test_a_flipped_bit_makes_its_item_pending(path: Path):
    Manifest(path).append([report("a"), report("b")])
    data = bytearray(path.read_bytes())
    at = data.index(b'"a.png"') + 1
    data[at] ^= 1
    path.write_bytes(bytes(data))
    manifest = Manifest(path)
    assert (manifest.status("a"), manifest.status("b")) == (None, "done")
    assert manifest.damaged_lines == 1


def test_a_newer_format_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as newer:
        newer.setattr("colorize_core.archive.records.manifest.FORMAT", 2)
        Manifest(path).append([report("a")])
    with pytest.raises(ManifestError, match="format 2"):
        Manifest(path)


ITEM = SourceItem("a/b.png", "/x/a/b.png", 10, "mtime_ns:5", "photo")


def key(item: SourceItem = ITEM, config: ColorizeConfig | None = None, weights: str = "w") -> str:
    settings = photo_settings(config or ColorizeConfig())
    return item_key(item, Maker(weights), settings=settings, what="photo")


def test_the_key_follows_what_changes_pixels():
    changed = [
        replace(ITEM, path="a/c.png"),
        replace(ITEM, size=11),
    ]
    keys = {key(item) for item in changed} | {
        key(),
        key(weights="v"),
        key(config=ColorizeConfig(render=RenderSettings(strength=0.5))),
        key(config=ColorizeConfig(photo=PhotoSettings(jpeg_quality=80))),
    }
    assert len(keys) == 6


def test_the_key_ignores_what_does_not():
    moved = replace(ITEM, location="/elsewhere/b.png", stamp="mtime_ns:6")
    packed = ColorizeConfig(photo=PhotoSettings(shard_photos=4))
    assert key(moved) == key(config=packed) == key()
