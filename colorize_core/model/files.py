"""Where generators are and which bytes they are. Imports no torch: the planner needs it too."""

from __future__ import annotations

import hashlib
from pathlib import Path

from colorize_core.errors import ModelError
from colorize_core.model.onnx_contract import is_onnx, onnx_sha256

# The generator that travels with the package, by its version.
SHIPPED = "flagship-3"


def shipped_weights() -> Path:
    """Path of the generator that travels with the package."""
    return Path(__file__).parents[1] / "weights" / f"{SHIPPED}.safetensors"


def resolve_weights(weights: str) -> Path:
    """The file behind the setting `model.weights`: "shipped" or a path.

    Raises:
        ModelError: there is no such file.
    """
    path = shipped_weights() if weights == "shipped" else Path(weights).expanduser().absolute()
    if not path.is_file():
        raise ModelError(
            f"{path}: no such weights file",
            remedy='set model.weights to "shipped", a .safetensors or an .onnx',
        )
    return path


def identity_of(path: Path) -> str:
    """What a generator is known by in keys: hex sha256 of its file; of an .onnx, also its contract.

    Raises:
        ModelError: an .onnx without a contract.
    """
    return onnx_sha256(path) if is_onnx(path) else sha256_of(path)


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
