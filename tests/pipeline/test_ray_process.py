"""Ray's core may end its process: the run has another, and says 75."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from colorize_core.config import RunOptions
from colorize_core.errors import EXIT_RESUME, ColorizeError, ResumableError
from colorize_core.pipeline.loop import Finished
from colorize_core.pipeline.ray_parts import RayParts
from colorize_core.pipeline.ray_process import RayProcess
from colorize_core.pipeline.stop import StopRequest
from tests.pipeline.workers import Scripted, shard
from tests.processes import children


@pytest.fixture
def raylet(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of that name."""
    program = tmp_path / "raylet"
    shutil.copy(shutil.which("sleep") or "", program)
    with subprocess.Popen([program, "60"]) as process:
        yield process
        process.kill()


def test_a_part_of_ray_is_missed_once_it_has_been_seen(raylet: subprocess.Popen[bytes]):
    parts = RayParts()
    assert parts.died() == ""
    raylet.kill()
    os.waitid(os.P_PID, raylet.pid, os.WEXITED | os.WNOWAIT)  # dead, and nobody has asked yet
    assert "raylet" in parts.died()
    raylet.wait()
    assert "raylet" in parts.died()


def test_a_part_that_died_before_it_was_seen_is_missed(raylet: subprocess.Popen[bytes]):
    raylet.kill()
    os.waitid(os.P_PID, raylet.pid, os.WEXITED | os.WNOWAIT)
    assert "raylet" in RayParts().died()


def test_a_part_that_was_ended_is_not_missed(raylet: subprocess.Popen[bytes]):
    parts = RayParts()
    assert parts.died() == ""
    parts.end()
    assert raylet.wait(5) == -signal.SIGKILL
    assert parts.died() == ""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_a_process_that_ends_while_ray_starts_is_75(tmp_path: Path, number: int):
    before = children()

    class Killing(StopRequest):
        @property
        def requested(self) -> bool:
            [process] = children() - before
            os.kill(process, number)
            return False

    with pytest.raises(ResumableError, match=f"Ray ended with -{int(number)}") as found:
        RayProcess(partial(Scripted, tmp_path), RunOptions(workers=1), stop=Killing())
    assert found.value.exit_code == EXIT_RESUME
    assert children() == before


def test_a_user_who_gives_up_waits_no_longer(tmp_path: Path):
    before, stop = children(), StopRequest()
    stop.request()
    with pytest.raises(ResumableError, match="stopped while Ray started"):
        RayProcess(partial(Scripted, tmp_path), RunOptions(workers=1), stop=stop)
    assert children() == before


def test_what_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An address where nobody answers is the user's to correct: 1, and not 75."""
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(ColorizeError, match="no Ray answers there") as found:
        RayProcess(partial(Scripted, tmp_path), RunOptions(workers=1))
    assert found.value.exit_code == 1


def test_units_run_there_and_its_silence_and_its_death_are_75(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("colorize_core.pipeline.ray_process._HANG_SECONDS", 0.5)
    before, stop = children(), StopRequest()
    pool = RayProcess(partial(Scripted, tmp_path), RunOptions(workers=1), stop=stop)
    try:
        assert pool.workers == 1
        while pool.bf16_so_far() is None:
            pool.wait(0.2)
        pool.submit(shard("a", "b"))
        assert pool.in_flight == 1
        outcomes = []
        while not outcomes:
            outcomes = pool.wait(0.2)
        [outcome] = outcomes
        assert isinstance(outcome, Finished)
        assert [item.source for item in outcome.report.items] == ["a", "b"]
        [process] = [pid for pid in children() - before if os.getpgid(pid) == pid]
        os.kill(process, signal.SIGSTOP)
        stop.request()
        stop.request()
        with pytest.raises(ResumableError, match="no answer"):
            pool.wait(0.2)
        with pytest.raises(ResumableError, match="Ray ended with -9"):
            pool.wait(0.2)
    finally:
        pool.close()
    pool.close()
