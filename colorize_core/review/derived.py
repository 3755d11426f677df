"""OUT/overrides.yaml as it follows from the log; what users wrote there stays, comments too."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from colorize_core.archive.records.overrides import load_overrides
from colorize_core.archive.records.review_log import ReviewLog
from colorize_core.archive.records.reviews import ItemReview, Reviews, fold
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.source.globs import exact_glob
from colorize_core.atomic import publish
from colorize_core.config import read_yaml
from colorize_core.errors import ConfigError

EVERYTHING: Final = "**"
_LISTS: Final = {
    "hint": "hints",
    "gray": "keep_gray",
    "color": "keep_color",
}
_REFERENCES: Final = ("reference", "references")
OWNED: Final = (*_LISTS.values(), *_REFERENCES)
_HEAD: Final = (
    "Written by `colorize-archive review` from the log of the review, and yours to change:\n"
    "comments and what the review did not touch stay."
)


def tree_of(review: ItemReview) -> dict[str, Any]:
    """What `overrides.yaml` says of one item; empty where nothing is asked for."""
    tree: dict[str, Any] = {
        name: [event.value for event in review.of_kind(kind)] for kind, name in _LISTS.items()
    }
    pictures = [event.value for event in review.of_kind("reference")]
    tree["reference"] = [picture["file"] for picture in pictures if "time" not in picture]
    tree["references"] = [
        {"time": picture["time"], "file": picture["file"]}
        for picture in pictures
        if "time" in picture
    ]
    tree |= {name: value for name, value in review.settings.items() if value is not None}
    return {name: value for name, value in tree.items() if value != []}


def write_overrides(log: ReviewLog) -> None:
    """Bring OUT/overrides.yaml in line with the log; several servers take turns.

    Raises:
        ConfigError: the file is not what a run could read: it stays as it is.
        OSError: it cannot be written.
    """
    with _turn(log):
        log.read()
        reviews = fold(log.events())
        path = RunFolder(log.out).overrides
        yaml = YAML()
        yaml.width = 120
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        tree = _loaded(yaml, before, path)
        _update(tree, reviews)
        if not tree and not before:
            return
        text = StringIO()
        yaml.dump(tree, text)
        if text.getvalue() != before:
            _publish(path, text.getvalue())


def written_of(out: Path, item: str) -> dict[str, Any]:
    """What the file says of exactly this item, as users may have written it."""
    path = RunFolder(out).overrides
    tree = read_yaml(path) if path.exists() else {}
    found = tree.get(exact_glob(item)) if isinstance(tree, dict) else None
    return dict(found) if isinstance(found, Mapping) else {}


@contextmanager
def _turn(log: ReviewLog) -> Iterator[None]:
    log.folder.mkdir(parents=True, exist_ok=True)
    with (log.folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _loaded(yaml: YAML, text: str, path: Path) -> CommentedMap:
    if text.strip():
        read_yaml(path)  # bounds of size and depth
    try:
        tree = yaml.load(text)
    except YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if tree is None:
        tree = CommentedMap()
        if not text.strip():
            tree.yaml_set_start_comment(_HEAD)
    if not isinstance(tree, CommentedMap):
        raise ConfigError(f"{path}: expected a mapping of glob to settings")
    return tree


def _update(tree: CommentedMap, reviews: Reviews) -> None:
    if reviews.palette:
        body = tree.setdefault(EVERYTHING, CommentedMap())
        palette = body.setdefault("palette", CommentedMap())
        for name, color in reviews.palette.items():
            _put(palette, name, color)
        if not palette:
            del body["palette"]
        if not body:
            del tree[EVERYTHING]
    for item, review in reviews.items.items():
        if not review.is_edited:
            continue
        glob = exact_glob(item)
        body = tree.get(glob)
        body = body if isinstance(body, CommentedMap) else CommentedMap()
        wanted = tree_of(review)
        for name in (*OWNED, *review.settings):
            _put(body, name, wanted.get(name))
        if body:
            tree[glob] = body
        else:
            tree.pop(glob, None)


def _put(body: CommentedMap, name: str, value: Any) -> None:
    if value is None:
        body.pop(name, None)
    elif body.get(name) != value:
        body[name] = _styled(value)


def _styled(value: Any) -> Any:
    """A list with one line for each part."""
    if not isinstance(value, list):
        return value
    parts = CommentedSeq()
    for part in value:
        parts.append(_in_one_line(part))
    return parts


def _in_one_line(part: Any) -> Any:
    line: CommentedMap | CommentedSeq
    if isinstance(part, Mapping):
        line = CommentedMap(part)
    elif isinstance(part, list):
        line = CommentedSeq([_in_one_line(inner) for inner in part])
    else:
        return part
    line.fa.set_flow_style()
    return line


def _publish(path: Path, text: str) -> None:
    with publish(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        try:
            load_overrides(temporary)
        except ConfigError as error:
            raise ConfigError(
                error.message.replace(str(temporary), str(path)), remedy=error.remedy
            ) from error
