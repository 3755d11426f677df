"""Set distances and networks: against numpy, torchmetrics and cases worked out by hand."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchmetrics.functional.image.lpips as their_lpips
from torch import nn

from colorize_core.errors import ModelError
from colorize_core.metrics import distribution as d
from colorize_core.metrics.features import Inception, SqueezeNet
from colorize_core.metrics.networks import fetch_network, load_script, load_tensors
from colorize_core.metrics.perceptual import Lpips, backbone


@pytest.fixture
def features() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(12, 12, generator=generator)
    truth = torch.randn(300, 12, generator=generator) @ mix
    return torch.randn(200, 12, generator=generator) @ mix * 0.8 + 0.5, truth


def numpy_frechet(a: np.ndarray, b: np.ndarray) -> float:
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root = np.sqrt(np.maximum(np.linalg.eigvals(cov_a @ cov_b).real, 0)).sum()
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * root


def test_fid(features):
    output, truth = features
    expected = numpy_frechet(output.double().numpy(), truth.double().numpy())
    assert d.fid(output, truth) == pytest.approx(expected, rel=1e-5)
    assert d.fid(truth, truth) == pytest.approx(0, abs=1e-3)


def test_fid_of_one_shifted_feature_by_hand():
    """Variances 1 and 4, means 0 and 3: 9 + 1 + 4 - 2 * 2 = 10."""
    base = torch.tensor([-1.0, 1.0]).repeat(2000)[:, None]
    base = base / base.std()
    assert d.fid(base * 2 + 3, base) == pytest.approx(10.0, abs=1e-3)
    assert d.leading_frechet(base * 2 + 3, base) == pytest.approx(10.0, abs=1e-3)


def test_leading_frechet(features):
    output, truth = (x.double().numpy() for x in features)
    _, _, axes = np.linalg.svd(truth - truth.mean(0), full_matrices=False)
    axes = axes[:5].T
    expected = numpy_frechet((output - truth.mean(0)) @ axes, (truth - truth.mean(0)) @ axes)
    assert d.leading_frechet(*features, directions=5) == pytest.approx(expected, rel=1e-6)
    assert d.leading_frechet(*features) == pytest.approx(numpy_frechet(output, truth), rel=1e-6)


def test_kid(features):
    """The whole set is one subset, so that the unbiased estimator can be written out."""
    truth = features[1][:200]
    output = features[0]
    x, y = output.double().numpy(), truth.double().numpy()

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / 12 + 1) ** 3

    own = sum((kernel(z, z).sum() - np.trace(kernel(z, z))) / (200 * 199) for z in (x, y))
    mean, deviation = d.kid(output, truth, seed=0)
    assert mean == pytest.approx(own - 2 * kernel(x, y).mean(), rel=1e-4)
    assert deviation == pytest.approx(0, abs=1e-4)


def test_kid_and_score_are_seeded_and_leave_the_global_seed_alone(features):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    probabilities = torch.softmax(features[0], 1)
    assert d.kid(*features, seed=1) == d.kid(*features, seed=1)
    assert d.inception_score(probabilities, seed=1) == d.inception_score(probabilities, seed=1)
    assert torch.equal(torch.rand(1), expected)


def test_inception_score_by_hand():
    """Four sure classes in equal shares score 4; the same guess for all scores 1."""
    sure = torch.eye(4).repeat(2500, 1)
    assert d.inception_score(sure, seed=0)[0] == pytest.approx(4.0, abs=0.02)
    assert d.inception_score(torch.full((100, 4), 0.25), seed=0)[0] == pytest.approx(1.0)


class HandScript(nn.Module):
    """As the Inception script: 0..255 in, features or probabilities out."""

    def forward(
        self, img: torch.Tensor, return_features: bool = False, no_output_bias: bool = False
    ) -> torch.Tensor:
        mean = img.float().mean((2, 3))
        if return_features:
            return mean[:, :1].expand(-1, 2048)
        return torch.softmax(mean / 255.0, 1)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "inception.pt"
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        torch.jit.script(HandScript()).save(str(path))
    return path


def test_inception_gets_pictures_in_0_to_255(script):
    network = Inception(script)
    rgb = torch.tensor([0.2, 1.0, 0.0]).view(1, 3, 1, 1).expand(2, 3, 8, 8)
    assert network.features(rgb).shape == (2, 2048)
    torch.testing.assert_close(network.features(rgb), torch.full((2, 2048), 51.0))
    expected = torch.softmax(torch.tensor([0.2, 1.0, 0.0]), 0).expand(2, 3)
    torch.testing.assert_close(network.probabilities(rgb), expected)


def test_another_script_is_refused(tmp_path):
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        torch.jit.script(nn.ReLU()).save(str(tmp_path / "relu.pt"))
    with pytest.raises(ModelError, match="not the Inception script"):
        Inception(tmp_path / "relu.pt").features(torch.zeros(1, 3, 8, 8))


def squeezenet_file(tmp_path: Path, *, seed: int = 0) -> tuple[Path, dict[str, torch.Tensor]]:
    """Random SqueezeNet 1.1, written as half floats under Caffe's names."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"conv1": (64, 3, 3), "conv10": (1000, 512, 1)}
    channels = 64
    for i, (squeezed, out) in enumerate(
        [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)], 2
    ):
        shapes[f"fire{i}/squeeze1x1"] = (squeezed, channels, 1)
        shapes[f"fire{i}/expand1x1"] = (out, squeezed, 1)
        shapes[f"fire{i}/expand3x3"] = (out, squeezed, 3)
        channels = 2 * out
    tensors = {}
    for name, (out, into, side) in shapes.items():
        scale = (2 / (into * side * side)) ** 0.5
        weight = torch.randn(out, into, side, side, generator=generator) * scale
        tensors[f"{name}.weight"] = weight.half()
        tensors[f"{name}.bias"] = torch.randn(out, generator=generator).half()
    path = tmp_path / "squeezenet.pt"
    torch.save(tensors, path)
    return path, {name: value.float() for name, value in tensors.items()}


