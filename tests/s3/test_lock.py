"""One driver per bucket folder."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest

from colorize_core.archive.records.work import ItemReport
from colorize_core.archive.storage.address import Address
from colorize_core.archive.storage.lock import ObjectLock, is_held
from colorize_core.archive.storage.objects import Objects
from colorize_core.archive.storage.parts import Parts
from colorize_core.errors import LockLostError, OutputLockedError
from tests.s3.proxy import Rule

pytestmark = pytest.mark.s3


@pytest.fixture
def objects(bucket):
    return Objects(Address("s3", f"{bucket}/out"), patience=10.0)


def elsewhere(objects_of, client, bucket) -> None:
    """Let the holder be one of another machine."""
    (name,) = sorted(n for n in objects_of() if "/lock/" in n)[-1:]
    holder = json.loads(objects_of()[name]) | {"host": "another", "boot": "another"}
    client.put_object(Bucket=bucket, Key=name, Body=json.dumps(holder).encode())


def test_it_is_held_and_given_back(objects):
    with ObjectLock(objects) as lock:
        lock.check()
        assert is_held(objects)
        with pytest.raises(OutputLockedError, match="another run is writing there"):
            ObjectLock(objects).__enter__()
        lock.check()
    assert not is_held(objects)
    with ObjectLock(objects):
        assert is_held(objects)


def test_a_holder_elsewhere_that_beats_is_left_alone(objects):
    said = []
    first = ObjectLock(objects, heartbeat=0.3)
    first._holder = replace(first._holder, host="another", boot="another")
    with first, pytest.raises(OutputLockedError):
        ObjectLock(objects, say=said.append, stale=5.0).__enter__()
    assert "watching for 5 s whether host" in said[0]


def test_a_silent_one_is_taken_over_and_stops(objects, objects_of, client, bucket):
    first = ObjectLock(objects, heartbeat=3600)
    first.__enter__()
    elsewhere(objects_of, client, bucket)
    started = time.monotonic()
    with ObjectLock(objects, stale=1.0, heartbeat=0.2) as second:
        assert 1.0 <= time.monotonic() - started < 10
        with pytest.raises(LockLostError):
            first.check()
        time.sleep(0.6)
        second.check()
    # What the first one leaves takes nothing from a third.
    with ObjectLock(objects) as third:
        first.__exit__(None, None, None)
        third.check()


def test_of_many_one_gets_it(objects):
    got, refused = [], []
    go = threading.Barrier(6)

    def drive():
        lock = ObjectLock(objects)
        go.wait()
        try:
            lock.__enter__()
        except OutputLockedError:
            refused.append(lock)
        else:
            got.append(lock)

    threads = [threading.Thread(target=drive) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(refused)) == (1, 5)
    got[0].check()
    got[0].__exit__(None, None, None)


def test_heartbeats_survive_lost_answers(objects, objects_of, proxy):
    proxy.rules = [Rule("lost", "PUT .*lock", 6)]
    with ObjectLock(objects, heartbeat=0.2) as lock:
        time.sleep(3.0)
        lock.check()
    assert len(proxy.hurt) == 6
    assert len([n for n in objects_of() if "/lock/" in n]) == 1


def lines(path) -> list[str]:
    return path.read_text().splitlines()


def test_parts_become_one_and_nothing_is_lost(objects, objects_of, tmp_path, proxy):
    from colorize_core.archive.records.manifest import Manifest

    path = tmp_path / "manifest.jsonl"
    parts = Parts(objects, path)
    parts.open()
    manifest = Manifest(path)
    for index in range(5):
        manifest.append([ItemReport(f"k{index}", "photo", f"{index}.png", "done")])
        parts.keep()
    names = sorted(n for n in objects_of() if "/manifest/" in n)
    assert len(names) == 5

    def elsewhere(name):
        other = Parts(objects, tmp_path / name / "manifest.jsonl")
        other.open()
        return other, tmp_path / name / "manifest.jsonl"

    assert lines(elsewhere("b")[1]) == lines(path)
    # Killed between the whole one and the removal of its parts.
    proxy.rules = [Rule("503", "DELETE")]
    objects.patience = 0.5
    with pytest.raises(Exception, match="reduce your request rate"):
        parts.make_whole()
    proxy.rules = []
    third, copy = elsewhere("c")
    assert lines(copy) == lines(path)
    manifest = Manifest(copy)
    manifest.append([ItemReport("k5", "photo", "5.png", "done")])
    third.keep()
    # A driver that lost the lock and had the same number in mind takes nothing away.
    fourth, late = elsewhere("d")
    manifest.append([ItemReport("k6", "photo", "6.png", "done")])
    third.keep()
    Manifest(late).append([ItemReport("k7", "photo", "7.png", "done")])
    fourth.keep()
    assert {r.key for r in Manifest(elsewhere("e")[1]).reports()} == {f"k{i}" for i in range(8)}
    last, copy = elsewhere("f")
    last.keep()
    last.make_whole()
    assert [n for n in objects_of() if "/manifest/" in n] == [
        "out/.colorize/manifest/000000000008-whole.jsonl"
    ]
    assert lines(elsewhere("g")[1]) == lines(copy)
