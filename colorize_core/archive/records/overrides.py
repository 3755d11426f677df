"""Settings for some items only (`overrides.yaml`), and lists of items to do again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from colorize_core.config import ColorizeConfig, as_tree, from_tree, read_yaml
from colorize_core.errors import ConfigError, UsageError

# One model serves a whole run, and how photos are packed changes no picture.
REFUSED: Final = ("model", "photo.shard_photos", "render.batch_size")


@dataclass(frozen=True)
class Rule:
    """Items that fit the glob get these settings, as a nested mapping."""

    glob: str
    pattern: re.Pattern[str]
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Overrides:
    """Rules in the order of the file; where several fit, the later one wins key by key."""

    where: str = ""
    rules: tuple[Rule, ...] = ()

    def config_for(self, path: str, base: ColorizeConfig) -> ColorizeConfig:
        """Settings of one item. Without a fitting rule this is `base` itself.

        Args:
            path: of the item in its source, with "/" between the parts.
            base: settings of the run.

        Raises:
            ConfigError: the values of several rules do not fit together.
        """
        found = [rule.settings for rule in self.rules if rule.pattern.fullmatch(path)]
        if not found:
            return base
        tree = as_tree(base)
        for settings in found:
            _merge(tree, settings)
        return from_tree(ColorizeConfig, tree, where=f"{self.where} ({path})")


def load_overrides(path: Path) -> Overrides:
    """Read a YAML mapping of glob to settings.

    Settings are written as in a run's configuration, nested or with dots::

        "1920s/**": {render.strength: 0.8}
        "*.mp4":
          temporal: {radius: 15}

    A glob without "/" fits the file name in any folder; "*" and "?" stay within a folder, "**"
    crosses folders; "[...]" is a set of characters.

    Raises:
        ConfigError: not readable, not of this form, an unknown key, or a value out of range; the
            message names the file, the glob and the key.
    """
    tree = read_yaml(path)
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected a mapping of glob to settings")
    return Overrides(str(path), tuple(_rule(path, glob, body) for glob, body in tree.items()))


def _rule(path: Path, glob: object, body: object) -> Rule:
    where = f"{path}: {glob!r}"
    if not isinstance(glob, str) or not glob:
        raise ConfigError(f"{where}: a glob must be text", remedy='put it in quotes: "*.tif"')
    if not isinstance(body, dict) or not body:
        raise ConfigError(f"{where}: expected settings, found {body!r}")
    settings: dict[str, Any] = {}
    for key, value in body.items():
        _merge(settings, _nested(str(key).split("."), value), where=where)
    for refused in REFUSED:
        if _has(settings, refused.split(".")):
            raise ConfigError(
                f"{where}: {refused} is one for the whole run", remedy="set it with --set"
            )
    from_tree(ColorizeConfig, settings, where=where)
    return Rule(glob, _translate(glob), settings)


def _nested(keys: list[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return value  # type: ignore[no-any-return]


def _has(tree: Mapping[str, Any], keys: list[str]) -> bool:
    if keys[0] not in tree:
        return False
    inner = tree[keys[0]]
    return len(keys) == 1 or (isinstance(inner, dict) and _has(inner, keys[1:]))


def _merge(tree: dict[str, Any], change: Mapping[str, Any], *, where: str = "") -> None:
    for key, value in change.items():
        if isinstance(value, Mapping):
            inner = tree.setdefault(key, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"{where}: {key!r} is given as a value and as a group")
            _merge(inner, value, where=where)
        else:
            tree[key] = value


def _translate(glob: str) -> re.Pattern[str]:
    if "/" not in glob:
        glob = "**/" + glob
    text, at = "", 0
    while at < len(glob):
        if glob.startswith("**/", at):
            text, at = text + r"(?:[^/]+/)*", at + 3
        elif glob.startswith("**", at):
            text, at = text + r".*", at + 2
        elif glob[at] == "*":
            text, at = text + r"[^/]*", at + 1
        elif glob[at] == "?":
            text, at = text + r"[^/]", at + 1
        elif glob[at] == "[" and (end := glob.find("]", at + 2)) > 0:
            text, at = text + _characters(glob[at + 1 : end]), end + 1
        else:
            text, at = text + re.escape(glob[at]), at + 1
    return re.compile(text, re.DOTALL)


def _characters(body: str) -> str:
    negated = body[0] in "!^"
    body = body[1:] if negated else body
    escaped = re.sub(r"([\\\[\]&~|^])", r"\\\1", body)
    return f"(?!/)[{'^' if negated else ''}{escaped}]"


def read_redo_list(path: Path) -> frozenset[str]:
    """Read paths of items to do again, as the report page exports them.

    One path in the source per line. A line that starts with a double quote is a JSON string, for
    names with line breaks or that are not Unicode; empty lines and lines that start with "#" are
    left out.

    Raises:
        UsageError: the file cannot be read, or a quoted line is not a JSON string.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"redo list {path}: cannot be read: {error}") from error
    found = set()
    for number, line in enumerate(re.split(r"\r?\n", text), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found.add(_quoted(path, number, line) if line.startswith('"') else line)
    return frozenset(found)


def _quoted(path: Path, number: int, line: str) -> str:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise UsageError(f"redo list {path}, line {number}: not a JSON string: {error}") from error
    return str(value)
