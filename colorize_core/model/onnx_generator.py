"""A generator of others, as ONNX, behind the same door as this project's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from colorize_core.color.lab import L_to_gray, rgb_to_lab
from colorize_core.errors import ModelError
from colorize_core.model.onnx_contract import OnnxContract, onnx_sha256, read_contract
from colorize_core.model.scale import AB_SCALE, ab_to_net, net_to_L

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_SHORT = ("bad_alloc", "Failed to allocate", "out of memory", "OUT_OF_MEMORY", "BFCArena")


@dataclass(frozen=True)
class OnnxGenerator:
    """As `LoadedGenerator`. It takes no hints: they act on its result alone."""

    module: nn.Module
    sha256: str
    takes_hints: bool = False


def load_onnx(path: Path, device: torch.device) -> OnnxGenerator:
    """Open an ONNX file that has a contract beside it.

    Args:
        path: the .onnx.
        device: a CPU, or a CUDA device where ONNX Runtime has it.

    Raises:
        ModelError: ONNX Runtime is not there or cannot open the file, or the file has another
            input or output than its contract says.
    """
    contract = read_contract(path)
    session = _open(path, device)
    _check(path, session, contract)
    return OnnxGenerator(_OnnxModule(session, contract), onnx_sha256(path))


def _open(path: Path, device: torch.device) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError(
            f"{path}: ONNX files need the package onnxruntime",
            remedy="pip install 'colorize-archive[onnx]', for a GPU onnxruntime-gpu",
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    # The same result for the same picture, whatever ran before.
    options.use_deterministic_compute = True
    providers: list[Any] = ["CPUExecutionProvider"]
    if device.type == "cuda":
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise ModelError(
                f"{path}: this onnxruntime knows no GPU",
                remedy="pip install onnxruntime-gpu in its place, or use --device cpu",
            )
        providers = [("CUDAExecutionProvider", {"device_id": device.index or 0}), *providers]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime's own have no common class
        first = str(error).strip().splitlines()[0][:300] if str(error).strip() else "?"
        raise ModelError(f"{path}: ONNX Runtime cannot open it: {first}") from error


def _check(path: Path, session: Any, contract: OnnxContract) -> None:
    """Compare what the file says of itself with its contract, before the first picture."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    found = f"{_words(inputs)} -> {_words(outputs)}"
    wanted = (
        f"[batch,{contract.channels},height,width] float -> "
        f"[batch,{contract.output_channels},height,width]"
    )
    sides = inputs[0].shape[2:] if inputs and len(inputs[0].shape) == 4 else []
    fixed = [side for side in sides if isinstance(side, int)]
    fits = (
        len(inputs) == 1
        and inputs[0].type in _TYPES
        and _has(inputs[0].shape, contract.channels)
        and _has(outputs[0].shape, contract.output_channels)
    )
    if not fits:
        raise ModelError(
            f"{path}: has {found}; its contract says {wanted}",
            remedy="correct input and output in the contract, or export the file with one input",
        )
    if any(side != contract.size for side in fixed):
        raise ModelError(
            f"{path}: has {found}; its contract says size: {contract.size}",
            remedy=f"write size: {fixed[0]}" if len(set(fixed)) == 1 else "export it for a square",
        )


def _has(shape: list[Any], channels: int) -> bool:
    known = len(shape) == 4 and isinstance(shape[1], int)
    return shape[1] == channels if known else len(shape) in (0, 4)


def _words(values: list[Any]) -> str:
    return ", ".join(
        f"{v.name} {v.type.removeprefix('tensor(').removesuffix(')')} "
        f"[{','.join(str(side) for side in v.shape)}]"
        for v in values
    )


