from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import jsonschema
import msgspec
import pytest
import yaml

from colorize_core.archive.records.keys import Maker, film_settings, item_key, photo_settings
from colorize_core.archive.records.overrides import load_overrides
from colorize_core.archive.source.item import SourceItem
from colorize_core.config import (
    ColorizeConfig,
    EvaluateConfig,
    ModelSettings,
    PhotoSettings,
    RenderSettings,
    Settings,
    TemporalSettings,
    TrainConfig,
    VideoSettings,
    as_tree,
    key_tree,
    load_config,
)
from colorize_core.config.reference import find_setting, settings_in
from colorize_core.config.settings import about
from colorize_core.errors import ConfigError
from docs import settings as generated

ROOT = Path(__file__).parents[1]


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "path", sorted((ROOT / "configs/colorize").glob("*.yaml")), ids=lambda p: p.name
)
def test_every_colorize_yaml_loads(path: Path):
    assert isinstance(load_config(ColorizeConfig, path), ColorizeConfig)


def test_default_yaml_states_every_default():
    path = ROOT / "configs/colorize/default.yaml"
    assert load_config(ColorizeConfig, path) == ColorizeConfig()
    assert yaml.safe_load(path.read_text()) == as_tree(ColorizeConfig())


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("rendr: {size: 256}", "rendr"),
        ("render: {sise: 256}", "render.sise"),
        ("render: {size: 2e2}", "render.size"),
        ("render: {strength: 2e-1}", "2.0e-4"),
        ("render: {size: 100}", "multiple of 32"),
        ("render: 5", "render"),
        ("colored: no", "colored"),
        ("video: {codec: divx}", "libx264"),
        ("temporal: {enabled: 1}", "temporal.enabled"),
        ("- 1", "mapping"),
        ("a: [", "YAML"),
        ("video: {preset: nonsense}", "ultrafast"),
        ("video: {max_frames: -1}", "at least 1"),
        ("video: {preset: 6}", "video.preset"),
        ("video: {codec: libsvtav1, preset: placebo}", "libsvtav1"),
        ("video: {fps: .inf}", "finite"),
        ("video: {fps: .nan}", "fps"),
        ("video: {crf: 18.5}", "a whole number"),
        ("photo: {max_pixels: 0}", "at least 1"),
        ("colored: on", "in quotes"),
        ("model: {weights: no}", "in quotes"),
        ("model: {weights: 3}", "in quotes"),
        ("no: 3", "not text"),
        ("render: {3: 1}", "render.a key is not text"),
        ("render: {size: 64}\nrender: {size: 128}", "twice"),
    ],
)
def test_errors_name_the_key_and_the_file(tmp_path: Path, text: str, named: str):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(ColorizeConfig, path)
    assert named in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("cls", "setting", "named"),
    [
        (EvaluateConfig, "render.strength=-1", "above 0, at most 2"),
        (EvaluateConfig, "clip_frames=2", "5 to 1000"),
        (TrainConfig, "stages.0.hints=0.9", "stages.0.hints"),
        (TrainConfig, "stages.0.degrade.blur=7", "stages.0.degrade.blur"),
        (TrainConfig, "stages.0.lr=1e-4", "write 2.0e-4"),
        (TrainConfig, "stages.0.nam=x", "unknown key stages.0.nam"),
        (TrainConfig, "generator.decoder_channels=[1, 2]", "5 widths"),
        (TrainConfig, "generator.decoder_channels=[1, x]", "decoder_channels.1: expected a whole"),
        (TrainConfig, "generator.decoder_channels=5", "a list of whole numbers"),
        (TrainConfig, "stages=[{size: 64, batch: 1}]", "stages.0.name is missing"),
    ],
)
def test_nonsense_is_refused_everywhere(cls: type, setting: str, named: str):
    path = ROOT / "configs/train/tiny.yaml" if cls is TrainConfig else None
    with pytest.raises(ConfigError) as caught:
        load_config(cls, path, [setting])
    assert named in str(caught.value)


def test_settings_made_in_code_are_checked_too():
    with pytest.raises(ConfigError, match="size"):
        RenderSettings(size=100)
    with pytest.raises(ConfigError, match="strength"):
        msgspec.structs.replace(RenderSettings(), strength=9.0)


def test_overrides_come_after_the_file(tmp_path: Path):
    path = write(tmp_path, "render: {size: 128, batch_size: 4}")
    config = load_config(ColorizeConfig, path, ["render.size=320", "temporal.enabled=false"])
    assert (config.render.size, config.render.batch_size) == (320, 4)
    assert config.temporal.enabled is False


@pytest.mark.parametrize("override", ["render.size", "=3", "render.size.x=3", "render=3"])
def test_a_broken_override_is_refused(override: str):
    with pytest.raises(ConfigError):
        load_config(ColorizeConfig, None, ["render.size=64", override])


CHANGED = ColorizeConfig(
    model=ModelSettings("x", "bf16"),
    render=RenderSettings(size=384, strength=0.8, upsample="bilinear"),
    photo=PhotoSettings(jpeg_quality=90, shard_photos=7),
    video=VideoSettings(codec="ffv1", fps=16.0, as_film=True, preset="fast"),
    temporal=TemporalSettings(radius=15, enabled=False),
    colored="recolor",
)


