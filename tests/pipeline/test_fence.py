"""What wakes up late changes nothing that is recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from colorize_core.archive.records.fence import REPLACED, Fence, without_replaced
from colorize_core.archive.records.lock import OutputLock
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.work import ImageShard, ItemReport, UnitReport
from colorize_core.atomic import TEMP_PREFIX, publish_bytes
from colorize_core.config import RunOptions
from colorize_core.errors import FencedError
from colorize_core.pipeline.fenced import run_fenced
from colorize_core.pipeline.loop import Ending, Loop
from colorize_core.pipeline.serial_pool import SerialPool
from colorize_core.pipeline.stop import StopRequest
from tests.pipeline.workers import shard


class Publisher:
    """Publishes each photo's name as its content."""

    has_bf16 = False

    def __init__(self, out: Path) -> None:
        self.out = out

    def run(self, unit: ImageShard) -> UnitReport:
        for task in unit.photos:
            publish_bytes(self.out / task.output, task.item.path.encode())
        items = (report(task.key, task.output, task.item.path.encode()) for task in unit.photos)
        return UnitReport(tuple(items))


def report(key: str, output: str, content: bytes) -> ItemReport:
    sha256 = hashlib.sha256(content).hexdigest()
    return ItemReport(key, "photo", output, "done", output, sha256=sha256, size=len(content))


@pytest.fixture
def fence(tmp_path: Path) -> Iterator[Fence]:
    with OutputLock(RunFolder(tmp_path).lock) as lock:
        yield Fence(tmp_path, lock.token)


def test_a_worker_of_this_run_publishes(fence: Fence):
    answer = run_fenced(Publisher(fence.out), shard("a", "b"), fence.of_worker("1"))
    assert set(answer.files) == {"a.png", "b.png"}
    assert without_replaced(answer, fence.out) == answer


def given_up(fence: Fence) -> None:
    fence.give_up("1")


def taken_over(fence: Fence) -> None:
    RunFolder(fence.out).lock.unlink()
    with OutputLock(RunFolder(fence.out).lock):
        pass
    publish_bytes(RunFolder(fence.out).lock, b'{"token": "another"}')


def over(fence: Fence) -> None:
    RunFolder(fence.out).lock.unlink()


@pytest.mark.parametrize("event", [given_up, taken_over, over])
def test_one_that_its_run_no_longer_counts_on_does_not(
    fence: Fence, event: Callable[[Fence], None]
):
    (fence.out / "a.png").write_bytes(b"of another")
    event(fence)
    with pytest.raises(FencedError):
        run_fenced(Publisher(fence.out), shard("a"), fence.of_worker("1"))
    assert (fence.out / "a.png").read_bytes() == b"of another"
    assert not list(fence.out.glob(f"{TEMP_PREFIX}*"))


def test_others_go_on_when_one_is_given_up(fence: Fence):
    fence.give_up("1")
    assert run_fenced(Publisher(fence.out), shard("a"), fence.of_worker("2")).files


@pytest.mark.parametrize("content", [b"x", b"xyz", None])
def test_a_file_that_was_replaced_before_it_is_recorded_is_made_again(
    fence: Fence, content: bytes | None
):
    answer = run_fenced(Publisher(fence.out), shard("a", "b"), fence)
    (fence.out / "b.png").unlink()
    if content is not None:
        publish_bytes(fence.out / "b.png", content)
    found = without_replaced(answer, fence.out)
    assert [item.output for item in found.items] == ["a.png"]
    assert found.retry == {"key-b": REPLACED}


def test_equal_content_under_another_inode_is_right(fence: Fence):
    answer = run_fenced(Publisher(fence.out), shard("a"), fence)
    publish_bytes(fence.out / "a.png", b"a")
    assert without_replaced(answer, fence.out) == answer


def test_the_loop_makes_it_again_until_it_stays(fence: Fence, tmp_path: Path):
    recorded: list[ItemReport] = []
    seen: list[UnitReport] = []

    def intruded(answer: UnitReport) -> UnitReport:
        if not seen:
            publish_bytes(tmp_path / "a.png", b"late")
        seen.append(answer)
        return without_replaced(answer, fence.out)

    def record(answer: UnitReport) -> list:
        recorded.extend(answer.items)
        return []

    loop = Loop(
        [shard("a", "b")],
        SerialPool(partial(Publisher, tmp_path), fence),
        record,
        stop=StopRequest(),
        out=tmp_path,
        options=RunOptions(),
        check=intruded,
    )
    assert loop.run() == Ending()
    assert sorted(item.output for item in recorded) == ["a.png", "b.png"]
    assert (tmp_path / "a.png").read_bytes() == b"a"


def test_a_report_without_files_passes(fence: Fence):
    answer = UnitReport((replace(report("k", "a.png", b"a"), output=None),))
    assert without_replaced(answer, fence.out) == answer