class _OnnxModule(nn.Module):
    """Takes L and gives ab on the network's scale, as this project's generators do."""

    def __init__(self, session: Any, contract: OnnxContract) -> None:
        super().__init__()
        self._session, self._contract = session, contract
        self._name = session.get_inputs()[0].name
        self._type = _TYPES[session.get_inputs()[0].type]
        batch = session.get_inputs()[0].shape[0]
        self._batch = batch if isinstance(batch, int) else None

    def __deepcopy__(self, memo: dict[int, Any]) -> _OnnxModule:
        return self  # a session cannot be copied, nor moved to another device

    def forward(self, L: Tensor, _hints: Tensor | None = None) -> Tensor:
        """ab/110 [B,2,S,T] of L [B,1,S,T] in [-1,1]."""
        L = net_to_L(L.cpu())
        shown, inner = _fit(L, self._contract)
        x = to_input(shown, self._contract).numpy().astype(self._type)
        raw = torch.from_numpy(self._run(np.ascontiguousarray(x)).astype(np.float32))
        ab = output_ab(raw, self._contract)
        if ab.shape[-2:] != shown.shape[-2:]:  # some give color in a quarter of the size
            ab = F.interpolate(ab, shown.shape[-2:], mode="bilinear")
        ab = ab[..., : inner[0], : inner[1]]
        if inner != tuple(L.shape[-2:]):
            ab = F.interpolate(ab, L.shape[-2:], mode="bilinear", antialias=True)
        return ab_to_net(ab)

    def _run(self, x: NDArray[Any]) -> NDArray[Any]:
        size = self._batch or len(x)
        try:
            parts = [self._run_batch(x[i : i + size], size) for i in range(0, len(x), size)]
        except Exception as error:
            if any(text in str(error) for text in _SHORT):
                raise MemoryError(str(error)) from error
            raise
        return np.concatenate(parts)

    def _run_batch(self, x: NDArray[Any], size: int) -> NDArray[Any]:
        missing = [(0, size - len(x)), (0, 0), (0, 0), (0, 0)]
        found: NDArray[Any] = self._session.run(None, {self._name: np.pad(x, missing, "edge")})[0]
        return found[: len(x)]


def _fit(L: Tensor, contract: OnnxContract) -> tuple[Tensor, tuple[int, int]]:
    """L in sides that the file takes, never squashed, and the part of it that is the picture."""
    height, width = L.shape[-2:]
    if contract.size:
        scale = contract.size / max(height, width)
        inner = max(1, round(height * scale)), max(1, round(width * scale))
        outer = contract.size, contract.size
    else:
        inner, n = (height, width), contract.multiple
        outer = height + -height % n, width + -width % n
    if inner != (height, width):
        L = F.interpolate(L, inner, mode="bilinear", antialias=True)
    missing = (0, outer[1] - inner[1], 0, outer[0] - inner[0])
    return F.pad(L, missing, mode="replicate"), inner


def to_input(L: Tensor, contract: OnnxContract) -> Tensor:
    """What the file is given: [B,1 or 3,H,W] of L [B,1,H,W], 0..100."""
    unit = L / 100 if contract.input == "L" else L_to_gray(L).expand(-1, 3, -1, -1)
    low, high = contract.input_range
    x = low + unit * (high - low)
    if contract.mean:
        x = x - torch.tensor(contract.mean)[:, None, None]
    return x / torch.tensor(contract.std)[:, None, None] if contract.std else x


def output_ab(y: Tensor, contract: OnnxContract) -> Tensor:
    """Ab [B,2,H,W] in Lab units of what the file gave; a lightness of its own is left out.

    Y'CbCr: ITU-T T.871 (JPEG).
    """
    low, high = contract.output_range
    unit = (y - low) / (high - low)
    if contract.output in ("ab", "lab"):
        return (2 * unit[:, -2:] - 1) * AB_SCALE
    if contract.output == "yuv":
        luma, cb, cr = unit[:, :1], unit[:, 1:2] - 0.5, unit[:, 2:] - 0.5
        green = luma - 0.344136 * cb - 0.714136 * cr
        unit = torch.cat([luma + 1.402 * cr, green, luma + 1.772 * cb], 1)
    return rgb_to_lab(unit.clamp(0, 1))[:, 1:]