@pytest.mark.parametrize(
    ("config", "photo", "film", "segment"),
    [
        (
            ColorizeConfig(model=ModelSettings(precision="fp32")),
            "f659c6465c4fc815a561875e3e9a2ac7",
            "c0303fa9bc1ce9524fe1d4dd5e36d8d2",
            "bacf48b7b012d977d920e06a8115fb33",
        ),
        (
            CHANGED,
            "de02b40d5441a087a2896cd522f499b9",
            "022ad47d1375d50349c42f2556a43d6b",
            "3aab092810edf2608ee5ce0b762cc2bb",
        ),
    ],
    ids=["default", "changed"],
)
def test_keys_are_those_of_0_1_0(config: ColorizeConfig, photo: str, film: str, segment: str):
    """The values were computed by version 0.1.0, whose settings were dataclasses."""
    scan = SourceItem("box 1/ä.tif", "/x/ä.tif", 12345, "mtime_ns:1700000000000000000", "photo")
    reel = SourceItem("reel.mkv", "/x/reel.mkv", 987654321, "crc:0badcafe", "film")

    def key(item: SourceItem, settings: dict, what: str) -> str:
        return item_key(item, Maker("ab" * 32, 1, 1), settings=settings, what=what)

    assert key(scan, photo_settings(config), "photo") == photo
    assert key(reel, film_settings(config), "film") == film
    assert key(reel, film_settings(config), "segment 0 300") == segment


class Inner(Settings, frozen=True):
    old: Annotated[int, about("there from the start")] = 1
    new: Annotated[int, about("came later", since="0.2.0")] = 2


class Outer(Settings, frozen=True):
    inner: Inner = Inner()
    group: Annotated[Inner, about("came later", since="0.2.0")] = Inner()
    many: tuple[Inner, ...] = ()


def test_a_later_setting_is_in_the_key_only_when_it_is_set():
    assert key_tree(Outer()) == {"inner": {"old": 1}, "many": []}
    assert key_tree(Outer(inner=Inner(old=5, new=3)))["inner"] == {"old": 5, "new": 3}
    assert key_tree(Outer(group=Inner(old=5)))["group"] == {"old": 5}
    assert key_tree(Outer(many=(Inner(), Inner(new=7))))["many"] == [
        {"old": 1},
        {"old": 1, "new": 7},
    ]
    assert as_tree(Outer())["inner"] == {"old": 1, "new": 2}


@pytest.mark.parametrize("cls", [ColorizeConfig, EvaluateConfig, TrainConfig])
def test_every_setting_has_words(cls: type[Settings]):
    found = list(settings_in(cls))
    assert len(found) > 20
    assert [setting.name for setting in found if len(setting.text) < 5] == []
    assert len({setting.name for setting in found}) == len(found)


def test_a_setting_is_told_with_its_default_and_range():
    size = find_setting(ColorizeConfig, "render.size")
    assert (size.shown_default, size.allowed) == ("256", "a multiple of 32, 32 to 4096")
    assert find_setting(ColorizeConfig, "render.strength").allowed == "above 0, at most 2"
    assert find_setting(ColorizeConfig, "temporal.radius").allowed == "1, 3, 7, 15, 31"
    assert find_setting(TrainConfig, "stages.N.name").shown_default == "-"


@pytest.mark.parametrize("path", generated.files(), ids=lambda p: p.name)
def test_what_is_generated_is_current(path: Path):
    assert path.read_text(encoding="utf-8") == generated.files()[path], "python -m docs.settings"


def schema(name: str) -> jsonschema.Draft202012Validator:
    tree = json.loads((ROOT / "configs" / "schema" / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(tree)
    return jsonschema.Draft202012Validator(tree)


@pytest.mark.parametrize("kind", ["colorize", "evaluate", "train"])
def test_the_schemas_take_what_the_loader_takes(kind: str):
    paths = sorted((ROOT / "configs" / kind).glob("*.yaml"))
    assert paths
    for path in paths:
        schema(kind).validate(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ('"*.tif": {render.strength: 0.8}', True),
        ('"a/**": {video: {crf: 20}, colored: leave, temporal.radius: 15}', True),
        ('"*.tif": {render.strength: 8}', False),
        ('"*.tif": {render: {strengt: 0.8}}', False),
        ('"*.tif": {model: {precision: bf16}}', False),
        ('"*.tif": {photo.shard_photos: 2}', False),
        ('"*.tif": {render: {batch_size: 2}}', False),
        ('"*.tif": {}', False),
        ('"*.tif": 3', False),
    ],
)
def test_the_schema_of_overrides_refuses_what_the_loader_refuses(tmp_path, text, is_valid):
    path = write(tmp_path, text)
    assert schema("overrides").is_valid(yaml.safe_load(text)) is is_valid
    if is_valid:
        load_overrides(path)
    else:
        with pytest.raises(ConfigError):
            load_overrides(path)
