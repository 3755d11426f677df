"""Files that other programs read while a run goes."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path

import pytest

from colorize_core.archive.records.work import ItemReport, UnitReport
from colorize_core.archive.source.item import SourceItem
from colorize_core.errors import UsageError
from colorize_core.pipeline.progress import Progress
from colorize_core.pipeline.run_log import RunLog


def test_both_files_tell_how_far_a_run_is(tmp_path: Path):
    items = [SourceItem(f"{n}.png", f"/{n}.png", 100, "s", "photo") for n in range(3)]
    log, text = tmp_path / "log.jsonl", tmp_path / "metrics" / "colorize.prom"
    log.write_text('{"event": "of an earlier run"}\n')
    report = ItemReport("k", "photo", "0.png", "failed", reason="torn", remedy="scan again")
    with closing(RunLog(log, text)) as files:
        progress = Progress(items, 7, tmp_path / "p.json", log=files)
        progress.update(UnitReport((report,), seconds=1.0))
        progress.close()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (item,) = [line for line in lines if line["event"] == "item"]
    assert (item["source"], item["reason"], item["remedy"]) == ("0.png", "torn", "scan again")
    assert lines[0] == {"event": "of an earlier run"}
    found = dict(re.findall(r"^(colorize_\w+) (\S+)$", text.read_text(), re.MULTILINE))
    assert found["colorize_items"] == "10.0"
    assert found["colorize_items_done"] == "8.0"
    assert found["colorize_items_failed"] == "1.0"
    assert float(found["colorize_photos_per_second"]) > 0
    assert text.read_text().count("# TYPE") == len(found)


def test_an_eta_that_is_not_known_is_nan(tmp_path: Path):
    text = tmp_path / "colorize.prom"
    Progress([], 0, tmp_path / "p.json", log=RunLog(None, text)).close()
    assert "colorize_eta_seconds NaN" in text.read_text()


@pytest.mark.parametrize("option", ["log", "prometheus"])
def test_a_file_that_cannot_be_written_is_said_before_the_run(tmp_path: Path, option: str):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"--log-json or --prometheus: .*file"):
        RunLog(**{option: tmp_path / "file" / "x"})
