"""What is told of the house is true of the house."""

from __future__ import annotations

import csv
import hashlib
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from docs import house

ROOT = Path(__file__).parents[1]
SVG = "{http://www.w3.org/2000/svg}"


def test_the_list_of_rooms_is_current():
    assert house.PAGE.read_text(encoding="utf-8") == house.page(), "python -m docs.house"


def test_the_picture_shows_every_room_and_no_other():
    tree = ET.parse(house.PICTURE)
    names = [text.text for text in tree.iter(f"{SVG}text") if text.get("class") == "name"]
    assert sorted(names) == sorted(house.rules()), "python -m docs.house"


def test_the_arrows_are_the_imports():
    edges = house.imports(house.rules())
    assert "media.film" in edges["pipeline"]
    assert edges["errors"] == set()
    rows = house.levels(edges)
    height = {room: -number for number, row in enumerate(rows) for room in row}
    assert all(height[room] > height[other] for room in edges for other in edges[room])
    # What is left out can be reached over the others.
    left = set(house.direct(edges))
    reached = {room: {b for a, b in left if a == room} for room in edges}
    for row in reversed(rows):
        for room in row:
            reached[room] |= {far for other in set(reached[room]) for far in reached[other]}
    assert all(edges[room] <= reached[room] for room in edges)


def test_no_box_covers_another():
    boxes = [
        tuple(float(rect.get(side)) for side in ("x", "y", "width", "height"))
        for rect in ET.parse(house.PICTURE).iter(f"{SVG}rect")
        if rect.get("class") == "box"
    ]
    assert len(boxes) > 15
    for i, (x, y, width, height) in enumerate(boxes):
        for other_x, other_y, *_ in boxes[i + 1 :]:
            assert abs(x - other_x) >= width or abs(y - other_y) >= height


def test_decisions_have_a_number_each():
    names = [path.name for path in (ROOT / "docs" / "decisions").glob("*.md")]
    numbers = [name[:4] for name in names]
    assert len(set(numbers)) == len(numbers), sorted(names)
    for name in names:
        first = (ROOT / "docs" / "decisions" / name).read_text(encoding="utf-8").partition("\n")[0]
        assert first.startswith(f"# {name[:4]} "), name


@pytest.mark.parametrize("folder", ["docs/decisions", "docs/experiments", "."])
def test_links_between_pages_lead_somewhere(folder: str):
    for page in (ROOT / folder).glob("*.md"):
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r"\]\(((?!https?:|#)[^)\s]+)\)", text):
            assert (page.parent / link.partition("#")[0]).exists(), f"{page.name}: {link}"


def test_the_shipped_weights_have_their_row():
    with (ROOT / "docs" / "experiments" / "generator.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows] == [str(n) for n in range(1, len(rows) + 1)]
    shipped = {row["shipped_as"]: row["sha256"] for row in rows if row["shipped_as"]}
    for path in (ROOT / "colorize_core" / "weights").glob("*.safetensors"):
        assert shipped[path.stem] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert all(float(row["ciede2000"]) > 0 for row in rows)
