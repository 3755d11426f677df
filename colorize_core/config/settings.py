"""What all settings share: frozen, each field with its words and its range beside it."""

from __future__ import annotations

import math
from functools import cache
from types import UnionType
from typing import Any, Final, Literal, get_args, get_origin

import msgspec

from colorize_core.errors import ConfigError

FIRST: Final = "0.1.0"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A group of settings. Values are checked against their fields however they are given.

    Raises:
        ConfigError: a value has the wrong type or is out of range, or `_check` refuses it.
    """

    def __post_init__(self) -> None:
        for field in fields(type(self)):
            value = getattr(self, field.name)
            if not fits(value, field.type):
                raise refusal(field.type, value, field.name)
        self._check()

    def _check(self) -> None:
        """Refuse values that do not fit each other."""


def about(
    text: str,
    *,
    since: str = FIRST,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    multiple_of: float | None = None,
) -> msgspec.Meta:
    """The words and the range of one setting, for `Annotated[...]`.

    Args:
        text: what it is, with its unit; one line for `--help`, the reference page and the schema.
        since: first version that has it. A setting added after 0.1.0 is left out of the keys of
            results at its default, so that a new version does not redo what an older one made.
        ge: smallest value.
        gt: what it must exceed.
        le: largest value.
        multiple_of: what it must be a multiple of.
    """
    limits = {"ge": ge, "gt": gt, "le": le, "multiple_of": multiple_of}
    given: dict[str, Any] = {name: value for name, value in limits.items() if value is not None}
    return msgspec.Meta(description=text, extra={"since": since}, **given)


def require(ok: bool, key: str, value: object, allowed: str) -> None:
    """Refuse a setting.

    Raises:
        ConfigError: `ok` is false.
    """
    if not ok:
        raise ConfigError(f"{key}: {value!r} is not allowed", remedy=f"use {allowed}")


def refusal(annotated: Any, value: object, name: str) -> ConfigError:
    """The error for a value that does not fit a setting.

    Args:
        annotated: type of the setting, with its range.
        value: as given.
        name: of the setting, as the user knows it.
    """
    kind = bare_type(annotated)
    if literals(kind):
        choices = kind_words(kind)
        return ConfigError(f"{name}: {value!r} is not one of {choices}", remedy=_trap(kind, value))
    if isinstance(value, float) and not math.isfinite(value):
        return ConfigError(f"{name}: {value!r} is not allowed", remedy="use a finite number")
    if fits(value, kind):
        return ConfigError(f"{name}: {value!r} is not allowed", remedy=f"use {allowed(annotated)}")
    return ConfigError(
        f"{name}: expected {kind_words(kind)}, found {value!r}", remedy=_trap(kind, value)
    )


def fits(value: object, kind: Any) -> bool:
    """Whether a value has a type and, for an annotated one, is in its range; inf never is."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return not isinstance(value, float) or math.isfinite(value)


def _trap(kind: Any, value: object) -> str:
    if isinstance(value, bool):
        return "YAML reads no, yes, on and off as truth values: put it in quotes"
    if kind in (int, float) and isinstance(value, str):
        return "YAML reads 2e-4 as text: write 2.0e-4 or 0.0002" if "e" in value.lower() else ""
    if kind is str or literals(kind):
        return "put it in quotes" if isinstance(value, int | float) else ""
    return ""


@cache
def fields(cls: type[Settings]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """Fields of a settings class, with resolved types."""
    return msgspec.structs.fields(cls)


def default_of(field: msgspec.structs.FieldInfo) -> Any:
    """A field's default; msgspec.NODEFAULT where there is none."""
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def meta_of(kind: Any) -> msgspec.Meta:
    """Words and range of `Annotated[X, about(...)]`; an empty one for a bare type."""
    found = [part for part in getattr(kind, "__metadata__", ()) if isinstance(part, msgspec.Meta)]
    return found[0] if found else msgspec.Meta()


def since(field: msgspec.structs.FieldInfo) -> str:
    """First version that has a setting."""
    return str((meta_of(field.type).extra or {}).get("since", FIRST))


def bare_type(kind: Any) -> Any:
    """The type without words and range."""
    return kind.__origin__ if hasattr(kind, "__metadata__") else kind


def literals(kind: Any) -> tuple[Any, ...]:
    """The values of a Literal; empty for other types."""
    return get_args(kind) if get_origin(kind) is Literal else ()


def kind_words(kind: Any) -> str:
    """A type in words that need no Python."""
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    if literals(kind):
        return ", ".join(map(str, literals(kind)))
    if get_origin(kind) is tuple:
        inner = bare_type(get_args(kind)[0])
        plural = {int: "whole numbers", float: "numbers", str: "texts"}
        return f"a list of {plural.get(inner, 'groups of settings')}"
    if get_origin(kind) is UnionType:
        return " or ".join(map(kind_words, get_args(kind)))
    if get_origin(kind) is dict:
        return "names with a text each"
    return names.get(kind, "a group of settings")


def allowed(kind: Any) -> str:
    """The range of a field in words; empty where there is none."""
    meta = meta_of(kind)
    words = [f"a multiple of {meta.multiple_of:g}"] if meta.multiple_of is not None else []
    if meta.ge is not None and meta.le is not None:
        words.append(f"{_number(meta.ge)} to {_number(meta.le)}")
    else:
        limits = (("at least", meta.ge), ("above", meta.gt), ("at most", meta.le))
        words += [f"{word} {_number(limit)}" for word, limit in limits if limit is not None]
    return ", ".join(words)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def as_tree(settings: Settings) -> dict[str, Any]:
    """All settings as nested dictionaries of plain values, as in a YAML file."""
    tree: dict[str, Any] = msgspec.to_builtins(settings)
    return tree


def key_tree(settings: Settings) -> dict[str, Any]:
    """Settings as they go into the keys of results.

    As `as_tree`, without settings that came after 0.1.0 and have their default: what an older
    version made with the same settings keeps its key.
    """
    tree: dict[str, Any] = {}
    for field in fields(type(settings)):
        value = getattr(settings, field.name)
        if since(field) != FIRST and value == default_of(field):
            continue
        tree[field.name] = key_tree(value) if isinstance(value, Settings) else _plain(value)
    return tree


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [key_tree(part) if isinstance(part, Settings) else part for part in value]
    return value


def changed_tree(settings: Settings) -> dict[str, Any]:
    """Only the settings that differ from their defaults, as nested dictionaries."""
    changed = {}
    for field in fields(type(settings)):
        value = getattr(settings, field.name)
        if value != default_of(field):
            changed[field.name] = _changed(value)
    return changed


def _changed(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_changed(part) for part in value]
    return changed_tree(value) if isinstance(value, Settings) else value
