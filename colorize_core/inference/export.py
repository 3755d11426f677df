"""The generator for other programs: an ONNX file that takes L and gives ab in Lab units."""

from __future__ import annotations

import copy
import importlib
import warnings
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from colorize_core.atomic import publish
from colorize_core.color.lab import L_to_net, net_to_ab
from colorize_core.errors import ModelError
from colorize_core.model.checkpoint import LoadedGenerator, load_generator
from colorize_core.model.encoder import Pointwise

INPUT, OUTPUT = "L", "ab"
TOLERANCE: Final = 0.05  # of ab; a difference that the eye can see is above 1
_OPSET: Final = 18
_TRIED: Final = ((1, 64, 64), (2, 96, 160))  # batch, height, width


def export_onnx(weights: Path, output: Path) -> float:
    """Write a generator as ONNX and compare its results with torch's.

    The graph's input is L float32 [batch,1,height,width], 0..100; its output ab float32
    [batch,2,height,width]. Batch, height and width are free; height and width are multiples of 32.
    Color hints are left out. The file appears only when it agrees with torch.

    Args:
        weights: a .safetensors of this project.
        output: ends in .onnx.

    Returns:
        The largest difference of ab between ONNX Runtime and torch.

    Raises:
        ModelError: the weights cannot be read, the packages of the extra "onnx" are not there, or
            the results differ by more than TOLERANCE.
    """
    onnx, runtime = _package("onnx"), _package("onnxruntime")
    generator = load_generator(weights)
    module = _InLab(_with_plain_convolutions(generator.module)).eval()
    with publish(output) as temporary:
        _trace(module, temporary)
        _describe(onnx, temporary, generator)
        difference = _compare(runtime, temporary, module)
        if not difference <= TOLERANCE:
            raise ModelError(
                f"{weights}: ONNX Runtime's ab is off by {difference:.3g}",
                remedy="use the versions of requirements.lock",
            )
    return difference


class _InLab(nn.Module):
    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, L: Tensor) -> Tensor:
        return net_to_ab(self.generator(L_to_net(L)))


def _with_plain_convolutions(module: nn.Module) -> nn.Module:
    """Copy a generator with 1x1 convolutions in the place of matrix products.

    ONNX Runtime fuses those with what follows: a third faster, where for torch it is the reverse.
    """
    copied = copy.deepcopy(module)
    for parent in list(copied.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Pointwise):
                plain = nn.Conv2d(
                    child.in_channels, child.out_channels, 1, bias=child.bias is not None
                )
                plain.load_state_dict(child.state_dict())
                setattr(parent, name, plain)
    return copied


def _trace(module: nn.Module, path: Path) -> None:
    free = {0: "batch", 2: "height", 3: "width"}
    with warnings.catch_warnings():
        # The tracer warns of the split into query, key and value, which has three parts for ever;
        # and it is the older exporter, the newer of which needs one package more.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.full((1, 1, 64, 64), 50.0),),
            str(path),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: free, OUTPUT: free},
            opset_version=_OPSET,
            dynamo=False,
        )


def _describe(onnx: Any, path: Path, generator: LoadedGenerator) -> None:
    model = onnx.load(str(path))
    onnx.checker.check_model(model)
    model.doc_string = "L 0..100 [batch,1,height,width] to ab; sides are multiples of 32"
    model.producer_name = "colorize-archive"
    onnx.helper.set_model_props(model, {"weights_sha256": generator.sha256})
    onnx.save(model, str(path))


def _compare(runtime: Any, path: Path, module: nn.Module) -> float:
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    stream = torch.Generator().manual_seed(0)
    differences = []
    for batch, height, width in _TRIED:
        L = torch.rand(batch, 1, height, width, generator=stream) * 100
        with torch.inference_mode():
            expected = module(L)
        (found,) = session.run([OUTPUT], {INPUT: L.numpy()})
        differences.append(float((torch.from_numpy(found) - expected).abs().max()))
    return max(differences)


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModelError(
            f"ONNX files need the package {name}",
            remedy="pip install 'colorize-archive[onnx]', or its packages as in requirements.lock",
        ) from error
