"""Colorize grayscale photo archives and black-and-white film.

`Colorizer` is imported on first use: `--help` and `--dry-run` must not pay for torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from colorize_core.inference.colorizer import Colorizer
    from colorize_core.inference.hints import Hint

__version__ = "0.2.0.dev0"
__all__ = ["Colorizer", "Hint", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "Colorizer":
        from colorize_core.inference.colorizer import Colorizer

        return Colorizer
    if name == "Hint":
        from colorize_core.inference.hints import Hint

        return Hint
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
