"""Records for archives, read by the programs that archives read them with."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess

import pytest

from colorize_core.archive.records.edl import edit_list, shot_ranges, timecode
from colorize_core.errors import ManifestError
from colorize_core.report.archive_records import write_records

NAMES = ["plain.png", "a b.png", "back\\slash.png", "line\nbreak.png", "not utf8 \udcff.png"]


@pytest.fixture
def run(make_run, photo):
    """A run whose outputs are there; returns OUT."""
    items = []
    for number, name in enumerate(NAMES):
        sha256 = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
        changes = {"source": name, "output": name, "sha256": sha256, "source_sha256": "00ff"}
        items.append(photo(number, ended="2026-01-02T03:04:05+00:00", **changes))
    failed = {"status": "failed", "output": None, "reason": "torn", "remedy": "scan again"}
    items.append(photo(7, **failed))
    copied = {"status": "skipped", "reason": "already in color: copied", "output": "plain.png"}
    items.append(photo(8, **copied))
    film = {"kind": "film", "frames": 100, "details": {"rate": 23.976, "cuts": [48, 24, 0]}}
    items.append(photo(9, source="box/f.mkv", output="box/f.mkv", **film))
    out = make_run(items, weights_sha256="abc", version="9", settings={"render": {"size": 320}})
    for name in NAMES:
        (out / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    write_records(out)
    return out


def check(out):
    command = ["sha256sum", "-c", "--strict", "manifest-sha256.txt"]
    return subprocess.run(command, cwd=out, capture_output=True, check=False)


def test_sha256sum_takes_the_checksums(run):
    assert check(run).returncode == 0
    assert check(run).stdout.count(b": OK") == len(NAMES)
    (run / "a b.png").write_bytes(b"other")
    assert b"a b.png: FAILED" in check(run).stdout


def test_the_table_has_a_row_per_item(run):
    path = run / "report" / "records" / "items.csv"
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows[: len(NAMES)]] == NAMES
    assert [rows[5][name] for name in ("status", "output", "remedy")] == [
        *("failed", "", "scan again")
    ]


def test_each_item_is_an_event_with_its_agent_outcome_and_checksums(run):
    found = json.loads((run / "report" / "records" / "premis.json").read_text())
    events = found["events"]
    assert len(events) == len(NAMES) + 3
    first, failed, copied = events[0], events[5], events[6]
    assert first["eventType"] == "creation"
    assert first["eventDateTime"] == "2026-01-02T03:04:05+00:00"
    source, outcome = first["linkingObjectIdentifier"]
    assert source["objectCharacteristics"]["fixity"]["messageDigest"] == "00ff"
    assert outcome["objectCharacteristics"]["fixity"] == {
        "messageDigestAlgorithm": "SHA-256",
        "messageDigest": hashlib.sha256(b"plain.png").hexdigest(),
    }
    assert failed["eventOutcomeInformation"]["eventOutcome"] == "failure"
    assert "scan again" in json.dumps(failed)
    assert copied["eventType"] == "replication"
    software, weights = found["agents"]
    assert software["agentVersion"] == "9"
    assert software["agentNote"]["settings"]["render"]["size"] == 320
    assert weights["agentIdentifier"]["agentIdentifierValue"] == "abc"


def test_shots_are_an_edit_list(run):
    text = (run / "report" / "records" / "shots" / "box" / "f.mkv.edl").read_text()
    events = [line.split() for line in text.splitlines() if line[:3].isdigit()]
    assert [event[4:6] for event in events] == [
        ["00:00:00:00", "00:00:01:00"],
        ["00:00:01:00", "00:00:02:00"],
        ["00:00:02:00", "00:00:04:04"],
    ]


def test_edit_lists_of_odd_films():
    assert shot_ranges([], 5) == [(0, 5)]
    assert shot_ranges([5, 9, -1], 5) == [(0, 5)]
    assert timecode(3600 * 25 + 26, 25.0) == "01:00:01:01"
    assert timecode(7, 0.2) == "00:00:07:00"
    assert "TITLE: na?me" in edit_list("x/na\nme", [], frames=1, rate=25)


def test_a_torn_summary_leaves_the_old_records_whole(run):
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file() and p.suffix != ".json"}
    summary = run / ".colorize" / "summary.json"
    summary.write_text(summary.read_text()[:-40])
    with pytest.raises(ManifestError):
        write_records(run)
    assert {p: p.read_bytes() for p in before} == before
