"""Writes a page for each module from its docstrings: `python -W error -m docs.api`, into site/."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path

import pdoc

import colorize_core

SITE = Path(__file__).parents[1] / "site"


def _modules() -> list[str]:
    """Modules in packages with an `__all__`, which pdoc otherwise takes for all there is."""
    found = pkgutil.walk_packages(colorize_core.__path__, "colorize_core.")
    names = [module.name for module in found if not module.name.endswith("__main__")]
    return [n for n in names if hasattr(import_module(n.rpartition(".")[0]), "__all__")]


def main() -> None:
    """Write site/index.html and the pages it leads to."""
    # Names that are imported on first use, before pdoc looks for them.
    for name in colorize_core.__all__:
        setattr(colorize_core, name, getattr(colorize_core, name))
    pdoc.render.configure(docformat="google", footer_text=f"version {colorize_core.__version__}")
    pdoc.pdoc("colorize_core", *_modules(), output_directory=SITE)


if __name__ == "__main__":
    main()
