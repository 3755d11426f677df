"""Pixel formats of film, and the planes of a frame as arrays."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_core.color.matrices import KR_KB, Matrix
from colorize_core.errors import UnsupportedError

Plane = NDArray[np.unsignedinteger[Any]]

_PLANAR = re.compile(r"yuv(?P<jpeg>j?)(?P<alpha>a?)(?P<sub>4\d\d)p(?P<depth>\d*)(le)?")
_GRAY = re.compile(r"gray(?P<depth>\d*)(le)?")
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_SHIFTS = {"420": (1, 1), "422": (1, 0), "444": (0, 0), "440": (0, 1), "411": (2, 0), "410": (2, 2)}
# Formats whose Y' survives the conversion to a planar one unchanged (tested bit by bit).
_REPACKED = {
    "nv12": "yuv420p",
    "nv21": "yuv420p",
    "nv16": "yuv422p",
    "nv24": "yuv444p",
    "nv42": "yuv444p",
    "p010le": "yuv420p10le",
    "p210le": "yuv422p10le",
    "p012le": "yuv420p12le",
    "yuyv422": "yuv422p",
    "yvyu422": "yuv422p",
    "uyvy422": "yuv422p",
    "uyyvyy411": "yuv411p",
    "y210le": "yuv422p10le",
    "y212le": "yuv422p12le",
    "ya8": "gray",
    "ya16le": "gray16le",
}
_RGB_DEPTHS = (8, 9, 10, 12, 14, 16)  # of planar RGB and of gray
_PLANAR_RGB = {"gbrp": 8, "gbrap": 8} | {
    f"{name}{depth}le": depth for name in ("gbrp", "gbrap") for depth in _RGB_DEPTHS[1:]
}


@dataclass(frozen=True)
class PlanarFormat:
    """A little-endian planar YCbCr or gray format.

    `shift_x` and `shift_y` are the binary logarithms of the chroma subsampling; a gray format has
    `subsampling` "400" and shifts of 0.
    """

    name: str
    depth: int
    subsampling: str
    shift_x: int
    shift_y: int

    @property
    def is_gray(self) -> bool:
        """No chroma planes."""
        return self.subsampling == "400"

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """Of one sample."""
        return np.uint8 if self.depth == 8 else np.uint16

    def chroma_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a chroma plane."""
        return -(-width >> self.shift_x), -(-height >> self.shift_y)


def parse_format(name: str) -> PlanarFormat | None:
    """Describe a planar format; None when `name` is packed, big-endian, RGB or a palette.

    The "j" (full range) and the alpha plane are dropped from the name: both are said elsewhere.
    """
    if match := _PLANAR.fullmatch(name):
        depth = match["depth"]
        sub = match["sub"]
        x, y = _SHIFTS[sub]
        plain = f"yuv{sub}p{depth}le" if depth else f"yuv{sub}p"
        return PlanarFormat(plain, int(depth or 8), sub, x, y)
    if match := _GRAY.fullmatch(name):
        depth = match["depth"]
        plain = f"gray{depth}le" if depth else "gray"
        return PlanarFormat(plain, int(depth or 8), "400", 0, 0)
    return None


@dataclass(frozen=True)
class WorkingFormat:
    """How frames of a source format become planes.

    `planar` describes them. `is_computed` says that the source has no Y' plane (RGB, palette), so
    a full-range one is computed. `drops_alpha` says that transparency is lost.
    """

    planar: PlanarFormat
    is_computed: bool
    drops_alpha: bool


def working_format(source: str) -> WorkingFormat:
    """Choose the planar format in which frames of format `source` are worked on.

    Raises:
        UnsupportedError: floating-point or otherwise unusual samples.
    """
    try:
        described = av.VideoFormat(source, 16, 16)
    except ValueError as error:
        raise UnsupportedError(f"pixel format {source!r} is unknown") from error
    has_alpha = any(c.is_alpha for c in described.components)
    little = source[:-2] + "le" if described.is_big_endian else source
    planar = parse_format(_REPACKED.get(little, little))
    if planar is not None:
        return WorkingFormat(planar, is_computed=False, drops_alpha=has_alpha)
    if "f16" in source or "f32" in source or source.startswith("xyz"):
        raise UnsupportedError(
            f"pixel format {source!r} is not supported", remedy="convert the film to YCbCr or RGB"
        )
    if not (described.is_rgb or described.has_palette or source.startswith("mono")):
        raise UnsupportedError(
            f"pixel format {source!r} is not supported", remedy="convert the film to planar YCbCr"
        )
    depth = max(c.bits for c in described.components if not c.is_alpha)
    held = next(d for d in _RGB_DEPTHS if d >= depth)
    gray = parse_format("gray" if held == 8 else f"gray{held}le")
    assert gray is not None
    return WorkingFormat(gray, is_computed=True, drops_alpha=has_alpha)


def to_working(frame: av.VideoFrame, working: WorkingFormat, matrix: Matrix) -> av.VideoFrame:
    """Bring a decoded frame into its working format; the frame itself when it already is in it.

    Args:
        frame: of the film.
        working: of `working_format`.
        matrix: with which Y' is computed from R'G'B'.
    """
    name = working.planar.name
    current = parse_format(frame.format.name)
    if current is not None and current.name == name:
        return frame
    if not working.is_computed:
        return frame.reformat(format=name)
    # For what reformat copies along; its own Y' is of BT.601 and off by a step at 9 bit and more.
    gray = frame.reformat(format=name, dst_color_range=_FULL_RANGE)
    plane(gray, 0)[:] = np.rint(rgb_luma(frame, working.planar.depth, matrix))
    return gray


