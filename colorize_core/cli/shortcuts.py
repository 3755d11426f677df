"""Options that are a short way to write a setting; all else about them is in the configuration."""

from __future__ import annotations

import argparse
import typing
from typing import Any

from colorize_core.config import ColorizeConfig
from colorize_core.errors import UsageError

SHORTCUTS = {
    "--colored": ("colored", "what becomes of photos and films that already have color"),
    "--codec": (
        "video.codec",
        "encoder; ffv1 is lossless. What a container cannot hold goes into another one",
    ),
    "--container": ("video.container", "source: the film's own where it fits, else MKV"),
    "--deinterlace": (
        "video.deinterlace",
        "keep the fields, or bwdif: whole pictures, whose luma is no longer the source's",
    ),
    "--frames": ("video.frames", "png: a folder of pictures and a table of times, not a film"),
    "--as-film": ("video.as_film", "each folder of numbered pictures in SRC is one film"),
    "--fps": ("video.fps", "frames per second of such a folder"),
    "--verify-luma": (
        "video.verify_luma",
        "decode the result and compare its luma with the source's; with ffv1 a difference fails",
    ),
}


def add_shortcuts(parser: argparse.ArgumentParser) -> None:
    """Add an option for each: it takes what its setting takes."""
    films = parser.add_argument_group("films", "short for --set video.NAME=VALUE")
    for option, (setting, text) in SHORTCUTS.items():
        group = films if setting.startswith("video.") else parser
        kind, default = _setting(setting)
        if kind is bool:
            group.add_argument(option, dest=setting, action="store_const", const=True, help=text)
            continue
        text = f"{text} (default: {default})"
        if choices := typing.get_args(kind):
            group.add_argument(option, dest=setting, choices=choices, help=text)
        else:
            name = option.strip("-").upper()
            group.add_argument(option, dest=setting, type=kind, metavar=name, help=text)


def settings_of(args: argparse.Namespace) -> list[str]:
    """What `--set` says, then the short forms, which so have the last word; all as KEY=VALUE."""
    given = {setting: getattr(args, setting) for setting, _ in SHORTCUTS.values()}
    return [*args.set, *(f"{name}={value}" for name, value in given.items() if value is not None)]


def check_fps(args: argparse.Namespace, config: ColorizeConfig) -> None:
    """Refuse a rate that would change nothing.

    Raises:
        UsageError: `--fps` where no folder is taken as a film.
    """
    if getattr(args, "video.fps") is not None and not config.video.as_film:
        raise UsageError(
            "--fps is for folders of pictures; a film keeps its own times", remedy="add --as-film"
        )


def _setting(name: str) -> tuple[Any, Any]:
    """Type and default of a setting."""
    *parents, last = name.split(".")
    owner: Any = ColorizeConfig()
    for parent in parents:
        owner = getattr(owner, parent)
    return typing.get_type_hints(type(owner))[last], getattr(owner, last)