def test_squeezenet_is_the_published_architecture(tmp_path):
    """Against the layers written out once more, on BGR * 255 minus the mean, at 227."""
    path, w = squeezenet_file(tmp_path)
    rgb = torch.rand(2, 3, 227, 227, generator=torch.Generator().manual_seed(1))

    def conv(x: torch.Tensor, name: str, stride: int = 1, pad: int = 0) -> torch.Tensor:
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], stride, pad).relu()

    def fire(x: torch.Tensor, i: int) -> torch.Tensor:
        s = conv(x, f"fire{i}/squeeze1x1")
        both = conv(s, f"fire{i}/expand1x1"), conv(s, f"fire{i}/expand3x3", pad=1)
        return torch.cat(both, 1)

    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    bgr = torch.stack([rgb[:, 2] * 255 - 104, rgb[:, 1] * 255 - 117, rgb[:, 0] * 255 - 123], 1)
    x = pool(conv(bgr, "conv1", 2))
    assert x.shape[-1] == 56
    x = pool(fire(fire(x, 2), 3))
    x = pool(fire(fire(x, 4), 5))
    x = fire(fire(fire(fire(x, 6), 7), 8), 9)
    assert x.shape[1:] == (512, 14, 14)
    got = SqueezeNet(path).features(rgb)
    torch.testing.assert_close(got, x.mean((2, 3)), rtol=1e-4, atol=1e-4)


def test_squeezenet_resizes_with_antialiasing(tmp_path):
    path, _ = squeezenet_file(tmp_path)
    network = SqueezeNet(path)
    big = torch.rand(1, 3, 454, 500, generator=torch.Generator().manual_seed(2))
    small = F.interpolate(big, (227, 227), mode="bilinear", antialias=True)
    torch.testing.assert_close(network.features(big), network.features(small), rtol=1e-3, atol=1e-3)


