"""What `status` says of a run at work, of one that was killed, and of one that ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorize_core.archive.records.lock import OutputLock
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.source.item import SourceItem
from colorize_core.archive.storage.storage import LocalFolder
from colorize_core.cli.main import main
from colorize_core.cli.status import status
from colorize_core.pipeline.progress import Progress, publish_phase


def test_the_phases_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = RunFolder(tmp_path)
    folder.state.mkdir()
    with OutputLock(folder.lock):
        assert status(LocalFolder(tmp_path))["phase"] == "starting"  # before it has said anything
        publish_phase(folder.progress, "reading SRC")
        assert status(LocalFolder(tmp_path))["phase"] == "reading SRC"
        progress = Progress([SourceItem("1.png", "/1.png", 9, "s", "photo")], 0, folder.progress)
        assert main(["status", str(tmp_path)]) == 0
        assert capsys.readouterr().out.splitlines()[0].split() == ["state", "starting"]
        progress.close()
        assert status(LocalFolder(tmp_path))["phase"] == "finishing"
    assert status(LocalFolder(tmp_path))["phase"] == "stopped"  # killed
    publish_phase(folder.progress, "ended", left=2)
    assert status(LocalFolder(tmp_path))["phase"] == "stopped"
    publish_phase(folder.progress, "ended", left=0)
    assert status(LocalFolder(tmp_path))["phase"] == "ended"


@pytest.mark.parametrize("text", ["[]", '{"phase": 3, "left": "x", "eta_seconds": []}', "{", ""])
def test_a_file_of_somebody_else_is_no_progress(text: str, tmp_path: Path):
    folder = RunFolder(tmp_path)
    folder.state.mkdir()
    folder.progress.write_text(text)
    with OutputLock(folder.lock):
        found = status(LocalFolder(tmp_path))
    assert (found["phase"], found["left"], found["eta_seconds"]) == ("starting", None, None)
