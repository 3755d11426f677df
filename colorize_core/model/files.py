"""Where generators are and which bytes they are. Imports no torch: the planner needs it too."""

from __future__ import annotations

import hashlib
from pathlib import Path

from colorize_core.errors import ModelError

# The generator that travels with the package, by its version.
SHIPPED = "flagship-1"


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
            remedy='set model.weights to "shipped" or a .safetensors',
        )
    return path


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
