"""SIGTERM and Ctrl-C at any moment: 75, or the run's own result."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from colorize_core.errors import EXIT_RESUME
from tests.faults.runs import Command, finish, outputs

pytestmark = pytest.mark.faults
SEED = 23


@pytest.mark.parametrize("runner", ["serial", "ray"])
def test_a_signal_at_any_moment(
    gray_folder: Callable[..., Path], tmp_path: Path, tiny_weights: Path, runner: str
):
    """From a tenth of a second, when Python itself has started, to the page at the end."""
    options = ("--runner", runner, "--workers", "1", "--report", "--drain-seconds", "5")
    source = gray_folder(3)
    whole = Command(source, tmp_path / "whole", tiny_weights, options)
    started = time.monotonic()
    assert whole.run().returncode == 0
    seconds = time.monotonic() - started
    rng = random.Random(SEED)
    for number in range(8):
        moment = 0.15 + rng.random() * seconds
        kind = rng.choice([signal.SIGTERM, signal.SIGINT])
        job = Command(source, tmp_path / f"out {number}", tiny_weights, options)
        with job.started() as process:
            time.sleep(moment)
            process.send_signal(kind)
            errors = finish(process)
            what = f"seed {SEED}, {kind.name} after {moment:.2f} of {seconds:.2f} s: {errors}"
            assert process.returncode in (EXIT_RESUME, 0), what
            assert "Traceback" not in errors, what
        resumed = job.run()
        assert resumed.returncode == 0, resumed.stderr
        assert outputs(job.out, (".colorize", "report")) == outputs(
            whole.out, (".colorize", "report")
        )
