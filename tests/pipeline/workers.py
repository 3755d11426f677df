"""Real workers that do as their photos' names say; importable by Ray's processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from colorize_core.archive.records.work import ImageShard, ItemReport, PhotoTask, UnitReport
from colorize_core.archive.source.item import SourceItem
from colorize_core.config import ColorizeConfig


def shard(*names: str) -> ImageShard:
    tasks = (
        PhotoTask(f"key-{n}", SourceItem(n, f"/{n}", 1, "s", "photo"), n + ".png") for n in names
    )
    return ImageShard(tuple(tasks), ColorizeConfig())


class Scripted:
    """Appends every photo it starts to `folder`/log and then acts on its name."""

    has_bf16 = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, unit: ImageShard) -> UnitReport:
        items: list[ItemReport] = []
        retry: dict[str, str] = {}
        blocked = ""
        for task in unit.photos:
            with (self.folder / "log").open("a") as log:
                log.write(task.item.path + "\n")
            tries = (self.folder / "log").read_text().split().count(task.item.path)
            name = task.item.path
            if name.startswith("kill") or (name.startswith("die-once") and tries == 1):
                os.kill(os.getpid(), signal.SIGKILL)
            elif name.startswith("hang"):
                time.sleep(600)
            elif name.startswith("slow"):
                time.sleep(0.5)
            if name.startswith("flaky") and tries <= int(name[-1]):
                retry[task.key] = "EIO"
            elif name.startswith("full") and tries == 1:
                blocked = "disk full"
                break
            else:
                items.append(ItemReport(task.key, "photo", name, "done"))
        return UnitReport(tuple(items), retry, blocked, seconds=0.01)
