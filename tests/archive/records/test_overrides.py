import json
import unicodedata

import pytest

from colorize_core.archive.records.named_items import fitting_nothing, read_redo_list
from colorize_core.archive.records.overrides import (
    Overrides,
    load_overrides,
)
from colorize_core.config import ColorizeConfig, RenderSettings, load_config
from colorize_core.errors import ConfigError, UsageError

BASE = ColorizeConfig(render=RenderSettings(size=384))


def rules(tmp_path, text):
    path = tmp_path / "overrides.yaml"
    path.write_text(text, encoding="utf-8")
    return load_overrides(path)


def test_only_the_items_that_fit_change_and_only_in_what_is_named(tmp_path):
    overrides = rules(tmp_path, '"1920s/*": {render.strength: 0.8}\n')
    changed = overrides.config_for("1920s/a.jpg", BASE)
    assert changed.render == RenderSettings(size=384, strength=0.8)
    assert changed.video == BASE.video
    assert overrides.config_for("1930s/a.jpg", BASE) is BASE
    assert overrides.config_for("1920s/deep/a.jpg", BASE) is BASE


def test_later_rules_win_key_by_key_and_nested_equals_dotted(tmp_path):
    overrides = rules(
        tmp_path,
        '"**": {render: {strength: 0.5, size: 256}}\n'
        '"*.mp4": {render.strength: 0.9, temporal: {radius: 3}}\n',
    )
    config = overrides.config_for("x/y/film.mp4", BASE)
    assert (config.render.strength, config.render.size, config.temporal.radius) == (0.9, 256, 3)
    assert overrides.config_for("a.jpg", BASE).render.strength == 0.5


@pytest.mark.parametrize(
    ("glob", "fits", "misses"),
    [
        ("*.tif", ["a.tif", "x/y/a.tif"], ["a.tiff", "a.tif/b"]),
        ("x/*.tif", ["x/a.tif"], ["a.tif", "x/y/a.tif", "zx/a.tif"]),
        ("x/**", ["x/a", "x/y/a"], ["x", "xy/a"]),
        ("x/**/a.tif", ["x/a.tif", "x/y/z/a.tif"], ["x/ya.tif"]),
        ("**/y/*", ["y/a", "x/y/a"], ["xy/a"]),
        ("scan_0?.tif", ["scan_01.tif"], ["scan_0/.tif", "scan_012.tif"]),
        ("scan_[0-3].tif", ["scan_2.tif"], ["scan_4.tif", "scan_-.tif"]),
        ("[!a].tif", ["b.tif"], ["a.tif"]),
        ("a[.tif", ["a[.tif"], ["a.tif"]),
        ("a+(b).tif", ["a+(b).tif"], ["aab.tif"]),
        ("line\nbreak*", ["line\nbreak.jpg", "line\nbreak\n.jpg"], ["line"]),
    ],
)
def test_globs(tmp_path, glob, fits, misses):
    overrides = rules(tmp_path, json.dumps({glob: {"render.strength": 0.5}}))
    for path in fits:
        assert overrides.config_for(path, BASE) is not BASE, path
    for path in misses:
        assert overrides.config_for(path, BASE) is BASE, path


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('"*.tif": {render.strengt: 0.8}', "strengt"),
        ('"*.tif": {render.strength: 8}', "render.strength"),
        ('"*.tif": {render.strength: "much"}', "render.strength"),
        ('"*.tif": {model.weights: x}', "model"),
        ('"*.tif": {photo: {shard_photos: 2}}', "photo.shard_photos"),
        ('"*.tif": {render.size: 256, render: 3}', "render"),
        ('"*.tif": {render: 3, render.size: 256}', "render"),
        ('"*.tif": 3', "expected settings"),
        ('"*.tif": {}', "expected settings"),
        ("3: {render.size: 256}", "glob must be text"),
        ("- a", "mapping"),
        ("{", "YAML"),
    ],
)
def test_mistakes_are_named_with_the_file(tmp_path, text, named):
    with pytest.raises(ConfigError, match=named) as caught:
        rules(tmp_path, text)
    assert "overrides.yaml" in str(caught.value)


