"""What is counted about a film's frames: damage, and differences of luma."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class CountedFrame(Protocol):
    """What `Damage` reads of a frame, see media.film.reader.Frame."""

    @property
    def is_held(self) -> bool:
        """It stands in for one that did not decode."""
        ...

    @property
    def is_corrupt(self) -> bool:
        """The decoder marked it as damaged."""
        ...

    @property
    def is_converted(self) -> bool:
        """Its size or format differed from the film's."""
        ...


@dataclass
class Damage:
    """What went wrong in a range of frames, counted."""

    held: int = 0
    corrupt: int = 0
    converted: int = 0

    def count(self, frame: CountedFrame) -> None:
        """Add one frame."""
        self.held += frame.is_held
        self.corrupt += frame.is_corrupt
        self.converted += frame.is_converted

    def add(self, other: Damage) -> None:
        """Add another range."""
        self.held += other.held
        self.corrupt += other.corrupt
        self.converted += other.converted

    def reasons(self) -> tuple[str, ...]:
        """In words, for the report."""
        texts = (
            (self.held, "not decoded, shown as a neighbor instead"),
            (self.corrupt, "damaged"),
            (self.converted, "of another size or pixel format, converted"),
        )
        return tuple(f"{n} frame{'s' * (n > 1)} {text}" for n, text in texts if n)


@dataclass(frozen=True)
class LumaCheck:
    """Outcome of a comparison. `largest` and `mean` are differences in steps of the source's Y'.

    `is_computed`: the source has R, G and B instead, and Y' is what they give.
    """

    frames: int
    differing: int
    largest: float
    mean: float
    is_lossless: bool
    is_computed: bool = False

    def words(self) -> str:
        """One line for the user."""
        if not self.differing and self.is_computed:
            return f"luma of all {self.frames} frames is that of the source's R, G and B, rounded"
        if not self.differing:
            return f"luma of all {self.frames} frames equals the source's bit for bit"
        return (
            f"luma of {self.differing} of {self.frames} frames differs from the source's, "
            f"by {self.mean:.2g} steps on average, {self.largest:.4g} at most: the codec is lossy"
        )
