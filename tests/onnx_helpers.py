"""Small networks as ONNX files with the inputs and outputs of published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

DDCOLOR = {
    "input": "rgb",
    "input_range": [0, 1],
    "size": 64,  # published: 512 or 256
    "output": "ab",
    "output_range": [-110, 110],
    "license": "made for a test",
}
DEOLDIFY = {
    "input": "rgb",
    "input_range": [0, 255],
    "size": 64,  # published: 256
    "output": "rgb",
    "output_range": [0, 255],
    "license": "made for a test",
}


def write_network(
    path: Path,
    matrix: list[list[float]],
    bias: list[float],
    *,
    side: int | str = 64,
    batch: int | str = 1,
    names: tuple[str, str] = ("input", "output"),
) -> None:
    """A matrix for the channels of each pixel, plus a bias."""
    weight = np.array(matrix, np.float32)[:, :, None, None]
    inputs, outputs = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, count, side, side])
        for name, count in zip(names, reversed(weight.shape[:2]), strict=True)
    )
    constants = [
        numpy_helper.from_array(weight, "weight"),
        numpy_helper.from_array(np.array(bias, np.float32), "bias"),
    ]
    node = helper.make_node("Conv", [names[0], "weight", "bias"], [names[1]])
    graph = helper.make_graph([node], "made", [inputs], [outputs], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def write_contract(weights: Path, contract: dict[str, Any], **changed: Any) -> None:
    weights.with_suffix(".yaml").write_text(yaml.safe_dump(contract | changed))


def like_ddcolor(path: Path) -> Path:
    """[1,3,64,64] to ab: the brighter, the more orange."""
    write_network(path, [[10, 10, 10], [20, 20, 20]], [0, -5])
    write_contract(path, DDCOLOR)
    return path


def like_deoldify(path: Path) -> Path:
    """[1,3,64,64] of 0..255 to RGB of 0..255, in sepia and darker than what came in."""
    write_network(path, [[0.8, 0, 0], [0, 0.6, 0], [0, 0, 0.4]], [9, 5, 0])
    write_contract(path, DEOLDIFY)
    return path
