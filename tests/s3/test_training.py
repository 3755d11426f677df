"""Training from a bucket into a bucket."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image
from skimage import data

from colorize_core.archive.storage.address import Address
from colorize_core.archive.storage.mirror import Mirror
from colorize_core.cli.train import main
from colorize_core.errors import UnsafePathError

pytestmark = pytest.mark.s3

SETTINGS = ("stages.0.samples=24", "stages.1.samples=8", "saving.every_steps=1", "saving.keep=2")


def png(start: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(data.astronaut()[start : start + 80, 100:200]).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def train(bucket, capsys):
    def run(source: str, out: str, *options: str) -> str:
        fixed = [part for setting in SETTINGS for part in ("--set", setting)]
        fixed += ["--config", "tiny", "--runner", "local", "--device", "cpu", "--threads", "1"]
        capsys.readouterr()
        assert main([source, "--out", out, *fixed, *options]) == 0
        return capsys.readouterr().out.strip()

    return run


def test_data_and_checkpoints_in_a_bucket(train, client, bucket, objects_of, tmp_path, monkeypatch):
    photos = {f"photos/{group}/{n}.png": png(9 * n) for n in range(12) for group in ("a", "b")}
    local = tmp_path / "local"
    for name, content in photos.items():
        client.put_object(Bucket=bucket, Key=name, Body=content)
        (local / name).parent.mkdir(parents=True, exist_ok=True)
        (local / name).write_bytes(content)
    boxed = io.BytesIO()
    with zipfile.ZipFile(boxed, "w") as file:
        file.writestr("inside.png", png(200))
    client.put_object(Bucket=bucket, Key="photos/c/box.zip", Body=boxed.getvalue())
    (local / "photos" / "c").mkdir()
    (local / "photos" / "c" / "box.zip").write_bytes(boxed.getvalue())

    truth = Path(train(str(local / "photos"), str(tmp_path / "runs")))
    exported = train(f"s3://{bucket}/photos", f"s3://{bucket}/runs")
    name = f"{truth.parents[1].name}/exports/generator.safetensors"
    assert exported == f"s3://{bucket}/runs/{name}"
    found = objects_of()
    assert found[f"runs/{name}"] == truth.read_bytes()
    steps = sorted(n for n in found if "/checkpoints/" in n)
    here = sorted(p.name for p in (truth.parents[1] / "checkpoints").iterdir())
    assert [n.rpartition("/")[2] for n in steps] == here
    for wanted in ("metrics.csv", "curves.png", "config.json"):
        assert f"runs/{truth.parents[1].name}/{wanted}" in found

    # Another machine goes on from the checkpoint before the last.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    for later in (steps[-1], f"runs/{name}"):
        client.delete_object(Bucket=bucket, Key=later)
    shutil.rmtree(tmp_path / "cache")
    train(f"s3://{bucket}/photos", f"s3://{bucket}/runs", "--work", str(tmp_path / "another"))
    again = objects_of()
    assert again[f"runs/{name}"] == truth.read_bytes()
    state = torch.load(io.BytesIO(again[steps[-1]]), weights_only=True)
    assert state["step"] == int(steps[-1].rpartition("-")[2].removesuffix(".pt"))
    assert again[steps[-2]] == found[steps[-2]]


def test_a_name_that_leads_out_is_refused(client, bucket, s3_environment, tmp_path):
    client.put_object(Bucket=bucket, Key="runs/../../out.txt", Body=b"x")
    with pytest.raises(UnsafePathError):
        Mirror(Address("s3", f"{bucket}/runs"), tmp_path / "a" / "b").fetch()
    assert not list(tmp_path.rglob("out.txt"))
