from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colorize_core.config import GeneratorConfig, GroupWeight, TrainConfig, load_config
from colorize_core.errors import EXIT_DONE, ConfigError, ModelError, UsageError
from colorize_core.model.checkpoint import load_generator, save_generator
from colorize_core.model.encoder import MobileNetV2, load_imagenet
from colorize_core.model.generator import build_generator
from colorize_core.training.checkpoint import list_states, load_newest, save_state
from colorize_core.training.monitor import alive_share
from colorize_core.training.run import LocalContext, export_newest, fit, prepare
from colorize_core.training.spec import RunSpec, config_hash
from jobs.train import main
from tests.copying import replace
from tests.mobilenet_helpers import averaged, random_lite2_state
from tests.processes import Started

ROOT = Path(__file__).parents[2]
TINY = ROOT / "configs" / "train" / "tiny.yaml"


@pytest.fixture
def spec(tiny, photos, tmp_path) -> RunSpec:
    return RunSpec(
        config=tiny,
        name="tiny",
        source=str(photos),
        out=tmp_path / "runs",
        cache=tmp_path / "cache",
    )


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return load_generator(path).module.state_dict()


def arguments(spec: RunSpec) -> list[str]:
    return [
        spec.source, "--config", str(TINY), "--out", str(spec.out), "--cache", str(spec.cache),
        "--runner", "local", "--device", "cpu", "--threads", "1",
    ]  # fmt: skip


def test_killed_runs_go_on_and_end_as_if_nothing_had_happened(spec, tmp_path, capsys, caplog):
    command = [sys.executable, "-m", "jobs.train", *arguments(spec)]
    checkpoints = spec.folder / "checkpoints"
    deadline = time.monotonic() + 200
    with Started(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as job:
        while not list_states(checkpoints):
            assert job.poll() is None, job.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(job.pid, signal.SIGKILL)
    assert job.returncode == -signal.SIGKILL
    killed_at = int(list_states(checkpoints)[-1].stem.split("-")[1])
    assert not spec.exported.exists()
    as_an_older_version_left_it(spec.folder / "metrics.csv")

    with caplog.at_level("INFO"):
        assert main(arguments(spec)) == EXIT_DONE
    assert f"step {killed_at} of 44" in caplog.text
    assert capsys.readouterr().out.strip() == str(spec.exported)

    whole = replace(spec, out=tmp_path / "whole", threads=1)
    fit(whole, LocalContext("cpu"))
    expected = weights_of(whole.exported)
    for name, tensor in weights_of(spec.exported).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-3, atol=1e-4)
    check_what_a_run_leaves(spec)


def as_an_older_version_left_it(log: Path) -> None:
    rows = [line.split(",") for line in log.read_text().splitlines()]
    gone = rows[0].index("distribution")
    log.write_text("".join(",".join(r[:gone] + r[gone + 1 :]) + "\n" for r in rows))


