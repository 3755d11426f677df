"""The log of a review: appended by several, read while it grows."""

from __future__ import annotations

from pathlib import Path

from colorize_core.archive.records.review_log import ReviewLog
from colorize_core.archive.records.reviews import accepted, fold
from colorize_core.review.state import Review

POINT = {"x": 0.5, "y": 0.5, "color": "#123456"}


def test_what_another_writes_is_read_and_stands_behind_what_it_had_read(tmp_path: Path):
    one, two = ReviewLog(tmp_path), ReviewLog(tmp_path)
    one._latest = 4e9  # a clock far ahead
    first = one.append("note", item="a", value="one")
    second = two.append("note", item="a", value="two")
    assert second.time > first.time
    one.read()
    assert [event.value for event in one.events()] == ["one", "two"]
    assert len(list(one.folder.glob("*.jsonl"))) == 2


def test_a_torn_line_waits_and_a_damaged_one_is_counted(tmp_path: Path):
    log = ReviewLog(tmp_path)
    log.append("reject", item="a")
    (path,) = log.folder.glob("*.jsonl")
    whole = path.read_bytes()
    other = log.folder / "other.jsonl"
    other.write_bytes(b"not json\n" + whole[:20])
    assert [event.do for event in log.events()] == ["reject"]
    log.read()
    assert (len(log.arrived(0)), log.damaged_lines) == (1, 1)
    other.write_bytes(b"not json\n" + whole.replace(b"reject", b"accept"))
    log.read()
    assert [event.do for event in log.arrived(0)] == ["accept"]


def test_parts_come_and_go_by_their_ids(tmp_path: Path):
    log = ReviewLog(tmp_path)
    kept, gone, undone = (log.append("hint", item="a", value=POINT) for _ in range(3))
    log.append("remove", item="a", value=gone.id)
    log.append("undo", item="a", value=undone.id)
    assert list(fold(log.events()).items["a"].parts) == [kept.id]


def test_acceptance_is_of_a_result_and_ends_with_an_edit(tmp_path: Path):
    log = ReviewLog(tmp_path)
    log.append("accept", item="a", value="key-a")
    log.append("accept", item="b", value="key-b")
    log.append("set", item="b", value={"render.strength": 0.5})
    assert accepted(tmp_path) == {"a": "key-a"}
    log.append("undecided", item="a")
    assert accepted(tmp_path) == {}


def test_what_arrives_while_one_records_or_writes_is_news(run_folder: Path):
    review, other = Review(run_folder / "out"), ReviewLog(run_folder / "out")
    ids = review.catalog.ids
    other.append("note", item="box/a.png", value="theirs")
    review.record("note", review.entry(ids["top.png"]), "ours", "Ada", "s")
    other.append("note", item="box/b[1].png", value="theirs")
    review.write()
    assert review.refresh() == {ids[name] for name in ("box/a.png", "box/b[1].png", "top.png")}
    assert review.refresh() == set()


def test_a_file_that_another_server_wrote_is_no_users(run_folder: Path):
    one, two = Review(run_folder / "out"), Review(run_folder / "out")
    entry = one.entry(one.catalog.ids["top.png"])
    one.record("hint", entry, POINT, "Ada", "s")
    one.write()
    two.record("hint", entry, {**POINT, "x": 0.25}, "Ben", "s")
    assert [part.who for part in two.review(entry).of_kind("hint")] == ["Ada", "Ben"]
