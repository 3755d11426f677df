"""The settings told from their classes: for `--help`, the reference page, YAML and schemas."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import msgspec
import yaml

from colorize_core.config.settings import (
    Settings,
    allowed,
    bare_type,
    default_of,
    fields,
    kind_words,
    literals,
    meta_of,
    since,
)

_WIDTH = 100


@dataclass(frozen=True)
class Setting:
    """One setting as a user knows it."""

    name: str  # with its groups: "render.size"; N stands for the place in a list
    kind: Any
    default: Any  # msgspec.NODEFAULT where it must be given
    text: str
    allowed: str  # its range, or its choices
    since: str

    @property
    def shown_default(self) -> str:
        """The default as YAML has it; "-" where it must be given."""
        return "-" if self.default is msgspec.NODEFAULT else as_yaml(self.default)


def settings_in(
    cls: type[Settings], prefix: str = "", group: Settings | None = None
) -> Iterator[Setting]:
    """Every setting of a class, those of its groups among them.

    Args:
        cls: the class.
        prefix: of the names.
        group: has the defaults, where they are not the class' own.
    """
    for field in fields(cls):
        default = default_of(field) if group is None else getattr(group, field.name)
        name, kind = f"{prefix}{field.name}", bare_type(field.type)
        inner: Any = bare_type(get_args(kind)[0]) if get_args(kind) else None
        if _is_group(kind):
            yield from settings_in(kind, f"{name}.", default)
        elif _is_group(inner):
            yield from settings_in(inner, f"{name}.N.")
        else:
            choices = kind_words(kind) if literals(kind) else ""
            meta = meta_of(field.type)
            yield Setting(
                name,
                kind,
                default,
                meta.description or "",
                choices or allowed(field.type),
                since(field),
            )


def find_setting(cls: type[Settings], name: str) -> Setting:
    """One setting by its name with groups."""
    return next(found for found in settings_in(cls) if found.name == name)


def as_yaml(value: Any) -> str:
    """A default as it is written in YAML, on one line."""
    plain = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump(plain, default_flow_style=True).partition("\n")[0]


def help_text(cls: type[Settings]) -> str:
    """All settings for the end of `--help`: name and default, then words and range."""
    lines = ["settings (--set NAME=VALUE, or a YAML file):"]
    for setting in settings_in(cls):
        limits = f" ({setting.allowed})" if setting.allowed else ""
        lines.append(f"  {setting.name}={setting.shown_default}")
        lines += textwrap.wrap(
            f"{setting.text}{limits}", _WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8
        )
    return "\n".join(lines)


def as_table(cls: type[Settings]) -> str:
    """All settings as a table of Markdown."""
    rows = ["| setting | default | allowed | |", "|---|---|---|---|"]
    for setting in settings_in(cls):
        words = setting.allowed or kind_words(setting.kind)
        new = f" (since {setting.since})" if setting.since != "0.1.0" else ""
        cells = (f"`{setting.name}`", f"`{setting.shown_default}`", words, setting.text + new)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def default_yaml(cls: type[Settings]) -> str:
    """Every setting with its default, its words and its range behind it."""
    return "\n".join(_yaml_lines(cls(), "")) + "\n"


def _yaml_lines(defaults: Settings, indent: str) -> Iterator[str]:
    for field in fields(type(defaults)):
        default = getattr(defaults, field.name)
        kind, text = bare_type(field.type), meta_of(field.type).description or ""
        if _is_group(kind):
            words = text or (kind.__doc__ or "").partition("\n")[0].rstrip(".")
            yield from _commented(f"{indent}{field.name}:", words)
            yield from _yaml_lines(default, indent + "  ")
        else:
            limits = kind_words(kind) if literals(kind) else allowed(field.type)
            words = f"{text} ({limits})" if limits else text
            yield from _commented(f"{indent}{field.name}: {as_yaml(default)}", words)


def _commented(line: str, words: str) -> list[str]:
    """A line with its words behind it, or above it where they are too long."""
    together = f"{line}  # {words}"
    if len(together) <= _WIDTH:
        return [together]
    mark = f"{line[: len(line) - len(line.lstrip())]}# "
    return [*textwrap.wrap(words, _WIDTH, initial_indent=mark, subsequent_indent=mark), line]


def _is_group(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Settings)


def schema(cls: type[Settings], title: str) -> dict[str, Any]:
    """JSON schema of a YAML file of these settings."""
    found = msgspec.json.schema(cls)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **found}


def overrides_schema(
    cls: type[Settings], hints: type[Settings], refused: tuple[str, ...]
) -> dict[str, Any]:
    """JSON schema of overrides.yaml: globs, each with settings, nested or with dots, and hints.

    Args:
        cls: settings of a run.
        hints: what is known of the colors of an item.
        refused: names of settings and groups that hold for the whole run.
    """
    found = schema(cls, "overrides.yaml")
    definitions = found["$defs"]
    groups = definitions[cls.__name__]["properties"]
    dotted: dict[str, Any] = {}
    for field in fields(cls):
        kind = bare_type(field.type)
        if not _is_group(kind):
            continue
        inner = definitions[kind.__name__]["properties"]
        for name in [name for name in inner if f"{field.name}.{name}" in refused]:
            del inner[name]
        dotted |= {f"{field.name}.{name}": words for name, words in inner.items()}
    settings = {
        name: words
        for name, words in (groups | dotted).items()
        if name.partition(".")[0] not in refused
    }
    for unused in refused:
        if "." not in unused:
            definitions.pop(_class_of(cls, unused), None)
    known = msgspec.json.schema(hints)["$defs"]
    settings |= known.pop(hints.__name__)["properties"]
    definitions |= known
    del definitions[cls.__name__], found["$ref"]
    return {
        **found,
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "minProperties": 1,
            "properties": settings,
            "additionalProperties": False,
        },
    }


def _class_of(cls: type[Settings], group: str) -> str:
    kind = next(bare_type(field.type) for field in fields(cls) if field.name == group)
    return str(kind.__name__)
