"""What the README says can be typed and clicked."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest
import yaml

from colorize_core.archive.records.overrides import load_overrides
from colorize_core.cli import average, clean, evaluate, export, run, status, train
from colorize_core.config import ColorizeConfig
from colorize_core.model.onnx_contract import read_contract

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN_YAML = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
OPTION = re.compile(r"--[a-z][a-z0-9-]+")
# Said elsewhere: OUT= and --help are no ARGS.
NOT_LISTED = {"--help", "--out"}


def options() -> dict[str, argparse.Action]:
    """All options of the main job that `--help` shows, by each of their long names."""
    actions = run.parser()._actions
    return {
        name: action
        for action in actions
        if action.help != argparse.SUPPRESS
        for name in action.option_strings
        if name.startswith("--")
    }


def table_rows() -> list[str]:
    start = README.index('| option (`ARGS="..."`)')
    return README[start : README.index("\n\n", start)].splitlines()[2:]


def test_the_table_lists_every_option_and_no_other():
    listed = {name for row in table_rows() for name in OPTION.findall(row.split(" | ")[0])}
    assert listed == set(options()) - NOT_LISTED


def test_the_table_names_the_values_an_option_takes():
    checked = 0
    for row in table_rows():
        # In a table of Markdown, a bar in a cell is escaped.
        for name, values in re.findall(r"(--[a-z-]+) ((?:[a-z0-9_]+\\\|)+[a-z0-9_]+)", row):
            choices = options()[name].choices
            assert choices is not None
            assert values.split("\\|") == [str(choice) for choice in choices], name
            checked += 1
    assert checked >= 4


def test_options_elsewhere_exist():
    parsers = [verb.parser() for verb in (average, clean, evaluate, export, status, train)]
    others = {name for p in parsers for action in p._actions for name in action.option_strings}
    used = {name for args in re.findall(r'ARGS="([^"]*)"', README) for name in OPTION.findall(args)}
    # What stands before its lone "--" is for Ray.
    ours = re.sub(r"ray job submit .*? -- ", "", README)
    used |= {name for name in OPTION.findall(ours) if name not in options()}
    assert len(used) > 5
    assert used <= set(options()) | others


def test_the_overrides_it_shows_are_valid(tmp_path: Path):
    shown = [text for text in SHOWN_YAML if not text.startswith("input:")]
    assert shown
    for number, text in enumerate(shown):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text)
        rules = load_overrides(path)
        assert len(rules.rules) == len(yaml.safe_load(text))
        base, path = ColorizeConfig(), "1920s/a.jpg"
        assert rules.config_for(path, base) != base or rules.hints_for(path)


def test_the_contract_it_shows_is_valid(tmp_path: Path):
    (text,) = (text for text in SHOWN_YAML if text.startswith("input:"))
    (tmp_path / "file.yaml").write_text(text)
    contract = read_contract(tmp_path / "file.onnx")
    assert (contract.input, contract.output, contract.size) == ("rgb", "ab", 512)


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z0-9-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = set(re.findall(r"\bmake ([a-z0-9-]+)", README))
    assert used
    assert used <= targets


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_files_that_are_named_exist(document: str):
    text = (ROOT / document).read_text(encoding="utf-8")
    folders = "bench|colorize_core|configs|docs|jobs|notebooks|tests"
    named = set(re.findall(rf"[(`]((?:{folders})/[\w./-]*)", text))
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
