"""Files of pretrained networks that some metrics need. The user supplies them; none ships."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import urllib.error
import urllib.request
import warnings
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from colorize_core.errors import ModelError

_CHUNK: Final = 1 << 20
_TIMEOUT_SECONDS: Final = 60


def fetch_network(where: str, sha256: str = "", *, cache: Path | None = None) -> tuple[Path, str]:
    """Find a network file, downloading it once when `where` is a URL.

    Args:
        where: path, or http(s) or file URL.
        sha256: hex digest the file must have; needed for a URL, optional for a path.
        cache: folder for downloads; default `$XDG_CACHE_HOME/colorize-archive`.

    Returns:
        The local path, and the file's sha256.

    Raises:
        ModelError: not there, not reachable, a URL without a digest, or another digest.
    """
    wanted = sha256.strip().lower()
    if "://" not in where:
        path = Path(where).expanduser()
        if not path.is_file():
            raise ModelError(f"{where}: no such network file", remedy="give its path or URL")
        return path, _checked(path, where, wanted)
    if len(wanted) != 64:
        raise ModelError(f"{where}: a network from a URL needs its sha256", remedy="set sha256")
    path = (cache or _default_cache()) / wanted
    if not path.is_file():
        _download(where, path, wanted)
    return path, _checked(path, where, wanted)


def _default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "colorize-archive"


def _checked(path: Path, where: str, wanted: str) -> str:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if wanted and found != wanted:
        raise ModelError(
            f"{where}: sha256 is {found}, not {wanted}", remedy="the file is damaged or another one"
        )
    return found


def _download(url: str, path: Path, wanted: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        temporary = Path(folder) / "download"
        try:
            with (
                urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response,
                temporary.open("wb") as file,
            ):
                shutil.copyfileobj(response, file, _CHUNK)
        except (OSError, ValueError, urllib.error.URLError) as error:
            raise ModelError(
                f"{url}: cannot be fetched: {error}", remedy="download it yourself, give its path"
            ) from error
        _checked(temporary, url, wanted)
        temporary.replace(path)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read a state dict (weights only: no code in the file is run) as float32.

    Raises:
        ModelError: the file holds something else.
    """
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(
            f"{path}: not a file of weights: {first_line(error)}", remedy="give a state dict (.pt)"
        ) from error
    if not isinstance(loaded, dict) or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise ModelError(f"{path}: not a state dict", remedy="save module.state_dict()")
    return {str(name): value.float() for name, value in loaded.items()}


def load_script(path: Path) -> torch.jit.ScriptModule:
    """Read a TorchScript module in evaluation mode.

    Raises:
        ModelError: the file holds something else.
    """
    try:
        with warnings.catch_warnings():
            # Deprecated for new models; the published Inception file has no other form.
            warnings.simplefilter("ignore", DeprecationWarning)
            module: torch.jit.ScriptModule = torch.jit.load(  # type: ignore[no-untyped-call]
                str(path), map_location="cpu"
            )
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(
            f"{path}: not a TorchScript module: {first_line(error)}",
            remedy="give inception-2015-12-05.pt in TorchScript form",
        ) from error
    module.eval()
    return module


def first_line(error: BaseException) -> str:
    """What an error says, without torch's paragraphs of advice."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def strictly(tensors: dict[str, Tensor], shapes: dict[str, tuple[int, ...]], path: Path) -> None:
    """Check that a state dict has exactly these tensors.

    Raises:
        ModelError: a tensor is missing, has another shape, or is not known; names the first.
    """
    for name in sorted(shapes.keys() | tensors.keys()):
        found = tuple(tensors[name].shape) if name in tensors else None
        if found != shapes.get(name):
            raise ModelError(
                f"{path}: tensor {name} is {found}, expected {shapes.get(name)}",
                remedy="this is another network",
            )
