"""YAML from people one may not know: small, shallow, and no larger than it looks."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any, Final

import yaml

from colorize_core.errors import ConfigError

_MOST_BYTES: Final = 1 << 18
_DEEPEST: Final = 32
_MOST_NODES: Final = 20_000  # with every alias written out


def read_yaml(path: Path, *, remedy: str = "") -> Any:
    """Plain values of a YAML file; an empty mapping where it is empty.

    Raises:
        ConfigError: not readable, not YAML, longer than 256 KiB, more than 32 levels deep, with
            more than 20,000 values when its aliases are written out, or a key that is there twice,
            of which YAML would keep the last without a word.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}", remedy=remedy) from error
    if len(data) > _MOST_BYTES:
        raise ConfigError(f"{path}: longer than {_MOST_BYTES} bytes", remedy="make it shorter")
    try:
        text = data.decode("utf-8-sig")
        _check_size(text, path)
        tree = yaml.load(text, _Loader)  # a SafeLoader
    # Dates that are none, and numbers of thousands of digits, are a ValueError of Python's.
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    return {} if tree is None else tree


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} is there twice", key.start_mark
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)


def _check_size(text: str, path: Path) -> None:
    """Measure before values are made: nesting would overflow the stack, aliases the memory."""
    sizes: dict[str, int] = {}  # of what an anchor stands for
    open_nodes: list[tuple[str | None, int]] = [(None, 0)]
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, 1))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_nodes.pop()
            sizes.update({anchor: size} if anchor else {})
            _add(open_nodes, size)
        elif isinstance(event, yaml.AliasEvent):
            # What is not closed yet would hold itself.
            _add(open_nodes, sizes.get(str(event.anchor), _MOST_NODES + 1))
        elif isinstance(event, yaml.ScalarEvent):
            sizes.update({event.anchor: 1} if event.anchor else {})
            _add(open_nodes, 1)
        if len(open_nodes) > _DEEPEST or open_nodes[-1][1] > _MOST_NODES:
            raise ConfigError(
                f"{path}: nested too deeply or larger than it looks",
                remedy=f"at most {_DEEPEST} levels and {_MOST_NODES} values, aliases written out",
            )


def _add(open_nodes: list[tuple[str | None, int]], size: int) -> None:
    anchor, sum_so_far = open_nodes[-1]
    open_nodes[-1] = (anchor, sum_so_far + size)
