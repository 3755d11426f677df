"""The loop on both pools: what is lost is run again, what kills is found, nothing runs twice."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from colorize_core.archive.records.work import (
    FilmCopy,
    ImageShard,
    ItemReport,
    Join,
    UnitReport,
    VideoSegment,
    WorkUnit,
)
from colorize_core.archive.source.item import SourceItem
from colorize_core.config import ColorizeConfig, RunOptions
from colorize_core.errors import ModelError
from colorize_core.pipeline import loop as loop_module
from colorize_core.pipeline.loop import Ending, Finished, Loop, Lost, Pool
from colorize_core.pipeline.serial_pool import SerialPool
from colorize_core.pipeline.stop import StopRequest
from tests.pipeline.workers import Scripted, shard

MakePool = Callable[..., Pool]
TWO = RunOptions(workers=2)


@pytest.fixture(scope="module")
def ray_session() -> Iterator[None]:
    """One local Ray for the module; every pool makes its own actors on it."""
    from colorize_core.pipeline import ray_pool

    ray_pool.start_ray(RunOptions(workers=3))
    yield
    import ray

    ray.shutdown()


@pytest.fixture(params=["serial", "ray"])
def make_pool(request: pytest.FixtureRequest, tmp_path: Path) -> MakePool:
    def make(options: RunOptions = TWO) -> Pool:
        if request.param == "serial":
            return SerialPool(partial(Scripted, tmp_path))
        from colorize_core.pipeline.ray_pool import RayPool

        request.getfixturevalue("ray_session")
        return RayPool(partial(Scripted, tmp_path), options)

    return make


@pytest.fixture
def make_ray_pool(ray_session: None, tmp_path: Path) -> MakePool:
    from colorize_core.pipeline.ray_pool import RayPool

    return lambda options=TWO: RayPool(partial(Scripted, tmp_path), options)


class Run:
    """Runs a loop to its end and keeps what it recorded."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.stop = StopRequest()
        self.items: list[ItemReport] = []
        self.on_record: Callable[[], None] = lambda: None

    def __call__(self, pool: Pool, units: list[ImageShard], options: RunOptions = TWO) -> Ending:
        def record(report: UnitReport) -> list[ImageShard]:
            self.items += report.items
            self.on_record()
            return []

        try:
            loop = Loop(units, pool, record, stop=self.stop, out=self.out, options=options)
            return loop.run()
        finally:
            pool.close()

    @property
    def statuses(self) -> dict[str, str]:
        assert len({i.key for i in self.items}) == len(self.items), "an item was recorded twice"
        return {i.source: i.error or i.status for i in self.items}

    def started(self) -> Counter[str]:
        return Counter((self.out / "log").read_text().split())


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_everything_is_done_once(make_pool: MakePool, run: Run):
    units = [shard(*(f"p{i}{j}" for j in range(3))) for i in range(7)]
    assert run(make_pool(), units) == Ending()
    assert set(run.statuses.values()) == {"done"}
    assert len(run.items) == 21
    assert set(run.started().values()) == {1}


def test_transient_errors_are_tried_again_and_given_up_in_the_end(
    make_pool: MakePool, run: Run, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loop_module, "RETRY_SECONDS", 0.01)
    run(make_pool(), [shard("a", "flaky1", "flaky2", "flaky9")])
    assert run.statuses == {"a": "done", "flaky1": "done", "flaky2": "done", "flaky9": "transient"}
    assert run.started()["a"] == 1
    assert run.started()["flaky9"] == loop_module.MAX_TRANSIENT_TRIES


def test_a_full_disk_stops_dispatch_and_asks_to_resume(
    make_pool: MakePool, run: Run, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loop_module, "LOW_WATER_BYTES", 2**62)
    monkeypatch.setattr(loop_module, "LOW_WATER_SHARE", 2.0)
    ending = run(make_pool(), [shard("a")], RunOptions(blocked_wait_seconds=0.1))
    assert "free on the disk" in ending.blocked
    assert run.items == []


def test_after_a_full_disk_got_space_the_rest_is_done(
    make_pool: MakePool, run: Run, monkeypatch: pytest.MonkeyPatch
):
    # Other programs write to this disk too; a negative reserve makes it look emptied.
    monkeypatch.setattr(loop_module, "LOW_WATER_BYTES", -(2**30))
    assert run(make_pool(), [shard("a", "full", "b")]) == Ending()
    assert run.statuses == {"a": "done", "full": "done", "b": "done"}
    assert run.started() == {"a": 1, "full": 2, "b": 1}