def check_what_a_run_leaves(spec: RunSpec) -> None:
    with (spec.folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    steps = [int(row["step"]) for row in rows]
    assert steps == sorted(set(steps))
    assert {row["stage"] for row in rows} == {"colors", "critic"}
    last = rows[-1]
    assert all(float(last[name]) >= 0 for name in ("val_l1", "waiting", "photos_per_s", "penalty"))
    assert 0 <= float(last["val_real_above_fake"]) <= 1
    assert all(np.isfinite(float(v)) for k, v in last.items() if v and k != "stage")
    states = list_states(spec.folder / "checkpoints")
    assert len(states) == spec.config.saving.keep
    pages = sorted((spec.folder / "pages").glob("*.png"))
    assert len(pages) >= 3
    with Image.open(pages[-1]) as page:
        assert page.size == (5 * 3 * 64, 64)
    with Image.open(spec.folder / "curves.png") as curves:
        assert curves.width > 500
    assert list((spec.folder / "tensorboard").glob("events*"))
    names = {p.name for p in (spec.folder / "exports").iterdir()}
    assert {"generator.pt", "generator.safetensors", "generator-epoch-0002.pt"} <= names
    state = torch.load(spec.folder / "exports" / "generator.pt", weights_only=True)
    for name, tensor in weights_of(spec.exported).items():
        torch.testing.assert_close(tensor, state[name], rtol=1e-3, atol=1e-6)


def test_a_finished_run_is_not_trained_again(spec):
    short = replace(spec, config=only_first_stage(spec.config, samples=16))
    fit(short, LocalContext("cpu"))
    before = weights_of(short.exported)
    short.exported.unlink()
    fit(short, LocalContext("cpu"))
    after = weights_of(short.exported)
    assert all(torch.equal(before[name], after[name]) for name in before)


def only_first_stage(config: TrainConfig, *, samples: int) -> TrainConfig:
    return replace(config, stages=(replace(config.stages[0], samples=samples),))


def test_another_configuration_never_continues_a_run(spec, tiny):
    short = replace(spec, config=only_first_stage(tiny, samples=16))
    fit(short, LocalContext("cpu"))
    other = replace(short, config=replace(short.config, seed=1))
    assert other.folder != short.folder
    before = sorted(p.stat().st_mtime_ns for p in short.folder.rglob("*") if p.is_file())
    fit(other, LocalContext("cpu"))
    assert before == sorted(p.stat().st_mtime_ns for p in short.folder.rglob("*") if p.is_file())
    assert load_newest(other.folder / "checkpoints", device=torch.device("cpu"))["step"] == 2
    assert not all(
        torch.equal(a, b)
        for a, b in zip(
            weights_of(short.exported).values(), weights_of(other.exported).values(), strict=True
        )
    )


def test_what_the_hash_sees(tiny):
    assert config_hash(tiny) == config_hash(load_config(TrainConfig, TINY))
    assert config_hash(replace(tiny, saving=replace(tiny.saving, keep=9))) == config_hash(tiny)
    for changed in (
        replace(tiny, seed=3),
        replace(tiny, stages=tiny.stages[:1]),
        replace(tiny, data=replace(tiny.data, min_colorfulness=1.0)),
    ):
        assert config_hash(changed) != config_hash(tiny)


def test_a_run_can_start_from_another_ones_generator(spec, tiny):
    short = replace(spec, config=only_first_stage(tiny, samples=16))
    fit(short, LocalContext("cpu"))
    later = replace(tiny, init_weights=str(short.exported), skip_stages=1)
    frozen = replace(later, stages=(later.stages[0], replace(later.stages[1], lr=1e-12, samples=8)))
    second = replace(spec, config=frozen)
    fit(second, LocalContext("cpu"))
    expected = weights_of(short.exported)
    for name, tensor in weights_of(second.exported).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-3, atol=1e-4)
    unlike = replace(later, generator=replace(later.generator, base_channels=16))
    with pytest.raises(ConfigError, match="init_weights"):
        fit(replace(spec, config=unlike), LocalContext("cpu"))


def test_the_cache_may_lie_on_the_device(spec, tiny):
    short = replace(spec, config=only_first_stage(tiny, samples=16))
    fit(short, LocalContext("cpu"))
    data = replace(short.config.data, on_device=True)
    placed = replace(short, config=replace(short.config, data=data))
    fit(placed, LocalContext("cpu"))
    expected = weights_of(short.exported)
    for name, tensor in weights_of(placed.exported).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-3, atol=1e-4)


def test_validation_photos_may_be_named(spec, tiny, photos):
    short = replace(spec, config=only_first_stage(tiny, samples=16), val=photos / "one")
    fit(short, LocalContext("cpu"))
    assert list((short.folder / "pages").glob("*.png"))
    with pytest.raises(UsageError, match="--val"):
        fit(replace(short, val=photos / "missing"), LocalContext("cpu"))


def test_a_dead_encoder_is_told_of(spec, tiny, mobilenet, tmp_path, caplog):
    assert alive_share(torch.tensor([[0.0, 1.0], [0.0, 2.0]])) == 0.5
    config = replace(
        only_first_stage(tiny, samples=16), encoder_weights=str(mobilenet),
        generator=GeneratorConfig(architecture="flagship"),
    )  # fmt: skip
    told = "deepest features say the same"
    alive = replace(spec, config=config)
    fit(alive, LocalContext("cpu"))
    assert told not in caplog.text

    generator = load_generator(alive.exported)
    with torch.no_grad():
        generator.module.encoder.semantic.bias.fill_(-1e3)
    init = tmp_path / "init.safetensors"
    save_generator(init, generator.module, generator.config, extra={})
    fit(replace(spec, config=replace(config, init_weights=str(init))), LocalContext("cpu"))
    assert f"100 % of the encoder's {told}" in caplog.text


