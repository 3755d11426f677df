"""The strict YAML loader of the settings."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from colorize_core.errors import ConfigError

T = TypeVar("T")


def require(ok: bool, key: str, value: object, allowed: str) -> None:
    """Refuse a setting.

    Raises:
        ConfigError: `ok` is false.
    """
    if not ok:
        raise ConfigError(f"{key}: {value!r} is not allowed", remedy=f"use {allowed}")


def load_config(cls: type[T], path: Path | None = None, overrides: Sequence[str] = ()) -> T:
    """Read a YAML file into the dataclass `cls`, then apply `key.sub=value` overrides.

    Raises:
        ConfigError: the file is missing, is not YAML, or has an unknown key, a wrong type or a
            value out of range; the message names the key and the file.
    """
    tree: dict[str, Any] = {}
    where = str(path) if path else "--set"
    if path is not None:
        try:
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(
                f"{path}: cannot be read: {error.strerror}", remedy="check CONFIG="
            ) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
        if loaded is not None and not isinstance(loaded, dict):
            raise ConfigError(
                f"{path}: the top level must be a mapping, found {type(loaded).__name__}"
            )
        tree = loaded or {}
    for override in overrides:
        _apply_override(tree, override)
    return from_tree(cls, tree, where=where)


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


def from_tree(cls: type[T], tree: Mapping[str, Any], *, where: str, prefix: str = "") -> T:
    """Build the dataclass `cls` from nested mappings; `where` is named in errors.

    Raises:
        ConfigError: unknown key, wrong type, or a value that `cls` refuses.
    """
    hints = typing.get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    unknown = [str(key) for key in tree if key not in names]
    if unknown:
        raise ConfigError(
            f"{where}: unknown key {prefix}{unknown[0]}", remedy=f"known here: {', '.join(names)}"
        )
    values = {
        key: _coerce(hints[key], value, f"{where}: {prefix}{key}", f"{prefix}{key}.", where)
        for key, value in tree.items()
    }
    try:
        return cls(**values)
    except ConfigError as error:
        message = error.message if error.message.startswith(where) else f"{where}: {error.message}"
        raise ConfigError(message, remedy=error.remedy) from error
    except TypeError as error:
        raise ConfigError(f"{where}: {prefix.rstrip('.') or 'top level'}: {error}") from error


def _coerce(hint: Any, value: Any, at: str, prefix: str, where: str) -> Any:
    origin = typing.get_origin(hint)
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise ConfigError(f"{at}: expected a group of settings, found {value!r}")
        return from_tree(typing.cast(type, hint), value, where=where, prefix=prefix)
    if origin is Literal:
        if value not in typing.get_args(hint) or isinstance(value, bool):
            raise ConfigError(
                f"{at}: {value!r} is not one of {', '.join(map(str, typing.get_args(hint)))}"
            )
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        inner = next(a for a in typing.get_args(hint) if a is not type(None))
        return _coerce(inner, value, at, prefix, where)
    if origin is tuple:
        return _coerce_tuple(hint, value, at, prefix, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(
            f"{at}: expected {hint.__name__}, found {value!r}", remedy=_type_remedy(hint, value)
        )
    return value


def _coerce_tuple(hint: Any, value: Any, at: str, prefix: str, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ConfigError(f"{at}: expected a list, found {value!r}")
    parts = typing.get_args(hint)
    if parts[-1] is Ellipsis:
        parts = (parts[0],) * len(value)
    if len(parts) != len(value):
        raise ConfigError(f"{at}: expected {len(parts)} values, found {len(value)}")
    return tuple(
        _coerce(p, v, f"{at}[{i}]", f"{prefix}", where)
        for i, (p, v) in enumerate(zip(parts, value, strict=True))
    )


def _type_remedy(hint: type, value: object) -> str:
    if hint is float and isinstance(value, str):
        return "YAML reads 2e-4 as text: write 2.0e-4 or 0.0002"
    if hint is str and isinstance(value, bool):
        return "YAML reads no/yes/on/off as a truth value: put it in quotes"
    return ""
