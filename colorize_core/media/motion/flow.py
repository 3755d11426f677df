"""Motion between frames: dense optical flow on luma, and what is carried along it.

Flow is DIS (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016). A flow from
picture A to picture B is float32 [h,w,2] in pixels, (dx, dy): what lies at p in A lies at p + flow
in B, so `warp(B, flow)` is B brought to A's geometry.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, Literal

import cv2 as typed_cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Flow = NDArray[np.float32]
Codes = NDArray[np.uint8]
Preset = Literal["fast", "accurate"]

# OpenCV's stubs refuse None where its functions take it, and lose the element type.
cv2: Any = typed_cv2

# The pictures are too small to gain from threads, and every worker has its one core.
cv2.setNumThreads(1)

_LEAST_SIDE: Final = 32  # OpenCV's DIS crashes the process on some smaller pictures
_JITTER: Final = 1.5  # pixels; without variational refinement, patches disagree a little
_MIDDLE: Final = 128.0
_CODES_PER_SIGMA: Final = 32.0
_LEAST_SIGMA: Final = 1.0  # L*; a picture without contrast is not stretched into noise


class FlowEstimator:
    """DIS with fixed parameters; the same pictures always give the same flow, whatever came before.

    Args:
        preset: "fast" refines to the full size and smooths, about 1 ms at 128x72; "accurate" is
            OpenCV's medium preset, about 4 ms at 256x144.
    """

    def __init__(self, preset: Preset = "fast") -> None:
        self._smooths = preset == "fast"
        if preset == "fast":
            self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
            self._dis.setFinestScale(0)
            self._dis.setGradientDescentIterations(8)
        else:
            self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def __call__(self, first: Codes, second: Codes) -> Flow:
        """Flow [h,w,2] from `first` to `second`, uint8 [h,w] each, from `flow_codes`.

        Raises:
            ValueError: the pictures differ in size.
        """
        if first.shape != second.shape:
            raise ValueError(f"pictures of {first.shape} and {second.shape}")
        high, wide = first.shape
        flow = self._dis.calc(_padded(first), _padded(second), None)
        cropped: Flow = np.ascontiguousarray(flow[:high, :wide])
        return blur(cropped, _JITTER) if self._smooths else cropped


def flow_codes(L: Picture) -> Codes:
    """L [h,w], 0..100, as uint8 with its mean and contrast made equal for all pictures.

    Exposure that pumps, fades or flashes then hardly disturbs the flow.
    """
    sigma = max(float(L.std()), _LEAST_SIGMA)
    codes = (L - L.mean()) * (_CODES_PER_SIGMA / sigma) + _MIDDLE
    whole: Codes = np.clip(np.rint(codes), 0.0, 255.0).astype(np.uint8)
    return whole


def warp(picture: Picture, flow: Flow) -> Picture:
    """Fetch `picture` [h,w] or [h,w,c] at p + flow, bilinear; outside, its border is repeated."""
    fetched: Picture = cv2.remap(
        picture,
        _grid(*flow.shape[:2]) + flow,
        None,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return fetched


def compose(first: Flow, second: Flow) -> Flow:
    """Flow A to C from the flows A to B and B to C."""
    return first + warp(second, first)


def stays_inside(flow: Flow) -> NDArray[np.bool_]:
    """Where p + flow lies in the picture, [h,w]; half a pixel beyond the border still counts."""
    high, wide = flow.shape[:2]
    target = _grid(high, wide) + flow
    x, y = target[..., 0], target[..., 1]
    inside: NDArray[np.bool_] = (x >= -0.5) & (x <= wide - 0.5) & (y >= -0.5) & (y <= high - 0.5)
    return inside


def return_error(there: Flow, back: Flow) -> tuple[Picture, Picture]:
    """How far one lands from where one started, going there and back, and how far the way was.

    Returns:
        Squared distance from the start and sum of the two squared lengths, [h,w] each: the two
        sides of the occlusion test of Sundaram et al. (ECCV 2010),
        |w + w'|^2 > 0.01 (|w|^2 + |w'|^2) + 0.5.
    """
    returned = warp(back, there)
    return _squared(there + returned), _squared(there) + _squared(returned)


def resize(picture: Picture, height: int, width: int) -> Picture:
    """Resize [h,w] or [h,w,c]: by area where it shrinks, bilinear where it grows."""
    if picture.shape[:2] == (height, width):
        return picture
    shrinks = height * width < picture.shape[0] * picture.shape[1]
    mode = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized: Picture = cv2.resize(picture, (width, height), interpolation=mode)
    return resized


def blur(picture: Picture, sigma: float) -> Picture:
    """Gaussian blur of [h,w] or [h,w,c]."""
    blurred: Picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    return blurred


def box_mean(picture: Picture, side: int) -> Picture:
    """Mean over a square of `side` pixels around each pixel of [h,w]."""
    mean: Picture = cv2.blur(picture, (side, side))
    return mean


def _squared(flow: Flow) -> Picture:
    # numpy's sum over an axis of two takes ten times as long.
    x, y = flow[..., 0], flow[..., 1]
    return x * x + y * y


def _padded(codes: Codes) -> Codes:
    high, wide = codes.shape
    if min(high, wide) >= _LEAST_SIDE:
        return codes
    missing = ((0, max(0, _LEAST_SIDE - high)), (0, max(0, _LEAST_SIDE - wide)))
    return np.pad(codes, missing, mode="edge")


@lru_cache(maxsize=8)
def _grid(high: int, wide: int) -> Flow:
    """Pixel positions, [h,w,2]."""
    y, x = np.mgrid[:high, :wide]
    return np.stack([x, y], -1).astype(np.float32)