def rgb_luma(frame: av.VideoFrame, depth: int, matrix: Matrix) -> NDArray[np.float32]:
    """Full-range Y' of an RGB or palette frame, [H, W], in steps of `depth` bits, not yet rounded.

    Gray (R' = G' = B') stays what it is, exactly, where the frame has `depth` bits.
    """
    planar, bits = _planar_rgb(frame)
    rows = [
        np.frombuffer(memoryview(p), np.uint8 if bits == 8 else np.uint16)
        for p in planar.planes[:3]
    ]
    g, blue, red = (
        samples.reshape(-1, p.line_size // samples.itemsize)[: p.height, : p.width].astype(
            np.float32
        )
        for samples, p in zip(rows, planar.planes, strict=False)
    )
    kr, kb = KR_KB[matrix]
    luma: NDArray[np.float32] = g + np.float32(kr) * (red - g) + np.float32(kb) * (blue - g)
    scale = ((1 << depth) - 1) / ((1 << bits) - 1)
    return luma if scale == 1 else luma * np.float32(scale)


def _planar_rgb(frame: av.VideoFrame) -> tuple[av.VideoFrame, int]:
    """The frame in a planar format of its own depth, and that depth."""
    name = frame.format.name
    if name in _PLANAR_RGB:
        return frame, _PLANAR_RGB[name]
    deepest = max(c.bits for c in frame.format.components if not c.is_alpha)
    bits = next(depth for depth in _RGB_DEPTHS if depth >= deepest)
    return frame.reformat(format="gbrp" if bits == 8 else f"gbrp{bits}le"), bits


def plane(frame: av.VideoFrame, index: int) -> Plane:
    """View of one plane of a planar frame, [H, W]; writing to it writes to the frame."""
    described = parse_format(frame.format.name)
    assert described is not None, frame.format.name
    source = frame.planes[index]
    row = int(source.line_size) // np.dtype(described.dtype).itemsize
    samples: Plane = np.frombuffer(memoryview(source), described.dtype)
    return samples.reshape(-1, row)[: source.height, : source.width]


def resize_plane(source: Plane, width: int, height: int) -> Plane:
    """Resize one plane, [H, W] to [height, width]: area averaging down, bilinear up."""
    if source.shape == (height, width):
        return source
    smaller = source.shape[0] >= height and source.shape[1] >= width
    mode = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    resized = cv2.resize(source, (width, height), interpolation=mode)
    return np.asarray(resized, source.dtype)


def with_chroma(
    frame: av.VideoFrame, target: PlanarFormat, cb: Plane, cr: Plane, *, is_shared: bool = False
) -> av.VideoFrame:
    """Build the frame to encode: the Y' plane of `frame` untouched, `cb` and `cr` as its chroma.

    A deeper target takes Y' shifted left, which loses nothing. Side data (captions, HDR) and
    interlacing flags of the frame are kept, unless it is shared.

    Args:
        frame: in a planar format; its own chroma may be overwritten, unless it is shared.
        target: format of the encoder.
        cb: [h, w] of target.chroma_size, in the depth of `frame`.
        cr: like `cb`.
        is_shared: others still use `frame`: it is not written to.
    """
    source = parse_format(frame.format.name)
    assert source is not None, frame.format.name
    shift = target.depth - source.depth
    if frame.format.name == target.name and not is_shared:
        composed = frame
        composed.make_writable()
    else:
        if frame.format.name == target.name:
            composed = av.VideoFrame(frame.width, frame.height, target.name)
        else:
            # reformat is used for what it copies along; all its planes are then overwritten.
            composed = frame.reformat(format=target.name)
        plane(composed, 0)[:] = _deepened(plane(frame, 0), target, shift)
    plane(composed, 1)[:] = _deepened(cb, target, shift)
    plane(composed, 2)[:] = _deepened(cr, target, shift)
    return composed


def own_chroma(
    source: av.VideoFrame, working: WorkingFormat, target: PlanarFormat, matrix: int
) -> tuple[Plane, Plane]:
    """The chroma that a frame came with, as `with_chroma` takes it.

    Bit for bit where the layout is the target's; else resampled, of RGB computed.

    Args:
        source: the frame as decoded.
        working: of the film; the depth of the result.
        target: format of the encoder; the layout of the result.
        matrix: of Y'CbCr, for RGB; as in H.273.
    """
    depth = "" if working.planar.depth == 8 else f"{working.planar.depth}le"
    name = f"yuv{target.subsampling}p{depth}"
    current = parse_format(source.format.name)
    if current is None or current.name != name:
        computed = {"dst_color_range": _FULL_RANGE, "dst_colorspace": matrix}
        source = source.reformat(format=name, **(computed if working.is_computed else {}))
    return plane(source, 1), plane(source, 2)


def _deepened(samples: Plane, target: PlanarFormat, shift: int) -> Plane:
    if not shift:
        return samples
    wide: Plane = samples.astype(target.dtype)
    return np.left_shift(wide, shift)
