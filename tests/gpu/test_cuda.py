"""On a machine with a GPU; without one these are skipped, with one they cannot be.

A GPU that torch does not see is a failure: a driver or a wheel that does not fit would else pass.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from colorize_core import Colorizer
from colorize_core.color.pixels import pixels_to_L
from colorize_core.inference.devices import has_bf16
from tests.film_helpers import decode, make_film
from tests.media.film.test_nvenc import ffmpeg_can
from tests.onnx_helpers import like_deoldify

pytestmark = pytest.mark.gpu
ROOT = Path(__file__).parents[2]
CUDA = torch.device("cuda")


def has_gpu() -> bool:
    """Whether the system says that there is a GPU, whatever torch says."""
    return Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") is not None


@pytest.fixture(autouse=True)
def cuda() -> None:
    if torch.cuda.is_available():
        return
    if has_gpu() or os.environ.get("COLORIZE_REQUIRE_GPU"):
        pytest.fail("there is a GPU, and torch does not see it")
    pytest.skip("no GPU")


@pytest.fixture
def lightness() -> torch.Tensor:
    return pixels_to_L(data.camera()[::2, ::2]).repeat(3, 1, 1, 1)


def test_cuda_gives_the_colors_of_the_cpu(lightness):
    on_cpu = Colorizer.load(device="cpu", batch_size=2).predict_ab(lightness)
    on_gpu = Colorizer.load(device="cuda", batch_size=2).predict_ab(lightness)
    assert on_cpu.abs().max() > 5
    assert (on_cpu - on_gpu).abs().max() < 1  # TF32 may be on; an eye sees a difference of 1


def test_bf16_is_near_to_fp32_where_the_gpu_has_it(lightness):
    if not has_bf16(CUDA):
        assert torch.cuda.get_device_capability() < (8, 0)
        return
    full = Colorizer.load(device="cuda", batch_size=2).predict_ab(lightness)
    half = Colorizer.load(device="cuda", batch_size=2, precision="bf16").predict_ab(lightness)
    assert 0 < (full - half).abs().mean() < 3


def test_a_picture_does_not_depend_on_its_batch(lightness):
    colorizer = Colorizer.load(device="cuda", batch_size=4)
    assert torch.equal(colorizer.predict_ab(lightness)[:1], colorizer.predict_ab(lightness[:1]))


def test_without_room_on_the_gpu_the_cpu_goes_on(lightness):
    expected = Colorizer.load(device="cpu", batch_size=4).predict_ab(lightness)
    colorizer = Colorizer.load(device="cuda", batch_size=4)
    torch.cuda.empty_cache()
    taken = torch.cuda.memory_reserved() / torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, taken + 1e-6))
    try:
        found = colorizer.predict_ab(lightness)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert any("computed on the CPU" in note for note in colorizer.take_notes())
    torch.testing.assert_close(found, expected)


def test_a_file_of_others_on_the_gpu(lightness, tmp_path):
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("onnxruntime without CUDA: pip install onnxruntime-gpu")
    path = like_deoldify(tmp_path / "others.onnx")
    on_cpu = Colorizer.load(path, device="cpu").predict_ab(lightness)
    torch.testing.assert_close(
        Colorizer.load(path, device="cuda").predict_ab(lightness), on_cpu, atol=0.1, rtol=0
    )


def test_workers_share_the_gpu_and_the_driver_takes_none_of_it(tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for i in range(24):
        Image.fromarray(np.roll(data.camera(), 9 * i, 1)).save(source / f"{i}.png")
    command = [
        sys.executable, "-m", "jobs.colorize_archive", str(source), "--out", str(out),
        "--device", "cuda", "--workers-per-gpu", "2", "--no-report",
    ]  # fmt: skip
    contexts: set[int] = set()
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as job:
        while job.poll() is None:
            contexts |= processes_on_the_gpu()
    assert job.returncode == 0
    assert job.pid not in contexts
    summary = json.loads((out / ".colorize" / "summary.json").read_text())
    assert summary["totals"]["done"] == 24
    expected = "bf16" if has_bf16(CUDA) else "fp32"
    assert json.loads((out / ".colorize" / "precision.json").read_text())["precision"] == expected


def processes_on_the_gpu() -> set[int]:
    """As the driver lists them; in a container it may list none."""
    command = ["nvidia-smi", "--query-compute-apps=pid", "--format=csv,noheader"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    return {int(line) for line in said.split() if line.isdigit()}


@pytest.mark.parametrize("codec", ["h264_nvenc", "hevc_nvenc"])
def test_film_by_the_gpu_s_encoder_where_it_has_one(codec, tmp_path, tiny_weights):
    from jobs import colorize_archive

    make_film(tmp_path / "film.mp4", frames=48, size=(320, 240))
    arguments = ["--out", str(tmp_path / "out"), "--runner", "serial", "--no-report"]
    arguments += ["--device", "cuda", "--codec", codec, "--set", f"model.weights={tiny_weights}"]
    code = colorize_archive.main([*arguments, "--", str(tmp_path / "film.mp4")])
    assert code == (0 if ffmpeg_can(codec) else 1)
    if code == 0:
        assert len(decode(tmp_path / "out" / "film.mp4")) == 48