def test_a_network_with_a_missing_or_other_tensor_is_refused(tmp_path):
    path, tensors = squeezenet_file(tmp_path)
    torch.save({k: v for k, v in tensors.items() if k != "fire5/expand3x3.bias"}, path)
    with pytest.raises(ModelError, match=r"fire5/expand3x3\.bias is None"):
        SqueezeNet(path)
    torch.save({**tensors, "conv11.weight": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match=r"conv11\.weight"):
        SqueezeNet(path)


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_lpips_agrees_with_torchmetrics(net, tmp_path, monkeypatch):
    """torchmetrics' own LPIPS, given the same random backbone in place of torchvision's."""
    torch.manual_seed(0)
    layers = backbone(net)
    path = tmp_path / "backbone.pth"
    state = {f"features.{name}": value for name, value in layers.state_dict().items()}
    torch.save({**state, "classifier.6.bias": torch.zeros(1000)}, path)
    monkeypatch.setattr(their_lpips, "_get_tv_model_features", lambda *a, **k: layers)
    theirs = their_lpips._LPIPS(net=net)
    output, truth = torch.rand(2, 3, 3, 64, 64)
    with torch.inference_mode():
        expected = theirs(output, truth, normalize=True).flatten()
    torch.testing.assert_close(Lpips(net, path)(output, truth), expected, rtol=1e-4, atol=1e-6)
    assert Lpips(net, path)(truth, truth).abs().max() == 0


def numpy_lpips(state: dict[str, torch.Tensor], a: torch.Tensor, b: torch.Tensor) -> list[float]:
    """LPIPS (AlexNet, version 0.1) from its paper's formula, with nothing of our network's code."""
    steps = ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1))  # layer, stride, padding
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    a, b = (((x.movedim(1, -1) * 2 - 1 - shift) / scale).movedim(-1, 1).double() for x in (a, b))
    total = np.zeros(len(a))
    for i, (layer, stride, padding) in enumerate(steps):
        maps = []
        for x in (a, b):
            x = F.max_pool2d(x, 3, 2) if i in (1, 2) else x
            weight, bias = (state[f"features.{layer}.{p}"].double() for p in ("weight", "bias"))
            maps.append(F.conv2d(x, weight, bias, stride, padding).clamp_min(0))
        a, b = maps
        m, n = (x.numpy() / np.sqrt((x.numpy() ** 2).sum(1, keepdims=True) + 1e-8) for x in maps)
        weighted = np.einsum("bchw,c->bhw", (m - n) ** 2, state[f"lin{i}"].double().numpy())
        total += weighted.mean((1, 2))
    return total.tolist()


def test_lpips_with_the_heads_of_the_file(tmp_path):
    torch.manual_seed(0)
    layers = backbone("alex")
    state = {f"features.{name}": value for name, value in layers.state_dict().items()}
    state |= {f"lin{i}": torch.rand(c) for i, c in enumerate((64, 192, 384, 256, 256))}
    path = tmp_path / "lpips.pt"
    torch.save(state, path)
    output, truth = torch.rand(2, 3, 3, 64, 64)
    found = Lpips("alex", path)(output, truth).tolist()
    assert found == pytest.approx(numpy_lpips(state, output, truth), rel=1e-4)
    del state["lin4"]
    torch.save(state, path)
    with pytest.raises(ModelError, match="lin4"):
        Lpips("alex", path)


def test_lpips_backbones_have_torchvisions_layers():
    names = {net: list(backbone(net).state_dict()) for net in ("alex", "vgg")}
    assert names["alex"][::2] == [f"{i}.weight" for i in (0, 3, 6, 8, 10)]
    assert names["vgg"][::2] == [
        f"{i}.weight" for i in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    ]


def test_a_network_file_is_checked_and_cached(tmp_path):
    path = tmp_path / "net.pt"
    torch.save({"a": torch.ones(2)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert fetch_network(str(path)) == (path, digest)
    assert fetch_network(str(path), digest.upper()) == (path, digest)
    with pytest.raises(ModelError, match="sha256 is"):
        fetch_network(str(path), "0" * 64)
    cache = tmp_path / "cache"
    fetched, found = fetch_network(path.as_uri(), digest, cache=cache)
    assert found == digest
    assert load_tensors(fetched)["a"].tolist() == [1, 1]
    path.unlink()
    assert fetch_network(path.as_uri(), digest, cache=cache)[0] == fetched


def test_clear_errors_when_a_network_is_absent(tmp_path):
    with pytest.raises(ModelError, match="no such network file"):
        fetch_network(str(tmp_path / "none.pt"))
    with pytest.raises(ModelError, match="needs its sha256"):
        fetch_network("https://127.0.0.1:9/net.pt")
    gone = (tmp_path / "gone.pt").as_uri()
    with pytest.raises(ModelError, match="cannot be fetched"):
        fetch_network(gone, "0" * 64, cache=tmp_path)
    (tmp_path / "other.pt").write_bytes(b"else")
    with pytest.raises(ModelError, match="sha256 is"):
        fetch_network((tmp_path / "other.pt").as_uri(), "0" * 64, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (exec, ("raise SystemExit('code ran')",))


def test_files_with_code_or_junk_are_refused(tmp_path):
    path = tmp_path / "net.pt"
    torch.save({"a": Evil()}, path)
    with pytest.raises(ModelError, match="not a file of weights"):
        load_tensors(path)
    torch.save([torch.ones(1)], path)
    with pytest.raises(ModelError, match="not a state dict"):
        load_tensors(path)
    path.write_bytes(b"junk")
    with pytest.raises(ModelError, match="not a file of weights"):
        load_tensors(path)
    with pytest.raises(ModelError, match="not a TorchScript module"):
        load_script(path)