def test_a_stop_lets_the_running_unit_end(make_pool: MakePool, run: Run):
    units = [shard(f"slow{i}") for i in range(20)]
    run.on_record = lambda: None if run.stop.requested else run.stop.request()
    ending = run(make_pool(), units, RunOptions(drain_seconds=60))
    assert ending.stopped
    # What was started is recorded, and nothing else is.
    assert run.started() == {i.source: 1 for i in run.items}
    assert len(run.items) < 20


def test_a_second_stop_waits_for_nothing(make_pool: MakePool, run: Run):
    def twice() -> None:
        while not (run.out / "log").exists():
            time.sleep(0.05)
        run.stop.request()
        run.stop.request()

    threading.Thread(target=twice, daemon=True).start()
    # The unit sleeps for 10 minutes.
    assert run(make_pool(), [shard("hang")], RunOptions(drain_seconds=500)).stopped
    assert run.items == []


def test_a_killed_worker_is_replaced_and_its_unit_runs_again(make_ray_pool: MakePool, run: Run):
    units = [shard("die-once"), *(shard(f"p{i}") for i in range(6))]
    assert run(make_ray_pool(), units) == Ending()
    assert set(run.statuses.values()) == {"done"}
    assert run.started()["die-once"] == 2


def test_the_photo_that_kills_is_found_and_the_others_are_done(make_ray_pool: MakePool, run: Run):
    names = [f"p{i}" for i in range(7)]
    assert run(make_ray_pool(), [shard(*names[:5], "kill", *names[5:])]) == Ending()
    assert run.statuses == {**dict.fromkeys(names, "done"), "kill": "crash"}


def test_of_two_queued_units_neither_is_blamed_until_it_ran_alone(make_ray_pool: MakePool):
    # The answer to the first may be lost on its way when the process dies of the second.
    pool = make_ray_pool(RunOptions(workers=1))
    try:
        while not pool.free:
            pool.wait(0.1)
        lost = answers(pool, shard("die-once"), shard("kill"))
        assert [o.suspect for o in lost if isinstance(o, Lost)] == [False, False]
        first, second = answers(pool, *(o.unit for o in lost))
        assert isinstance(first, Finished)
        assert isinstance(second, Lost)
        assert second.suspect
    finally:
        pool.close()


def answers(pool: Pool, *units: WorkUnit) -> list[Finished | Lost]:
    """One outcome of each unit."""
    for unit in units:
        pool.submit(unit)
    outcomes: list[Finished | Lost] = []
    while len(outcomes) < len(units):
        outcomes += pool.wait(0.1)
    return outcomes


class Killing:
    """A pool of one worker that dies as often as is said on each unit, and then finishes it."""

    def __init__(self, deaths: dict[str, int]) -> None:
        self.deaths = Counter(deaths)
        self.unit: ImageShard | None = None

    @property
    def free(self) -> int:
        return 0 if self.unit else 1

    @property
    def in_flight(self) -> int:
        return 1 if self.unit else 0

    def submit(self, unit: WorkUnit) -> None:
        assert isinstance(unit, ImageShard)
        self.unit = unit

    def wait(self, timeout: float) -> list[Finished | Lost]:
        unit, self.unit = self.unit, None
        if unit is None:
            return []
        (task,) = unit.photos
        if self.deaths[task.item.path]:
            self.deaths[task.item.path] -= 1
            return [Lost(unit, "killed", suspect=True)]
        report = ItemReport(task.key, "photo", task.item.path, "done")
        return [Finished(unit, UnitReport((report,)))]

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("deaths", "crashed", "tries"),
    [
        ({"a": 3}, set(), 0),
        ({"a": 4}, {"a"}, 4),
        # Three deaths of what was finished later: workers die of something else here.
        ({"a": 1, "b": 2, "c": 6}, set(), 0),
        ({"a": 1, "b": 2, "c": 99}, {"c"}, 7),
        ({"a": 3, "b": 3, "c": 3, "d": 99}, {"d"}, 10),
        # What was not finished proves nothing.
        ({"a": 99, "b": 4}, {"a", "b"}, 4),
    ],
)
def test_where_innocents_die_it_takes_more_to_convict(
    run: Run, deaths: dict[str, int], crashed: set[str], tries: int
):
    run(Killing(deaths), [shard(name) for name in deaths])
    assert {name for name, status in run.statuses.items() if status == "crash"} == crashed
    assert all(f"died {tries} times" in i.reason for i in run.items if i.status == "failed")


