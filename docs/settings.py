"""Writes what is generated from the settings' classes: `python -m docs.settings`.

The reference page, the shipped YAML files with every default, and JSON schemas for editors.
`tests/test_config.py` fails while one of them is not current.
"""

from __future__ import annotations

import json
from pathlib import Path

from colorize_core.archive.records.overrides import REFUSED
from colorize_core.config import ColorizeConfig, EvaluateConfig, TrainConfig
from colorize_core.config.hints import HintSettings
from colorize_core.config.reference import as_table, default_yaml, overrides_schema, schema

ROOT = Path(__file__).parents[1]
_PAGE = """\
# Settings

Written by `python -m docs.settings` from `colorize_core/config`. On the command line
`--set NAME=VALUE`; in files as YAML, where `2e-4` is text (write `2.0e-4`) and `no` a truth value
(write `"no"`). Editors check a file against `configs/schema`.

## `colorize-archive run`: everything that can change a pixel

A changed value redoes just the items it applies to. `overrides.yaml` in SRC changes them for some
items, all but {refused}; it can also say known colors, see `docs/hints.md`.

{colorize}

## `colorize-archive evaluate`

{evaluate}

## `colorize-archive train`

N is the place in the list, from 0.

{train}
"""
_COLORIZE = """\
# Everything that can change a pixel, with its default. A changed value redoes just the items
# it applies to. One value on the command line: --set render.strength=0.9
# yaml-language-server: $schema=../schema/colorize.json
"""
_EVALUATE = """\
# Figures on color photos as ground truth, each squeezed to 256 x 256, and on color films.
# Networks for further metrics are files of the user.
# yaml-language-server: $schema=../schema/evaluate.json
"""


def files() -> dict[Path, str]:
    """The generated files and what they must hold."""
    schemas = {
        "colorize": schema(ColorizeConfig, "Settings of colorize-archive run"),
        "evaluate": schema(EvaluateConfig, "Settings of colorize-archive evaluate"),
        "train": schema(TrainConfig, "A recipe of colorize-archive train"),
        "overrides": overrides_schema(ColorizeConfig, HintSettings, REFUSED),
    }
    return {
        ROOT / "docs" / "settings.md": _PAGE.format(
            refused=", ".join(f"`{name}`" for name in REFUSED),
            colorize=as_table(ColorizeConfig),
            evaluate=as_table(EvaluateConfig),
            train=as_table(TrainConfig),
        ),
        ROOT / "configs" / "colorize" / "default.yaml": _COLORIZE + default_yaml(ColorizeConfig),
        ROOT / "configs" / "evaluate" / "default.yaml": _EVALUATE + default_yaml(EvaluateConfig),
        **{
            ROOT / "configs" / "schema" / f"{name}.json": json.dumps(tree, indent=1) + "\n"
            for name, tree in schemas.items()
        },
    }


def main() -> None:
    """Write them."""
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
