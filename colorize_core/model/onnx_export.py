"""The generator for other programs: an ONNX file that takes L and gives ab in Lab units."""

from __future__ import annotations

import copy
import importlib
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from colorize_core.atomic import publish
from colorize_core.errors import ModelError, UsageError
from colorize_core.model.checkpoint import LoadedGenerator, load_generator
from colorize_core.model.encoder import Pointwise
from colorize_core.model.scale import L_to_net, net_to_ab

INPUT, OUTPUT = "L", "ab"
TOLERANCE: Final = 0.05  # of ab; a difference that the eye can see is above 1
INT8_TOLERANCE: Final = 5.0  # of ab, root mean square; measured: 1 to 2 (docs/decisions/0009)
_OPSET: Final = 18
_FIRST_FLOAT: Final = 10  # convolutions; int8 moves the colors most there, and in the head
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
    runtime = _package("onnxruntime")
    generator = load_generator(weights)
    module = _InLab(_with_plain_convolutions(generator.module)).eval()
    with publish(output) as temporary:
        _write(module, generator, temporary)
        difference = _compare(runtime, temporary, module)
        if not difference <= TOLERANCE:
            raise ModelError(
                f"{weights}: ONNX Runtime's ab is off by {difference:.3g}",
                remedy="use the versions of requirements.lock",
            )
    return difference


def export_int8(weights: Path, output: Path, pictures: Sequence[NDArray[np.float32]]) -> float:
    """Write a generator as ONNX with 8-bit convolutions, for CPUs with VNNI or the like.

    Input and output as with `export_onnx`. Activations are uint8 with ranges seen on the photos,
    weights int8 per output channel; the first convolutions and the head stay float32. The file
    appears only when its colors are near to torch's, on photos that it was not calibrated on where
    there are four or more.

    Args:
        weights: a .safetensors of this project.
        output: ends in .onnx.
        pictures: L [1,1,height,width], 0..100, of what the generator is meant for: three quarters
            to calibrate, the others to compare; a few dozen are enough.

    Returns:
        The root mean square difference of ab to torch's.

    Raises:
        ModelError: as `export_onnx`, with INT8_TOLERANCE.
        UsageError: there are no pictures.
    """
    if not pictures:
        raise UsageError("none of the photos for int8 can be read", remedy="give other photos")
    runtime, quantization = _package("onnxruntime"), _package("onnxruntime.quantization")
    generator = load_generator(weights)
    module = _InLab(_with_plain_convolutions(generator.module)).eval()
    compared = pictures[3::4] or pictures
    calibrated = [p for i, p in enumerate(pictures) if i % 4 != 3]
    with tempfile.TemporaryDirectory() as folder, publish(output) as temporary:
        plain = Path(folder) / "float32.onnx"
        _write(module, generator, plain)
        _quantize(quantization, plain, temporary, calibrated)
        difference = _distance(runtime, temporary, module, compared)
        if not difference <= INT8_TOLERANCE:
            raise ModelError(
                f"{weights}: int8 moves ab by {difference:.3g} (root mean square)",
                remedy="give photos like those it is meant for, or export without --int8",
            )
    return difference


def _quantize(
    quantization: Any, plain: Path, output: Path, pictures: list[NDArray[np.float32]]
) -> None:
    onnx = _package("onnx")
    prepared = plain.with_name("prepared.onnx")
    shapes = _package("onnxruntime.quantization.shape_inference")
    shapes.quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
    nodes = onnx.load(str(prepared)).graph.node
    convolutions = [node.name for node in nodes if node.op_type == "Conv"]

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter(pictures)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            picture = next(self.left, None)
            return None if picture is None else {INPUT: picture}

    quantization.quantize_static(
        str(prepared),
        str(output),
        Reader(),
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        op_types_to_quantize=["Conv"],
        nodes_to_exclude=[*convolutions[:_FIRST_FLOAT], convolutions[-1]],
    )


def _distance(
    runtime: Any, path: Path, module: nn.Module, pictures: Sequence[NDArray[np.float32]]
) -> float:
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    squares = []
    for L in pictures:
        with torch.inference_mode():
            expected = module(torch.from_numpy(L)).numpy()
        (found,) = session.run([OUTPUT], {INPUT: L})
        squares.append(float(np.mean((found - expected) ** 2)))
    return float(np.sqrt(np.mean(squares)))


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


def _write(module: nn.Module, generator: LoadedGenerator, path: Path) -> None:
    onnx = _package("onnx")
    _trace(module, path)
    _describe(onnx, path, generator)


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
            f"ONNX files need the package {name.partition('.')[0]}",
            remedy="pip install 'colorize-archive[onnx]', or its packages as in requirements.lock",
        ) from error