def test_a_hung_worker_loses_its_lease(make_ray_pool: MakePool, run: Run):
    options = RunOptions(workers=2, min_lease_seconds=0.5)
    units = [shard("a"), shard("hang"), shard("b")]
    run(make_ray_pool(options), units, options)
    assert run.statuses == {"a": "done", "b": "done", "hang": "crash"}


def test_what_has_answered_is_not_hung_however_long_the_driver_was_away(make_ray_pool: MakePool):
    pool = make_ray_pool(RunOptions(workers=3, min_lease_seconds=0.5))
    while pool.free < 6:
        pool.wait(1.0)
    pool.submit(shard("warm"))
    while pool.in_flight:
        pool.wait(1.0)
    for name in "abc":
        pool.submit(shard(name))
    time.sleep(1.5)
    answers: list[Finished | Lost] = []
    while len(answers) < 3:
        answers += pool.wait(1.0)
    pool.close()
    assert [type(answer) for answer in answers] == [Finished] * 3


def test_a_film_in_one_unit_has_time_for_its_length():
    from colorize_core.pipeline.leases import lease_seconds

    film = SourceItem("a.ts", "/a.ts", 10**10, "s", "film")
    segments = [
        VideoSegment("k", "f", film, None, 0, 0, frames, (), None, "o", ColorizeConfig())
        for frames in (100, 150_000)
    ]
    short, long = (lease_seconds(s, mean=0.05, least=300) for s in segments)
    assert short == 300
    assert long == 300_000
    assert lease_seconds(segments[1], mean=None, least=300) == 300_000
    reports = (ItemReport("s", "segment", "a.ts", "done", frames=150_000),)
    join = Join("k", film, "s", None, (), None, reports, "o", ColorizeConfig())
    assert lease_seconds(join, mean=1e-4, least=300) == 300_000
    assert lease_seconds(FilmCopy("k", film, "s", "o", leave=False), mean=1e-9, least=300) == 10_000
    assert lease_seconds(shard("a", "b"), mean=40.0, least=300) == 1600
    assert lease_seconds(shard("a"), mean=None, least=300) == 3000


_UNDER_THE_MEMORY_MONITOR = """
import sys
from functools import partial
from pathlib import Path

from colorize_core.config import RunOptions
from colorize_core.errors import ResumableError
from colorize_core.pipeline import ray_pool
from colorize_core.pipeline.loop import Loop
from colorize_core.pipeline.stop import StopRequest
from tests.pipeline.workers import Scripted, shard

if __name__ == "__main__":
    out, options = Path(sys.argv[1]), RunOptions(workers=1)
    ray_pool.MAX_STARTS_WITHOUT_RESULT = 1
    pool = ray_pool.RayPool(partial(Scripted, out), options)
    loop = Loop([shard("hang")], pool, list, stop=StopRequest(), out=out, options=options)
    try:
        loop.run()
    except ResumableError as error:
        print(error)
    pool.close()
"""


def test_a_worker_that_rays_memory_monitor_kills_is_a_death_like_others(tmp_path: Path):
    script = tmp_path / "monitored.py"
    script.write_text(_UNDER_THE_MEMORY_MONITOR)
    root = Path(__file__).parents[2]
    monitor = {"RAY_memory_usage_threshold": "0.001", "RAY_memory_monitor_refresh_ms": "100"}
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        env={**os.environ, **monitor, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "workers keep dying" in done.stdout, done.stderr[-2000:]
    assert "low on memory" in done.stdout
    assert done.returncode == 0


def test_an_idle_serial_pool_sleeps(tmp_path: Path):
    pool = SerialPool(partial(Scripted, tmp_path))
    started = time.monotonic()
    assert pool.wait(0.2) == []
    assert time.monotonic() - started >= 0.2


def test_more_workers_than_cores_do_not_wait_for_ever(make_ray_pool: MakePool, run: Run):
    options = RunOptions(workers=5)
    units = [shard(f"p{i}") for i in range(12)]
    assert run(make_ray_pool(options), units, options) == Ending()
    assert len(run.items) == 12


class NoModel:
    """A worker without weights."""

    has_bf16 = False

    def run(self, unit: ImageShard) -> UnitReport:
        raise ModelError("no weights", remedy="get some")


def test_an_error_that_is_not_about_the_input_ends_the_run(ray_session: None, run: Run):
    from colorize_core.pipeline.ray_pool import RayPool

    for pool in (SerialPool(NoModel), RayPool(NoModel, RunOptions(workers=1))):
        with pytest.raises(ModelError, match="no weights"):
            run(pool, [shard("a")])
