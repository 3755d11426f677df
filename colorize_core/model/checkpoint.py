"""Generators on disk: fp16 safetensors that carry their own configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from msgspec.structs import replace
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from colorize_core.atomic import publish_bytes
from colorize_core.config import GeneratorConfig, as_tree, from_tree
from colorize_core.errors import ConfigError, ModelError
from colorize_core.model.files import sha256_of
from colorize_core.model.generator import build_generator

FORMAT = "colorize-generator/1"
_KEY = "generator"


@dataclass(frozen=True)
class LoadedGenerator:
    """A generator ready to predict, and the identity of the file it came from."""

    module: nn.Module  # float32, eval, no gradients
    config: GeneratorConfig
    sha256: str
    extra: dict[str, str]

    @property
    def takes_hints(self) -> bool:
        """Whether it sees color hints."""
        return self.config.architecture == "flagship"


def save_generator(
    path: Path, module: nn.Module, config: GeneratorConfig, *, extra: Mapping[str, str]
) -> str:
    """Publish the weights as fp16 safetensors with `config` and `extra` in the metadata.

    Returns:
        The file's sha256. The same weights give the same bytes.

    Raises:
        ModelError: a weight is not finite in fp16.
    """
    tensors = {}
    for name, tensor in module.state_dict().items():
        half = tensor.detach().to("cpu", torch.float16).contiguous()
        if not bool(torch.isfinite(half).all()):
            raise ModelError(f"{name}: weights are not finite in fp16", remedy="the training broke")
        tensors[name] = half
    # One key: safetensors writes several in random order, and the bytes would differ.
    metadata = {
        _KEY: json.dumps(
            {"format": FORMAT, "config": as_tree(config), "extra": dict(extra)},
            sort_keys=True,
        )
    }
    data = save(tensors, metadata=metadata)
    publish_bytes(path, data)
    return hashlib.sha256(data).hexdigest()


def load_generator(path: Path) -> LoadedGenerator:
    """Read a generator that `save_generator` wrote. Strict: every tensor must be there and fit.

    Raises:
        ModelError: the file is missing, damaged, of another kind, or does not fit its own
            configuration.
    """
    try:
        sha256 = sha256_of(path)
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise ModelError(
            f"{path}: weights cannot be read: {error.strerror or error}", remedy="check the path"
        ) from error
    except SafetensorError as error:
        raise ModelError(f"{path}: damaged, or not safetensors: {error}") from error
    try:
        tree = json.loads(metadata.get(_KEY, "{}"))
        if tree.get("format") != FORMAT:
            raise ModelError(f"{path}: not a generator of this project")
        config = from_tree(GeneratorConfig, tree["config"], where=str(path))
        extra = dict(tree["extra"])
    except (KeyError, ValueError, ConfigError) as error:
        raise ModelError(f"{path}: its configuration cannot be read: {error}") from error
    module = build_generator(config)
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise ModelError(
            f"{path}: the weights do not fit the architecture they name: {error}"
        ) from error
    module.eval().requires_grad_(False)
    return LoadedGenerator(module=module, config=config, sha256=sha256, extra=extra)


def average_generators(
    paths: Sequence[Path], output: Path, *, chroma: float = 1.0, contrast: float | None = None
) -> str:
    """Publish the mean of weights that were trained from one another (Wortsman et al. 2022).

    Between a generator and what a further stage made of it, the mean generalizes better than
    either; of generators that have no training in common it is noise.

    Args:
        paths: of one architecture; one named twice counts twice.
        output: a .safetensors.
        chroma: multiplies the last layer, which is nearly linear where colors are.
        contrast: the mean's `GeneratorConfig.chroma_contrast`; None keeps the sources'.

    Returns:
        The sha256 of `output`.

    Raises:
        ModelError: a file cannot be read, or the architectures differ.
    """
    loaded = [load_generator(path) for path in paths]
    for path, generator in zip(paths, loaded, strict=True):
        if generator.config != loaded[0].config:
            raise ModelError(
                f"{path}: another architecture than {paths[0]}",
                remedy="average stages of one training",
            )
    states = [generator.module.state_dict() for generator in loaded]
    mean = {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}
    for name in ("head.weight", "head.bias"):
        mean[name] = mean[name] * chroma
    loaded[0].module.load_state_dict(mean)
    config = loaded[0].config
    if contrast is not None:
        config = replace(config, chroma_contrast=contrast)
    origin = "+".join(generator.sha256[:12] for generator in loaded)
    extra = {"average": origin, "chroma": str(chroma)}
    return save_generator(output, loaded[0].module, config, extra=extra)
