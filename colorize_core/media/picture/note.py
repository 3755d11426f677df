"""What every output says about its color, in one wording."""

from __future__ import annotations

from dataclasses import dataclass

from colorize_core import __version__


@dataclass(frozen=True)
class ComputedColorNote:
    """What the output says about its color.

    Attributes:
        software: name and version.
        weights_sha256: of the generator file.
    """

    software: str
    weights_sha256: str

    @classmethod
    def of_weights(cls, sha256: str) -> ComputedColorNote:
        """The note of this version of the software."""
        return cls(f"colorize-archive {__version__}", sha256)

    @property
    def text(self) -> str:
        """One line for a comment or a title."""
        return f"color computed by {self.software}, weights {self.weights_sha256}"
