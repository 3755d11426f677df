from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from colorize_core.config import TrainConfig, load_config
from tests.mobilenet_helpers import random_state

ROOT = Path(__file__).parents[2]


def color_crops(count: int, side: int = 80) -> list[np.ndarray]:
    """Crops of scikit-image's bundled color photos."""
    sources = [data.astronaut(), data.coffee(), data.chelsea()]
    rng = np.random.default_rng(0)
    crops = []
    for i in range(count):
        source = sources[i % len(sources)]
        top, left = (int(rng.integers(0, n - 2 * side)) for n in source.shape[:2])
        crops.append(source[top : top + 2 * side : 2, left : left + 2 * side : 2])
    return crops


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 48 small color photos in two groups."""
    folder = tmp_path_factory.mktemp("photos")
    for i, crop in enumerate(color_crops(48)):
        path = folder / ("one", "two")[i % 2] / f"{i:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(crop).save(path)
    return folder


@pytest.fixture(scope="session")
def mobilenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of random MobileNetV2 weights."""
    path = tmp_path_factory.mktemp("mobilenet") / "net.pt"
    torch.save(random_state(torch.Generator().manual_seed(0)), path)
    return path


@pytest.fixture
def tiny() -> TrainConfig:
    """The small recipe that the project ships for a first look."""
    return load_config(TrainConfig, ROOT / "configs" / "train" / "tiny.yaml")
