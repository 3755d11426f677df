"""An OUT that somebody else has written to: records with right CRCs, links, read-only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.output_paths import output_in
from colorize_core.cli import report, status
from colorize_core.errors import UnsafePathError
from tests.archive.test_own_folders import items, make_source, run

ROOT = Path(__file__).parents[2]
NAMES = ("a.png", "b.png")


def forged(body: dict | list | str) -> str:
    text = json.dumps(body, separators=(",", ":")) if not isinstance(body, str) else body
    return f'{text[:-1]},"crc":"{zlib.crc32(text.encode()):08x}"}}\n'


class Out:
    """A finished run, whose records can be rewritten."""

    def __init__(self, tmp_path: Path, weights: Path) -> None:
        self.source = make_source(tmp_path / "src", NAMES)
        self.path = tmp_path / "out"
        self.weights = weights
        assert self.run("--no-report") == 0

    @property
    def manifest(self) -> Path:
        return self.path / ".colorize" / "manifest.jsonl"

    def run(self, *more: str) -> int:
        return run(self.source, self.path, self.weights, *more)

    def forge(self, change: Callable[[dict], None]) -> None:
        lines = self.manifest.read_text().splitlines()
        bodies = [json.loads(line) for line in lines]
        for body in bodies:
            del body["crc"]
            if body.get("source") == "a.png":
                change(body)
        self.manifest.write_text("".join(map(forged, bodies)))


@pytest.fixture
def out(tmp_path: Path, tiny_weights: Path) -> Out:
    return Out(tmp_path, tiny_weights)


@pytest.mark.parametrize(
    "name", ["../outside.jpg", "/tmp/x", "x/../../outside.jpg", "linked/x.jpg"]
)
def test_a_path_out_of_out_is_neither_read_nor_written(
    out: Out, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "outside.jpg").write_bytes(b"mine")
    (tmp_path / "elsewhere").mkdir()
    (out.path / "linked").symlink_to(tmp_path / "elsewhere")
    (out.path / "report").mkdir()
    out.forge(lambda body: body.update(output=name))
    before = sorted(p for p in tmp_path.rglob("*") if out.path not in p.parents)
    assert out.run("--verify") == 2
    assert f"{name}: the record of an output" in capsys.readouterr().err
    out.run("--compare", "--limit", "1")
    assert report.main([str(out.path)]) == 0
    assert (tmp_path / "outside.jpg").read_bytes() == b"mine"
    assert sorted(p for p in tmp_path.rglob("*") if out.path not in p.parents) == before
    # The photo itself is simply done again, under its own name.
    assert out.run() == 0
    assert items(out.path)["a.png"]["output"] == "a.png"


def test_compare_says_what_it_does_not_make(out: Out, capsys: pytest.CaptureFixture[str]):
    (out.path / "report" / "compare").mkdir(parents=True)
    (out.path / "report" / "compare" / "a.png.jpg").symlink_to("/dev/zero")
    (out.path / "report" / "compare" / "b.png.jpg").symlink_to(out.source / "b.png")
    original = (out.source / "b.png").read_bytes()
    assert out.run("--compare") == 0
    said = capsys.readouterr().err
    assert "no comparison of a.png: the record of an output" in said
    assert "side by side: 2 failed" in said
    assert (out.source / "b.png").read_bytes() == original


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_verify_waits_for_nothing(out: Out, make, capsys: pytest.CaptureFixture[str]):
    (out.path / "a.png").unlink()
    make(out.path / "a.png")
    assert out.run("--verify") == 2
    assert "a.png: the record of an output" in capsys.readouterr().err


ODD = {
    "unknown": {"new": [1, {"x": 2}]},
    "status": {"status": "polished"},
    "kind": {"kind": "hologram"},
    "types": {"size": "big", "seconds": []},
    "details": {"details": {"width": "wide"}},
    "list": {"output": ["a.png"]},
    "number": {"source": 5},
    "huge": {"size": 1 << 70},
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_lines_are_passed_over_and_kept(out: Out, odd: str, capsys: pytest.CaptureFixture[str]):
    out.forge(lambda body: body.update(ODD[odd]))
    forged_text = out.manifest.read_text()
    assert out.run("--verify") == 0
    assert status.main([str(out.path)]) == 0
    assert out.run("--compare") == 0
    assert "Traceback" not in capsys.readouterr().err
    assert {i["status"] for i in items(out.path).values()} == {"done"}
    assert out.manifest.read_text().startswith(forged_text), "its line stays"


@pytest.mark.parametrize(
    "line",
    [
        '{"key":"k"}',
        '{"status":"done"}',
        '{"key":5,"status":"done"}',
        '{"key":"k","status":["done"]}',
        '{"key":"k","kind":"photo","status":"done","output":"x"}',
        '{"a":' * 5000 + "1" + "}" * 5000,
    ],
)
def test_lines_of_strangers(tmp_path: Path, line: str):
    path = tmp_path / "manifest.jsonl"
    path.write_text(forged({"format": 1}) + forged(line))
    manifest = Manifest(path)
    assert list(manifest.reports()) == []
    assert manifest.get("k") is None
    assert manifest.damaged_lines == 0


@pytest.mark.parametrize("name", [".colorize", "report", "report/compare", "report/thumbs"])
def test_our_own_folders_are_no_links(
    out: Out, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    elsewhere = tmp_path / "elsewhere"
    if name == ".colorize":
        (out.path / name).rename(elsewhere)
    else:
        elsewhere.mkdir()
    (elsewhere / "staging").mkdir(exist_ok=True)
    (elsewhere / "staging" / "films").mkdir()
    (elsewhere / "staging" / "films" / "precious.mkv").touch()
    (out.path / name).parent.mkdir(exist_ok=True)
    (out.path / name).symlink_to(elsewhere)
    assert out.run() == 1
    assert f"{out.path / name} is a link" in capsys.readouterr().err.splitlines()[-1]
    assert (elsewhere / "staging" / "films" / "precious.mkv").exists()


def test_a_link_from_out_to_other_pictures(
    out: Out, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    others = make_source(tmp_path / "others", ("c.png",))
    before = (others / "c.png").read_bytes()
    (out.path / "album").symlink_to(others)
    make_source(out.source, ("album/c.png",))
    assert out.run() == 2
    item = items(out.path)["album/c.png"]
    assert "out of OUT, through a link" in item["reason"]
    assert (others / "c.png").read_bytes() == before
    assert [p.name for p in others.iterdir()] == ["c.png"]
    assert "Traceback" not in capsys.readouterr().err


def test_a_malformed_progress_file(out: Out, capsys: pytest.CaptureFixture[str]):
    for text in ("[", "[1]", '{"left": "many", "eta_seconds": {}, "updated": null}', "[" * 99999):
        (out.path / ".colorize" / "progress.json").write_text(text)
        assert status.main([str(out.path), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["done"] == 2


CAN_MOUNT = (
    shutil.which("unshare") is not None
    and subprocess.run(
        ["unshare", "-m", "mount", "--bind", "/tmp", "/tmp"], check=False, capture_output=True
    ).returncode
    == 0
)


@pytest.mark.skipif(not CAN_MOUNT, reason="may not mount")
def test_a_finished_out_that_is_read_only(out: Out):
    weights = ["--set", f"model.weights={out.weights}"]
    job = ["jobs.colorize_archive", str(out.source), "--out", str(out.path), *weights]
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    for arguments, code in (
        ([*job, "--runner", "serial"], 1),
        ([*job, "--verify"], 0),
        (["jobs.archive_status", str(out.path)], 0),
        (["jobs.report", str(out.path)], 1),
    ):
        command = ["unshare", "-m", "sh", "-c", script, str(out.path)]
        done = subprocess.run(
            [*command, sys.executable, "-m", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        if code:
            assert "Read-only file system" in done.stderr.splitlines()[-1]


def test_output_in_takes_what_is_below(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")
    for name in ("a.png", "real/a.png", "alias/a.png", "a..b/c", "real"):
        assert output_in(tmp_path, name) == tmp_path / name
    for name in (None, 5, "", "a\0b", "..", "a/../b", "/etc/passwd", ["a"], "x" * 5000):
        with pytest.raises(UnsafePathError):
            output_in(tmp_path, name)
