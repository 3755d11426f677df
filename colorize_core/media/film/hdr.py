"""What an HDR film says about its light, and how encoders are told: SMPTE ST 2086, CTA-861.3."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av

from colorize_core.media.film.pyav import side_data

# Side data as FFmpeg lays it out: numerators and denominators of the x and y of red, green, blue
# and white and of the least and the most light, then whether colors and light are known.
_MASTERING: Final = struct.Struct("=20i2i")
_LIGHT: Final = struct.Struct("=2I")
_CHROMATICITY, _LUMINANCE = 50_000, 10_000  # units of H.264 and HEVC


@dataclass(frozen=True)
class HdrLight:
    """Of the screen that a film was graded on, and of the film.

    Attributes:
        chromaticity: x and y of red, green, blue and white; empty if not said.
        luminance: least and most of the screen, in candela per square meter.
        content: MaxCLL and MaxFALL, in candela per square meter; empty if not said.
    """

    chromaticity: tuple[Fraction, ...] = ()
    luminance: tuple[Fraction, ...] = ()
    content: tuple[int, ...] = ()

    @property
    def has_screen(self) -> bool:
        """Colors and light of the screen are both known: encoders take them together."""
        return bool(self.chromaticity and self.luminance)


def read_light(frame: av.VideoFrame) -> HdrLight:
    """Read the side data of a decoded frame."""
    chromaticity: tuple[Fraction, ...] = ()
    luminance: tuple[Fraction, ...] = ()
    content: tuple[int, ...] = ()
    try:
        found = {data.type.name: bytes(data) for data in side_data(frame)}
    except ValueError:  # a kind that PyAV does not know
        found = {}
    screen = found.get("MASTERING_DISPLAY_METADATA", b"")
    if len(screen) == _MASTERING.size:
        *numbers, has_colors, has_light = _MASTERING.unpack(screen)
        values = tuple(
            Fraction(n, d or 1) for n, d in zip(numbers[::2], numbers[1::2], strict=True)
        )
        chromaticity = values[:8] if has_colors else ()
        luminance = values[8:] if has_light else ()
    if len(found.get("CONTENT_LIGHT_LEVEL", b"")) == _LIGHT.size:
        content = _LIGHT.unpack(found["CONTENT_LIGHT_LEVEL"])
    return HdrLight(chromaticity, luminance, content)


def light_options(codec: str, light: HdrLight) -> list[str]:
    """Parameters of libx264, libx265 or libsvtav1 that write what is known."""
    screen, content = _NAMES[codec]
    options = []
    if light.has_screen:
        is_av1 = codec == "libsvtav1"
        colors = [_number(v, 1 if is_av1 else _CHROMATICITY) for v in light.chromaticity]
        least, most = (_number(v, 1 if is_av1 else _LUMINANCE) for v in light.luminance)
        pairs = [f"{x},{y}" for x, y in zip(colors[::2], colors[1::2], strict=True)]
        red, green, blue, white = pairs
        options.append(f"{screen}=G({green})B({blue})R({red})WP({white})L({most},{least})")
    if light.content:
        options.append(f"{content}={light.content[0]},{light.content[1]}")
    return options


def _number(value: Fraction, unit: int) -> str:
    return f"{float(value):.6g}" if unit == 1 else str(round(value * unit))


_NAMES: Final = {
    "libx264": ("mastering-display", "cll"),
    "libx265": ("master-display", "max-cll"),
    "libsvtav1": ("mastering-display", "content-light"),
}
WRITERS_OF_LIGHT: Final = frozenset(_NAMES)