def test_strides_are_softened_before_the_first_step_and_not_when_resuming(spec, tiny, mobilenet):
    config = replace(
        only_first_stage(tiny, samples=16), encoder_weights=str(mobilenet), frozen_blocks=17,
        generator=GeneratorConfig(architecture="flagship"), soften_strides=(1,),
    )  # fmt: skip
    config = replace(config, saving=replace(config.saving, every_steps=1))
    name = "encoder.blocks.1.depthwise.weight"
    start = MobileNetV2()
    load_imagenet(start, mobilenet)
    wanted = averaged(start.blocks[1].depthwise.weight)
    softened = replace(spec, config=config)
    fit(softened, LocalContext("cpu"))
    torch.testing.assert_close(weights_of(softened.exported)[name], wanted, rtol=1e-3, atol=1e-3)
    softened.exported.unlink()
    list_states(softened.folder / "checkpoints")[-1].unlink()
    fit(softened, LocalContext("cpu"))
    torch.testing.assert_close(weights_of(softened.exported)[name], wanted, rtol=1e-3, atol=1e-3)
    again = replace(config, init_weights=str(softened.exported))
    with pytest.raises(ModelError, match="soften_strides"):
        prepare(replace(spec, config=again), workers=1)


def test_a_decoder_moves_to_another_encoder_before_the_first_step(spec, tiny, tmp_path):
    small = GeneratorConfig(decoder_channels=(32, 24, 16, 16, 8), hint_channels=(8, 8, 8, 8))
    torch.manual_seed(0)
    first = tmp_path / "first.safetensors"
    save_generator(first, build_generator(small), small, extra={})
    lite2 = tmp_path / "lite2.pt"
    torch.save(random_lite2_state(torch.Generator().manual_seed(0)), lite2)
    config = replace(
        only_first_stage(tiny, samples=4), encoder_weights=str(lite2), init_weights=str(first),
        generator=replace(small, encoder="efficientnet_lite2"),
    )  # fmt: skip
    still = replace(config.stages[0], lr=0.0, encoder_lr=0.0)
    moved = replace(spec, config=replace(config, stages=(still,)))
    fit(moved, LocalContext("cpu"))
    found, start = weights_of(moved.exported), weights_of(first)
    assert torch.equal(found["head.weight"], start["head.weight"])
    assert found["enter.weight"].shape[1] == 352
    without = replace(config, encoder_weights="")
    with pytest.raises(ConfigError, match="init_weights"):
        prepare(replace(spec, config=without), workers=1)


def test_the_newest_checkpoint_can_be_exported(spec, tiny):
    short = replace(spec, config=only_first_stage(tiny, samples=16))
    with pytest.raises(UsageError, match="no checkpoint"):
        export_newest(short)
    fit(short, LocalContext("cpu"))
    before = weights_of(short.exported)
    short.exported.unlink()
    after = weights_of(export_newest(short))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_mistakes_of_a_recipe_are_named(spec, tiny):
    group = replace(tiny.stages[0], groups=(GroupWeight("cars"),))
    with pytest.raises(ConfigError, match="cars"):
        fit(replace(spec, config=replace(tiny, stages=(group,))), LocalContext("cpu"))


def test_only_a_flagship_has_strides_to_soften(tiny):
    flagship = GeneratorConfig(architecture="flagship")
    replace(tiny, generator=flagship, soften_strides=(0, 4))
    for generator, strides in ((flagship, (5,)), (GeneratorConfig(architecture="paper"), (0,))):
        with pytest.raises(ConfigError, match="soften_strides"):
            replace(tiny, generator=generator, soften_strides=strides)


def test_only_the_newest_checkpoints_are_kept(tmp_path):
    for step in (5, 20, 100):
        save_state(tmp_path, {"step": step}, keep=2)
    assert [p.name for p in list_states(tmp_path)] == ["step-000000020.pt", "step-000000100.pt"]
    assert load_newest(tmp_path, device=torch.device("cpu")) == {"step": 100}


def test_a_damaged_checkpoint_is_named(tmp_path):
    (tmp_path / "step-000000005.pt").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="step-000000005"):
        load_newest(tmp_path, device=torch.device("cpu"))
