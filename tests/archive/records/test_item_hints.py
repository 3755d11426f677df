"""Known colors in overrides.yaml: what is taken, what is refused, and how they go into keys."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from colorize_core.archive.records.item_hints import NO_HINTS, ItemHints, shots_with, with_hints
from colorize_core.archive.records.keys import photo_settings
from colorize_core.archive.records.overrides import load_overrides
from colorize_core.config import ColorizeConfig
from colorize_core.errors import ConfigError

POINT = {"x": 0.25, "y": 0.5, "color": "#7a3b2e"}


def rules(folder: Path, tree: dict, name: str = "overrides.yaml"):
    path = folder / name
    path.write_text(json.dumps(tree), encoding="utf-8")
    return load_overrides(path)


def test_rules_are_merged_key_by_key_and_palettes_name_by_name(tmp_path: Path):
    found = rules(
        tmp_path,
        {
            "*": {"palette": {"red": "#aa0000", "blue": "#0000AA"}, "hints": [POINT]},
            "a.jpg": {"palette": {"red": "#bb0000"}, "hints": [{**POINT, "color": "red"}]},
        },
    )
    assert [p.color for p in found.hints_for("a.jpg").points] == ["#bb0000"]
    assert [p.color for p in found.hints_for("b.jpg").points] == ["#7a3b2e"]
    later = rules(tmp_path, {"a.jpg": {"hints": [{**POINT, "color": "blue"}, POINT]}}, "two.yaml")
    both = found.then(later)
    assert [p.color for p in both.hints_for("a.jpg").points] == ["#0000AA", "#7a3b2e"]
    assert both.palette() == {"red": "#bb0000", "blue": "#0000AA"}


def test_without_hints_keys_are_as_before_and_with_them_they_change(tmp_path: Path):
    settings = photo_settings(ColorizeConfig())
    assert with_hints(settings, NO_HINTS) is settings
    assert rules(tmp_path, {"*": {"render.strength": 0.5}}).hints_for("a.jpg") == NO_HINTS
    (tmp_path / "references").mkdir()
    reference = tmp_path / "references" / "r.jpg"
    trees = []
    for data in (b"one", b"two"):
        reference.write_bytes(data)
        hints = rules(tmp_path, {"*": {"reference": "r.jpg", "hints": [POINT]}}).hints_for("a")
        assert hints.references[0].sha256 == hashlib.sha256(data).hexdigest()
        trees.append(json.dumps(with_hints(settings, hints), sort_keys=True))
        assert str(tmp_path) not in trees[-1], "an archive can move"
    reference.unlink()
    hints = rules(tmp_path, {"*": {"reference": "r.jpg", "hints": [POINT]}}).hints_for("a")
    trees.append(json.dumps(with_hints(settings, hints), sort_keys=True))
    assert len(set(trees)) == 3


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"hints": [{**POINT, "x": 1.1}]}, "hints.0.x: 1.1 is not allowed (use 0 to 1)"),
        ({"hints": [{**POINT, "colour": "#111111"}]}, "did you mean color?"),
        ({"hints": [{"x": 0, "y": 0}]}, "hints.0.color is missing"),
        ({"hints": [{**POINT, "page": 0}]}, "hints.0.page"),
        ({"hints": [{**POINT, "time": -1}]}, "hints.0.time"),
        ({"hints": 3}, "hints: expected a list"),
        ({"hintz": []}, "unknown key hintz (did you mean hints?)"),
        ({"keep_gray": [[0, 0], [1, 1]]}, "keep_gray"),
        ({"keep_color": [[[0, 0], [1, 3], [1, 1]]]}, "keep_color"),
        ({"palette": {"a": "red"}}, "palette.a: 'red' is not allowed"),
        ({"reference": "../x.jpg"}, "must lie below"),
        ({"reference": "C:\\x.jpg"}, "must lie below"),
        ({"references": [{"file": "a.jpg"}]}, "references.0.time is missing"),
    ],
)
def test_mistakes_are_one_line_with_the_file_and_the_glob(tmp_path: Path, body: dict, said: str):
    with pytest.raises(ConfigError) as caught:
        rules(tmp_path, {"a.jpg": body})
    line = str(caught.value)
    assert said in line
    assert "overrides.yaml: 'a.jpg'" in line
    assert "\n" not in line


def test_a_color_that_no_palette_names_is_said_with_the_nearest(tmp_path: Path):
    tree = {"*": {"palette": {"field gray": "#4d5d53"}, "hints": [{**POINT, "color": "feld gray"}]}}
    with pytest.raises(ConfigError, match=r"'feld gray' is no color.*'field gray'"):
        rules(tmp_path, tree).hints_for("a.jpg")


def test_what_is_known_of_a_film_by_shot(tmp_path: Path):
    points = [{**POINT, "time": time} for time in (1, 2, 9, 50)]
    (tmp_path / "r.jpg").write_bytes(b"1")
    tree = {"*": {"hints": points, "references": [{"time": 9, "file": "r.jpg"}]}}
    hints, late = rules(tmp_path, tree).hints_for("film.mp4").before(40.0)
    assert late == ("hint at 50 s is beyond the film of 40.000 s",)
    assert hints.times == (1, 2, 9)
    found = shots_with(hints, (25, 50, 225), ((0, 60), (0, 60), (200, 300)), 1000)
    assert [(shot.start, shot.stop) for shot in found] == [(0, 60), (200, 300)]
    assert [key.frame for key in found[0].keys] == [25, 50]
    assert len(found[1].keys[0].points) == len(found[1].keys[0].references) == 1
    assert found[0].key_tree() != found[1].key_tree()
    assert shots_with(ItemHints(), (), (), 1000) == ()
