"""Colorize grayscale photo archives and black-and-white film.

A picture in memory is a matter of `Colorizer`, a file of `colorize_file` and `colorize_film`, an
archive of the command `colorize-archive`. All are imported on first use: `--help` and `--dry-run`
must not pay for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from colorize_core.api import colorize_file, colorize_film
    from colorize_core.inference.colorizer import Colorizer
    from colorize_core.inference.hints import Hint

__version__ = "0.2.0.dev0"
__all__ = ["Colorizer", "Hint", "__version__", "colorize_file", "colorize_film"]
_WHERE = {
    "Colorizer": "colorize_core.inference.colorizer",
    "Hint": "colorize_core.inference.hints",
    "colorize_file": "colorize_core.api",
    "colorize_film": "colorize_core.api",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
