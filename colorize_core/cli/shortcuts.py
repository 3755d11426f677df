"""Options that are a short way to write a setting; all else about them is in the configuration."""

from __future__ import annotations

import argparse

from colorize_core.config import ColorizeConfig
from colorize_core.config.reference import find_setting
from colorize_core.config.settings import literals
from colorize_core.errors import UsageError

SHORTCUTS = {
    "--colored": "colored",
    "--codec": "video.codec",
    "--container": "video.container",
    "--deinterlace": "video.deinterlace",
    "--frames": "video.frames",
    "--as-film": "video.as_film",
    "--fps": "video.fps",
    "--sound": "video.sound",
    "--verify-luma": "video.verify_luma",
}


def add_shortcuts(parser: argparse.ArgumentParser) -> None:
    """Add an option for each: it takes what its setting takes, in its words."""
    films = parser.add_argument_group("films", "short for --set video.NAME=VALUE")
    for option, name in SHORTCUTS.items():
        group = films if name.startswith("video.") else parser
        setting = find_setting(ColorizeConfig, name)
        text = f"{setting.text} (default: {setting.shown_default})"
        if setting.kind is bool:
            group.add_argument(
                option, dest=name, action="store_const", const=True, help=setting.text
            )
        elif choices := literals(setting.kind):
            group.add_argument(option, dest=name, choices=choices, help=text)
        else:
            value = option.strip("-").upper()
            group.add_argument(option, dest=name, type=setting.kind, metavar=value, help=text)


def settings_of(args: argparse.Namespace) -> list[str]:
    """What `--set` says, then the short forms, which so have the last word; all as KEY=VALUE."""
    given = {setting: getattr(args, setting) for setting in SHORTCUTS.values()}
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
