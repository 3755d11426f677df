"""Fixtures shared by all rooms: a tiny generator and small gray pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.processes import children, end_session

# Before torch is imported: one thread, as a CPU worker has.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests have a longer limit than the one in pyproject.toml."""
    for item in items:
        if item.get_closest_marker("slow") or item.get_closest_marker("faults"):
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(autouse=True)
def no_process_stays() -> Iterator[None]:
    """End what a test that failed or timed out has left running."""
    before = children()
    yield
    for pid in children() - before:
        if os.getsid(pid) == pid:  # a command of its own, no helper of this process
            end_session(pid)


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small generator with random weights that gives visible colors."""
    from tests.faults.archives import save_weights

    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_weights(path)
    return path


@pytest.fixture
def gray_folder(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of gray PNGs; every picture differs."""

    def make(count: int = 6, name: str = "archive", side: int = 48) -> Path:
        folder = tmp_path / name
        for index in range(count):
            picture = gray_picture(index, side)
            path = folder / f"box {index % 2}" / f"scan {index:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            ok, data = cv2.imencode(".png", picture)
            assert ok
            path.write_bytes(data.tobytes())
        return folder

    return make


def gray_picture(seed: int, side: int = 48) -> np.ndarray:
    """Smooth blobs, (side, side + 16) uint8."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (6, 8), dtype=np.uint8)
    return cv2.resize(noise, (side + 16, side), interpolation=cv2.INTER_CUBIC)
