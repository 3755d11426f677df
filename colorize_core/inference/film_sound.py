"""The sound of a folder of pictures."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from colorize_core.archive.records.details import (
    SoundFile,
)
from colorize_core.archive.source.contents import (
    sound_sha256,
)
from colorize_core.archive.source.item import SourceItem
from colorize_core.config import ColorizeConfig


def sound_of(item: SourceItem, config: ColorizeConfig) -> SoundFile | None:
    """The WAV that becomes the sound of a folder of pictures; None without one."""
    if not (config.video.sound and item.sound):
        return None
    path = PurePosixPath(item.path).with_name(Path(item.sound).name)
    return SoundFile(str(path), item.sound_stamp, sound_sha256(item))