def test_missing_and_empty_files(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_overrides(tmp_path / "none.yaml")
    assert rules(tmp_path, "").config_for("a", BASE) is BASE
    assert Overrides().config_for("a", BASE) is BASE


def test_redo_list_reads_plain_and_quoted_lines(tmp_path):
    path = tmp_path / "redo.txt"
    path.write_bytes(
        b'\xef\xbb\xbfalbum/a b.jpg\r\n\n# comment\n"line\\nbreak.jpg"\n"\\udcff.jpg"\n'
        b'"#x"\n\xc3\xa9.tif\n'
    )
    assert read_redo_list(path) == {
        "album/a b.jpg",
        "line\nbreak.jpg",
        "\udcff.jpg",
        "#x",
        "é.tif",
    }


def test_redo_list_mistakes(tmp_path):
    path = tmp_path / "redo.txt"
    path.write_text('a\n"open\n')
    with pytest.raises(UsageError, match="line 2"):
        read_redo_list(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_redo_list(tmp_path / "none")


def test_a_file_that_nobody_named_lifts_no_limits(tmp_path):
    for key, value in (
        ("photo", "max_pixels"),
        ("video", "max_pixels"),
        ("video", "max_frames"),
        ("video", "max_memory"),
    ):
        limit = getattr(getattr(BASE, key), value)
        path = tmp_path / "overrides.yaml"
        path.write_text(f'"*": {{{key}.{value}: {limit + 1}}}')
        assert getattr(getattr(load_overrides(path).config_for("a", BASE), key), value) > limit
        with pytest.raises(ConfigError, match=f"{key}.{value} is above the run's {limit}"):
            load_overrides(path, limits=BASE)
        path.write_text(f'"*": {{{key}.{value}: {limit - 1}}}')
        changed = load_overrides(path, limits=BASE).config_for("a", BASE)
        assert getattr(getattr(changed, key), value) < limit


def test_rules_in_words(tmp_path):
    found = rules(
        tmp_path,
        "\n".join(f'"{n}/**": {{render.strength: 0.{n}, colored: leave}}' for n in range(1, 8)),
    )
    words = found.words()
    assert words.startswith("'1/**': render.strength=0.1, colored=leave; '2/**': ")
    assert words.endswith("; and 2 more")


DEEP = "{a: " * 5000 + "1" + "}" * 5000
LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    "text",
    [
        DEEP,
        "[" * 30_000,
        LAUGHS,
        "&a [*a]",
        '"*.tif": &x {render.size: *x}',
        "a: 2001-99-99",
        "a: " + "9" * 5000,
        "? [a]\n: 1",
        "#" * 300_000,
        '"*.tif": !!python/object/apply:os.system [id]',
        '"*.tif": [' + "x, " * 25_000 + "]",
    ],
    ids=[
        "deep",
        "brackets",
        "laughs",
        "itself",
        "inside",
        "date",
        "digits",
        "key",
        "long",
        "code",
        "wide",
    ],
)
def test_hostile_yaml_is_one_line(tmp_path, text):
    path = tmp_path / "overrides.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_overrides(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1000
    with pytest.raises(ConfigError):
        load_config(ColorizeConfig, path)


def test_names_and_globs_that_fit_nothing_are_said_with_the_nearest(tmp_path):
    composed, decomposed = (
        unicodedata.normalize(form, "München/Brücke.jpg") for form in ("NFC", "NFD")
    )
    paths = [decomposed, "1931/erna.jpg", "back\\slash.jpg"]
    found = rules(
        tmp_path, f'"{composed}": {{render.size: 256}}\n"1913/**": {{render.size: 256}}\n'
    )
    redo = tmp_path / "redo.txt"
    redo.write_text(f"{composed}\n1931\\erna.jpg\nback\\slash.jpg\n1931/irna.jpg\n")
    lines = list(fitting_nothing([r.glob for r in found.rules], read_redo_list(redo), paths))
    assert lines == [
        "'1913/**' fits nothing in SRC; nearest: 1931",
        "'1931/irna.jpg' fits nothing in SRC; nearest: 1931/erna.jpg",
    ]
    assert found.config_for(decomposed, BASE) is not BASE
