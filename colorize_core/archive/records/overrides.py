"""Settings for some items only (`overrides.yaml`)."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from colorize_core.archive.records.item_hints import ItemHints, Reference, find_reference
from colorize_core.archive.source.globs import Glob
from colorize_core.config import ColorizeConfig, as_tree, from_tree, read_yaml
from colorize_core.config.hints import HintSettings, is_color
from colorize_core.errors import ConfigError

# One model serves a whole run, and how photos are packed changes no picture.
REFUSED: Final = ("model", "photo.shard_photos", "render.batch_size")
# They guard the machine against the source.
_LIMITS: Final = (
    ("photo", "max_pixels"),
    ("video", "max_pixels"),
    ("video", "max_frames"),
    ("video", "max_memory"),
)
_LINES: Final = 5  # of rules, in words
_HINTS: Final = HintSettings.__struct_fields__


@dataclass(frozen=True)
class Rule:
    """Items that fit the glob get these settings, as a nested mapping, and hints.

    `hints` holds what the rule says of HintSettings by its name there; references are found.
    """

    glob: Glob
    settings: Mapping[str, Any]
    hints: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        changes = [
            f"{group}.{name}={value}" if isinstance(inner, Mapping) else f"{group}={inner}"
            for group, inner in self.settings.items()
            for name, value in (inner.items() if isinstance(inner, Mapping) else [("", "")])
        ]
        changes += [f"{len(value)} {name}" for name, value in self.hints.items()]
        return f"{self.glob.text!r}: {', '.join(changes)}"


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
        found = [rule.settings for rule in self.rules if rule.glob.fits(path)]
        if not any(found):
            return base
        tree = as_tree(base)
        for settings in found:
            _merge(tree, settings)
        return from_tree(ColorizeConfig, tree, where=f"{self.where} ({path})")

    def hints_for(self, path: str) -> ItemHints:
        """What is known of the colors of one item; of several rules a later one wins key by key.

        Args:
            path: of the item in its source, with "/" between the parts.

        Raises:
            ConfigError: a color is neither "#rrggbb" nor a name of the palette.
        """
        found: dict[str, Any] = {}
        for rule in self.rules:
            if rule.hints and rule.glob.fits(path):
                palette = {**found.get("palette", {}), **rule.hints.get("palette", {})}
                found |= {**rule.hints, "palette": palette}
        where = f"{self.where} ({path})"
        return ItemHints(
            points=tuple(
                msgspec.structs.replace(point, color=_color(point.color, found["palette"], where))
                for point in found.get("hints", ())
            ),
            keep_gray=found.get("keep_gray", ()),
            keep_color=found.get("keep_color", ()),
            references=(*found.get("reference", ()), *found.get("references", ())),
        )

    def palette(self) -> dict[str, str]:
        """The named colors of all rules."""
        return {
            name: color
            for rule in self.rules
            for name, color in rule.hints.get("palette", {}).items()
        }

    def references(self) -> frozenset[Path]:
        """The files that rules take colors from: they are no items."""
        return frozenset(
            reference.path
            for rule in self.rules
            for name in ("reference", "references")
            for reference in rule.hints.get(name, ())
        )

    def then(self, later: Overrides) -> Overrides:
        """These rules with others behind them, which win."""
        where = ", ".join(filter(None, (self.where, later.where)))
        return Overrides(where, self.rules + later.rules)

    def words(self) -> str:
        """What the rules change, in one line."""
        more = f"; and {len(self.rules) - _LINES} more" if len(self.rules) > _LINES else ""
        return "; ".join(map(str, self.rules[:_LINES])) + more


def load_overrides(path: Path, *, limits: ColorizeConfig | None = None) -> Overrides:
    """Read a YAML mapping of glob to settings.

    Settings are written as in a run's configuration, nested or with dots::

        "1920s/**": {render.strength: 0.8}
        "*.mp4":
          temporal: {radius: 15}
        "1916/coat.jpg":
          hints: [{x: 0.4, y: 0.6, color: "#7a3b2e"}]

    The globs are those of `Glob`; the hints are HintSettings, see docs/hints.md.

    Args:
        path: the file.
        limits: settings of the run; a file that nobody asked for may not go above their limits.
            None for a file that the command line names.

    Raises:
        ConfigError: not readable, not of this form, an unknown key, or a value out of range; the
            message names the file, the glob and the key.
    """
    tree = read_yaml(path)
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected a mapping of glob to settings")
    rules = tuple(rule_of(path, glob, body) for glob, body in tree.items())
    if limits is not None:
        for rule in rules:
            _check_limits(f"{path}: {rule.glob.text!r}", rule.settings, as_tree(limits))
    return Overrides(str(path), rules)


def _check_limits(where: str, settings: Mapping[str, Any], base: Mapping[str, Any]) -> None:
    for group, name in _LIMITS:
        value = settings.get(group, {}).get(name)
        if value is not None and value > base[group][name]:
            raise ConfigError(
                f"{where}: {group}.{name} is above the run's {base[group][name]}",
                remedy="a file found in SRC lifts no limits: use --set, or name it by --overrides",
            )


def rule_of(path: Path, glob: object, body: object) -> Rule:
    """A rule of an overrides file, checked; `path` is that of the file.

    Raises:
        ConfigError: see `load_overrides`.
    """
    where = f"{path}: {glob!r}"
    if not isinstance(glob, str) or not glob:
        raise ConfigError(f"{where}: a glob must be text", remedy='put it in quotes: "*.tif"')
    if not isinstance(body, dict) or not body:
        raise ConfigError(f"{where}: expected settings, found {str(body)[:200]!r}")
    settings: dict[str, Any] = {}
    hints = {str(key): value for key, value in body.items() if key in _HINTS}
    for key, value in body.items():
        if key not in hints:
            _check_name(str(key), where)
            _merge(settings, _nested(str(key).split("."), value), where=where)
    for refused in REFUSED:
        if _has(settings, refused.split(".")):
            raise ConfigError(
                f"{where}: {refused} is one for the whole run", remedy="set it with --set"
            )
    from_tree(ColorizeConfig, settings, where=where)
    return Rule(Glob(glob), settings, _found_hints(hints, path.parent, where))


def _check_name(key: str, where: str) -> None:
    """Refuse what is neither a setting nor a hint, with the nearest name that is."""
    groups = ColorizeConfig.__struct_fields__
    if key.partition(".")[0] in groups:
        return
    known = [*groups, *_HINTS]
    near = difflib.get_close_matches(key, known, 1)
    remedy = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    raise ConfigError(f"{where}: unknown key {key}", remedy=remedy)


def _found_hints(tree: dict[str, Any], folder: Path, where: str) -> dict[str, Any]:
    """What a rule says of HintSettings, checked, its references looked for."""
    for name in ("keep_gray", "keep_color"):
        if name in tree and _is_one_polygon(tree[name]):
            tree[name] = [tree[name]]
    given = from_tree(HintSettings, tree, where=where)
    found = {name: getattr(given, name) for name in tree}

    def reference(name: str, time: float | None = None) -> Reference:
        return find_reference(name, folder, where=where, time=time)

    if "reference" in found:
        names = found["reference"]
        found["reference"] = tuple(map(reference, [names] if isinstance(names, str) else names))
    if "references" in found:
        found["references"] = tuple(reference(r.file, r.time) for r in found["references"])
    return found


def _is_one_polygon(value: object) -> bool:
    """Whether a list of places stands where a list of polygons may."""
    if not isinstance(value, list) or not value:
        return False
    first = value[0]
    return isinstance(first, list) and bool(first) and not isinstance(first[0], list)


def _color(color: str, palette: Mapping[str, str], where: str) -> str:
    found = palette.get(color, color)
    if is_color(found):
        return found
    near = difflib.get_close_matches(color, palette, 1)
    raise ConfigError(
        f"{where}: {color!r} is no color",
        remedy=f"did you mean {near[0]!r}?" if near else 'write "#7a3b2e", or name it in palette',
    )


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
