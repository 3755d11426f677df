"""What a generator of others as ONNX takes and gives, declared in a YAML file beside it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from colorize_core.config import load_config
from colorize_core.config.settings import Settings, about, require
from colorize_core.errors import ConfigError, ModelError

SUFFIX = ".onnx"


class OnnxContract(Settings, frozen=True):
    """What an ONNX file does not say of its input and its output, both [batch,channel,y,x]."""

    input: Annotated[
        Literal["L", "rgb"], about("lightness of CIE Lab, or the gray picture as R = G = B (sRGB)")
    ]
    output: Annotated[
        Literal["ab", "lab", "rgb", "yuv"],
        about("CIE Lab, sRGB, or Y'CbCr as in JPEG (BT.601, full range)"),
    ]
    license: Annotated[str, about("whose terms apply to the file; printed, never judged")]
    input_range: Annotated[
        tuple[float, float], about("what black and white are; of L, what 0 and 100 are")
    ]
    output_range: Annotated[
        tuple[float, float],
        about("rgb, yuv: what 0 and 1 are (Cb and Cr lie around their middle); ab: -110 and 110"),
    ]
    mean: Annotated[tuple[float, ...], about("of each channel, taken off after input_range")] = ()
    std: Annotated[tuple[float, ...], about("of each channel, what is left is divided by")] = ()
    size: Annotated[int, about("fixed side of a square; 0: free", ge=0, le=4096)] = 0
    multiple: Annotated[int, about("of a free side", ge=1, le=1024)] = 32

    @property
    def channels(self) -> int:
        """Of the input."""
        return 1 if self.input == "L" else 3

    @property
    def output_channels(self) -> int:
        """Of the output."""
        return 2 if self.output == "ab" else 3

    def _check(self) -> None:
        for name, (low, high) in (
            ("input_range", self.input_range),
            ("output_range", self.output_range),
        ):
            require(low != high, name, [low, high], "two different numbers")
        for name, values in (("mean", self.mean), ("std", self.std)):
            allowed = f"{self.channels} numbers, one for each channel, or leave it out"
            require(len(values) in (0, self.channels), name, list(values), allowed)
        require(0 not in self.std, "std", list(self.std), "numbers above 0")
        require(bool(self.license.strip()), "license", self.license, "a line: whose terms apply")


def is_onnx(weights: Path) -> bool:
    """Whether a weights file is a generator of others."""
    return weights.suffix.lower() == SUFFIX


def contract_path(weights: Path) -> Path:
    """Where the contract of an ONNX file is."""
    return weights.with_suffix(".yaml")


def read_contract(weights: Path) -> OnnxContract:
    """Read the contract beside an ONNX file.

    Raises:
        ModelError: it is not there, or does not say what it must.
    """
    path = contract_path(weights)
    if not path.is_file():
        raise ModelError(
            f"{weights}: an ONNX file needs its contract beside it: {path.name}",
            remedy="write one: README, 'Bring your own generator'",
        )
    try:
        return load_config(OnnxContract, path)
    except ConfigError as error:
        raise ModelError(error.message, remedy=error.remedy) from error


def onnx_sha256(weights: Path) -> str:
    """Hex sha256 of an ONNX file, what it keeps in files of its own, and its contract.

    Raises:
        ModelError: there is no contract.
    """
    read_contract(weights)
    external = (Path(f"{weights}{end}") for end in (".data", "_data"))
    digest = hashlib.sha256()
    for path in (weights, contract_path(weights), *(p for p in external if p.is_file())):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
