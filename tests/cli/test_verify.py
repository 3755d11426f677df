"""`--verify`, `--verify-source` and `--repair` on a real OUT."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from colorize_core.cli.run import main
from colorize_core.errors import EXIT_CANNOT_RUN, EXIT_DONE, EXIT_SOME_FAILED


@pytest.fixture
def words(gray_folder: Callable[..., Path], tmp_path: Path, tiny_weights: Path) -> list[str]:
    source = gray_folder(3)
    shutil.make_archive(str(tmp_path / "zipped"), "zip", source)
    done = [str(tmp_path / "zipped.zip"), "--out", str(tmp_path / "out"), "--runner", "serial"]
    done += ["--no-report", "--set", f"model.weights={tiny_weights}"]
    assert main(done) == EXIT_DONE
    return done


def said(words: list[str], capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict]:
    capsys.readouterr()
    code = main([*words, *more, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_repair_makes_anew_what_was_changed(words, tmp_path: Path, capsys):
    outputs = sorted((tmp_path / "out").rglob("scan*"))
    before = [path.read_bytes() for path in outputs]
    inodes = [path.stat().st_ino for path in outputs]
    content = bytearray(before[1])
    content[-20] ^= 1
    outputs[1].write_bytes(content)
    outputs[2].unlink()
    code, found = said(words, capsys, "--verify")
    assert code == EXIT_SOME_FAILED
    assert set(found["problems"].values()) == {"differs from what was recorded", "missing"}
    assert main([*words, "--repair"]) == EXIT_DONE
    assert [path.read_bytes() for path in outputs] == before
    assert outputs[0].stat().st_ino == inodes[0]
    assert said(words, capsys, "--verify") == (EXIT_DONE, {"outputs": 3, "good": 3, "problems": {}})


def test_sources_are_compared_with_what_was_colored(words, tmp_path: Path, capsys):
    assert said(words, capsys, "--verify", "--verify-source")[1]["sources"] == {}
    folder = tmp_path / "archive"
    (path, *_) = sorted(folder.rglob("*.png"))
    path.write_bytes(path.read_bytes() + b"more")
    shutil.make_archive(str(tmp_path / "zipped"), "zip", folder)
    code, found = said(words, capsys, "--verify", "--verify-source")
    assert code == EXIT_SOME_FAILED
    name = path.relative_to(folder).as_posix()
    assert found["sources"] == {name: "another content than what was colored"}
    assert found["good"] == 3


def test_a_lost_manifest_costs_no_work(words, tmp_path: Path, capsys):
    (tmp_path / "out/.colorize/manifest.jsonl").unlink()
    inodes = {path.stat().st_ino for path in (tmp_path / "out").rglob("scan*")}
    assert main(words) == EXIT_DONE
    assert "3 lines taken from the manifest's copy" in capsys.readouterr().err
    assert {path.stat().st_ino for path in (tmp_path / "out").rglob("scan*")} == inodes


def test_verify_source_alone_is_refused(words, capsys):
    assert main([*words, "--verify-source"]) == EXIT_CANNOT_RUN
    assert "--verify" in capsys.readouterr().err
