"""The strict YAML loader of the settings."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec
import yaml

from colorize_core.config.settings import Settings, bare_type, fields, refusal
from colorize_core.config.yaml_file import read_yaml
from colorize_core.errors import ConfigError

T = TypeVar("T", bound=Settings)


def load_config(cls: type[T], path: Path | None = None, overrides: Sequence[str] = ()) -> T:
    """Read a YAML file into the settings `cls`, then apply `key.sub=value` overrides.

    Raises:
        ConfigError: the file is missing, is not YAML, or has an unknown key, a wrong type or a
            value out of range; the message names the key and the file.
    """
    tree = read_yaml(path, remedy="check CONFIG=") if path is not None else {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: the top level must be a mapping, found {type(tree).__name__}")
    for override in overrides:
        _apply_override(tree, override)
    return from_tree(cls, tree, where=str(path) if path else "--set")


def _apply_override(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {override!r}: not of the form key.sub=value")
    *parents, last = key.split(".")
    node: Any = tree
    for parent in parents:
        node = _child(node, parent, override)
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override!r}: the value is not valid YAML") from error
    if isinstance(node, list):
        _child(node, last, override)
        node[int(last)] = value
    else:
        node[last] = value


def _child(node: Any, key: str, override: str) -> Any:
    """Step into a group, or into a list by number (`stages.0.samples=1000`)."""
    if isinstance(node, list):
        if not key.isdigit() or int(key) >= len(node):
            raise ConfigError(
                f"--set {override!r}: {key!r} is no place in a list of {len(node)}",
                remedy="count from 0",
            )
        return node[int(key)]
    child = node.setdefault(key, {})
    if not isinstance(child, dict | list):
        raise ConfigError(f"--set {override!r}: {key!r} is a value, not a group of settings")
    return child


def from_tree(cls: type[T], tree: Mapping[str, Any], *, where: str) -> T:
    """Build the settings `cls` from nested mappings; `where` is named in errors.

    Raises:
        ConfigError: unknown key, wrong type, or a value that `cls` refuses.
    """
    try:
        return msgspec.convert(tree, cls)
    except msgspec.ValidationError as error:
        raise _explained(cls, tree, str(error), where) from error
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.message}", remedy=error.remedy) from error


def _explained(cls: type[Settings], tree: Any, message: str, where: str) -> ConfigError:
    """What msgspec found, in the words of the settings.

    Args:
        cls: of the top level.
        tree: as given.
        message: of msgspec: "Expected `int` >= 1 - at `$.stages[0].batch`".
        where: the file.
    """
    text, _, at = message.partition(" - at ")
    kind: Any = cls
    value: Any = tree
    names: list[str] = []
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", at):
        names.append(name or index)
        if name:
            types = {field.name: field.type for field in fields(bare_type(kind))}
            kind, value = types[name], value[name]
        else:
            kind, value = get_args(bare_type(kind))[0], value[int(index)]
    if at.startswith("`key`"):
        return ConfigError(f"{where}: {'.'.join([*names, 'a key'])} is not text")
    if text.startswith("Object "):
        return _wrong_keys(text, bare_type(kind), where, names)
    found = refusal(kind, value, ".".join(names) or "the top level")
    return ConfigError(f"{where}: {found.message}", remedy=found.remedy)


def _wrong_keys(text: str, cls: type[Settings], where: str, names: list[str]) -> ConfigError:
    """The error for "Object contains unknown field `x`" and "Object missing required field `x`"."""
    named = re.findall(r"`(.*)`", text)
    key = ".".join([*names, *named])
    if "missing" in text:
        return ConfigError(f"{where}: {key} is missing")
    known = [field.name for field in fields(cls)]
    near = difflib.get_close_matches(named[-1], known, 1) if named else []
    meant = f"did you mean {near[0]}? " if near else ""
    return ConfigError(
        f"{where}: unknown key {key}", remedy=f"{meant}known here: {', '.join(known)}"
    )
