"""Color spaces that files name by number (ITU-T H.273), as ICC profiles."""

from __future__ import annotations

from typing import Final

import imagecodecs

_D65: Final = (0.3127, 0.329)
_PRIMARIES: Final = {
    9: (0.708, 0.292, 0.17, 0.797, 0.131, 0.046),  # BT.2020
    11: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06),  # P3; with D65 as white in practice
    12: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
}
_GAMMAS: Final = {4: 2.2, 5: 2.8, 8: 1.0}
_HDR: Final = {16: "PQ", 18: "HLG"}
_SRGB_GAMMA: Final = 2.2


def profile_of(
    primaries: int, transfer: int, *, is_gray: bool
) -> tuple[bytes | None, tuple[str, ...]]:
    """A profile for these code points, None where sRGB is as good; and what had to be guessed.

    The curves of sRGB, BT.709 and BT.2020 count as sRGB's, as viewers take them.
    """
    warnings: tuple[str, ...] = ()
    if transfer in _HDR:
        warnings = (f"its {_HDR[transfer]} curve was taken for that of sRGB",)
    gamma = _GAMMAS.get(transfer)
    if is_gray:
        if gamma is None:
            return None, warnings
        return bytes(imagecodecs.cms_profile("gray", gamma=gamma)), warnings
    if gamma is None and primaries not in _PRIMARIES:
        return None, warnings
    corners = _PRIMARIES.get(primaries, (0.64, 0.33, 0.3, 0.6, 0.15, 0.06))
    profile = imagecodecs.cms_profile(
        "rgb", gamma=gamma or _SRGB_GAMMA, whitepoint=_D65, primaries=corners
    )
    return bytes(profile), warnings
