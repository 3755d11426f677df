from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from colorize_core.config import ColorizeConfig, load_config
from colorize_core.errors import ConfigError

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
    assert yaml.safe_load(path.read_text()) == dataclasses.asdict(ColorizeConfig())


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
    ],
)
def test_errors_name_the_key_and_the_file(tmp_path: Path, text: str, named: str):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(ColorizeConfig, path)
    assert named in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_overrides_come_after_the_file(tmp_path: Path):
    path = write(tmp_path, "render: {size: 128, batch_size: 4}")
    config = load_config(ColorizeConfig, path, ["render.size=320", "temporal.enabled=false"])
    assert (config.render.size, config.render.batch_size) == (320, 4)
    assert config.temporal.enabled is False


@pytest.mark.parametrize("override", ["render.size", "=3", "render.size.x=3", "render=3"])
def test_a_broken_override_is_refused(override: str):
    with pytest.raises(ConfigError):
        load_config(ColorizeConfig, None, ["render.size=64", override])
