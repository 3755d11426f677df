"""Identity of results: what a line of the manifest is found by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, Final

from colorize_core.archive.source.item import SourceItem
from colorize_core.atomic import publish_bytes
from colorize_core.config import ColorizeConfig, key_tree

# Bumped by hand when the same settings and weights give other pixels than before. Moved once in
# 0.2.0, for all that it changes.
PHOTO_VERSION: Final = 2
FILM_VERSION: Final = 2
_FPS: Final = 24.0
_text: Final = json.encoder.encode_basestring_ascii  # as `_json` of a str
_MOST_KNOWN: Final = 256


@dataclass(frozen=True)
class Maker:
    """What makes results, apart from the settings: a generator, and the code for each kind.

    Attributes:
        weights_sha256: of the generator file.
        photo: version of the code for photos.
        film: likewise for films.
    """

    weights_sha256: str
    photo: int = PHOTO_VERSION
    film: int = FILM_VERSION


def item_key(item: SourceItem, maker: Maker, *, settings: Mapping[str, Any], what: str) -> str:
    """Identity of a result: everything that can change its pixels, and nothing else.

    Whether the content of the source is still that of the result is no part of it: the line says
    it (`stamp`, `source_sha256`). Segments and scans do not outlive their film and carry the stamp.

    Args:
        item: path in the source and size are used; the location is not, so that an archive can
            move.
        maker: of the result.
        settings: the part of ColorizeConfig that applies to this kind of item.
        what: "photo", "film", "scan", or a segment's range.
    """
    version = maker.photo if what == "photo" else maker.film
    # 0.1.0 told by the stamp alone whether a source had changed.
    has_stamp = version == 1 or what not in ("photo", "film")
    stamp = [item.stamp] if has_stamp else []
    # As `digest` of the list.
    parts = [
        *(_text(item.path), str(item.size), *map(_text, stamp)),
        settings.text if isinstance(settings, KeySettings) else _json(settings),
        *(_text(maker.weights_sha256), _text(what), str(version)),
    ]
    return _hashed(f"[{', '.join(parts)}]")


def read_makers(path: Path, summary: Path) -> list[Maker]:
    """Who has made results in an OUT, the latest last.

    Args:
        path: where `add_maker` writes.
        summary: of the last run; 0.1.0 named its weights there alone.
    """
    try:
        return [Maker(**maker) for maker in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError, RecursionError):
        pass
    try:
        with summary.open() as file:
            head, _, _ = file.readline().rpartition(', "items": [')
        weights = json.loads(head + "}")["weights_sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    return [Maker(str(weights), photo=1, film=1)]


def add_maker(path: Path, known: Sequence[Maker], maker: Maker) -> None:
    """Record that `maker` makes results here from now on."""
    makers = [*(m for m in known if m != maker), maker]
    publish_bytes(path, json.dumps([asdict(m) for m in makers]).encode())


class KeySettings(dict[str, Any]):
    """Settings as JSON values, and how they stand in what is hashed."""

    @cached_property
    def text(self) -> str:
        """As JSON."""
        return _json(self)


def _once(
    call: Callable[[ColorizeConfig], KeySettings],
) -> Callable[[ColorizeConfig], KeySettings]:
    """Asked for every item, and seldom for many objects: hashing one takes longer than the rest."""
    known: dict[int, tuple[ColorizeConfig, KeySettings]] = {}

    @wraps(call)
    def settings(config: ColorizeConfig) -> KeySettings:
        found = known.get(id(config))
        if found is None or found[0] is not config:
            if len(known) >= _MOST_KNOWN:
                known.clear()
            found = known[id(config)] = (config, call(config))
        return found[1]

    return settings


@_once
def photo_settings(config: ColorizeConfig) -> KeySettings:
    """The settings that change a photo; others must not redo it."""
    # Shard size packs work; it does not change a pixel.
    photo = {k: v for k, v in key_tree(config.photo).items() if k != "shard_photos"}
    return KeySettings(
        precision=config.model.precision,
        render=key_tree(config.render),
        photo=photo,
        colored=config.colored,
    )


def scan_settings(config: ColorizeConfig) -> dict[str, Any]:
    """The settings that change what a scan of a film finds."""
    settings: dict[str, Any] = {
        "cut_threshold": config.temporal.cut_threshold,
        "fps": config.video.fps,
    }
    return settings | ({"tints": "keep"} if config.video.tints == "keep" else {})


@_once
def film_settings(config: ColorizeConfig) -> KeySettings:
    """The settings that change a film; others must not redo it."""
    video = {k: v for k, v in key_tree(config.video).items() if k != "max_memory"}
    # 0.1.0 took 24 where nothing was said; since then, pictures may say another rate.
    video["fps"] = {0.0: _FPS, _FPS: "24"}.get(video["fps"], video["fps"])
    return KeySettings(
        precision=config.model.precision,
        render=key_tree(config.render),
        video=video,
        temporal=key_tree(config.temporal),
        colored=config.colored,
    )


def digest(value: object) -> str:
    """Short hash of JSON values, whatever the order of their keys."""
    return _hashed(_json(value))


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
