"""Which encoder takes a film without touching its Y', and with which options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import av

from colorize_core.errors import UnsupportedError
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.hdr import WRITERS_OF_LIGHT, light_options
from colorize_core.media.film.planes import PlanarFormat, parse_format

LOSSLESS = {"ffv1"}
# Who takes a film whose samples are too deep for the codec asked for.
_DEEPER = ("libx265", "ffv1")
# From the source's chroma layout to the nearest one that keeps as much.
_CHROMA = {
    "400": ("420", "422", "444"),
    "420": ("420", "422", "444"),
    "410": ("410", "420", "422", "444"),
    "411": ("411", "422", "444", "420"),
    "422": ("422", "444", "420"),
    "440": ("440", "444", "420"),
    "444": ("444", "422", "420"),
}
_SVT_PRESETS = {
    "veryslow": "2",
    "slower": "3",
    "slow": "4",
    "medium": "6",
    "fast": "8",
    "faster": "9",
    "veryfast": "10",
    "superfast": "11",
    "ultrafast": "12",
}
_BOTTOM_FIRST = {3, 5}  # AVFieldOrder: BB, BT

# Frames that each preset looks ahead (x264 --fullhelp, x265 --fullhelp), where that is many.
_LOOKAHEAD: Final[Mapping[str, Mapping[str, int]]] = {
    "libx264": {
        **{"veryfast": 10, "faster": 20, "fast": 30, "medium": 40, "slow": 50},
        **{"slower": 60, "veryslow": 60, "placebo": 60},
    },
    "libx265": {
        **{"superfast": 10, "veryfast": 15, "faster": 15, "fast": 15, "medium": 20, "slow": 25},
        **{"slower": 40, "veryslow": 40, "placebo": 60},
    },
}
# Memory of an encoder with one thread: bytes, frames, and frames for each that it looks ahead.
_MEMORY: Final[Mapping[str, tuple[int, float, float]]] = {
    "libx264": (20_000_000, 24.5, 2.2),
    "libx265": (120_000_000, 37.5, 2.8),
    "libsvtav1": (30_000_000, 135, 0),
    "prores_ks": (0, 10, 0),
}
_OTHERS_MEMORY: Final = (0, 8.0, 0.0)
_FFV1_BYTES: Final = 37  # of its buffer, for each pixel
_MOST_MEMORY: Final = 1_500_000_000  # for looking ahead
_ONE_BLOCK: Final = 64
_LEAST_LOOKAHEAD: Final = {"libx264": 4, "libx265": 9}  # it wants more than B-frames in a row


class EncoderSettings(Protocol):
    """The part of VideoSettings that this module reads."""

    @property
    def codec(self) -> str:
        """Name of the encoder."""
        ...

    @property
    def crf(self) -> int:
        """Constant quality, lower is better."""
        ...

    @property
    def preset(self) -> str:
        """Speed of the encoder."""
        ...

    @property
    def threads(self) -> int:
        """Threads of the encoder; part of the result's identity."""
        ...

    @property
    def deinterlace(self) -> str:
        """Either "keep" or "bwdif"."""
        ...

    @property
    def frames(self) -> str:
        """What a film becomes: "none", or "png" or "tiff" for a folder of pictures."""
        ...


@dataclass(frozen=True)
class Encoding:
    """How a film is written. `notes` say where that differs from what was asked for."""

    codec: str
    planar: PlanarFormat
    options: dict[str, str]
    threads: int
    notes: tuple[str, ...]

    @property
    def is_lossless(self) -> bool:
        """The decoded result equals what went in."""
        return self.codec in LOSSLESS


def choose_encoding(probe: FilmProbe, settings: EncoderSettings) -> Encoding:
    """Choose codec and pixel format so that every bit of the source's Y' reaches the encoder.

    A codec without the source's bit depth takes deeper samples, or gives way to one that has them.
    The chroma layout stays the source's where codec and picture size allow it.
    """
    notes: list[str] = []
    # Frames are taken from the segments again, so these must not lose anything.
    codec = "ffv1" if settings.frames != "none" else settings.codec
    planar = _fit(codec, probe)
    if planar is None:
        codec, planar = _deeper(probe)
        notes.append(f"{probe.planar.depth}-bit samples do not fit {settings.codec}: {codec}")
    wanted = probe.planar.subsampling
    if planar.subsampling != wanted and not (probe.planar.is_gray and planar.subsampling == "420"):
        asked = "4:2:0" if wanted == "400" else ":".join(wanted)
        notes.append(f"chroma is stored as {':'.join(planar.subsampling)}, not {asked}")
    if probe.is_rgb:
        notes.append("the source is RGB: its Y' is computed, once")
    interlaced = probe.is_interlaced and settings.deinterlace == "keep"
    if interlaced and codec == "libx265":
        # Its option for interlacing takes single fields as pictures and marks frames as such.
        notes.append("libx265 does not mark frames as interlaced: only the container says it")
    options = _options(codec, settings, planar, field_order=probe.field_order if interlaced else 0)
    if codec == "libx265" and max(probe.width, probe.height) <= _ONE_BLOCK:
        # Pictures of a single block of 64 come out otherwise in every run.
        options["x265-params"] += ":ctu=32"
    _limit_lookahead(options, codec, settings.preset, probe)
    _add_light(options, codec, probe)
    return Encoding(codec, planar, options, settings.threads, tuple(notes))


def _fit(codec: str, probe: FilmProbe) -> PlanarFormat | None:
    """Find the format of `codec` closest to the source's that holds its Y'; None without one."""
    offered = [parse_format(f.name) for f in av.codec.Codec(codec, "w").video_formats or ()]
    source = probe.planar
    fitting = [
        f
        for f in offered
        if f is not None
        and f.depth >= source.depth
        and not f.is_gray
        and (codec == "ffv1" or _divides(f, probe))
    ]
    order = _CHROMA[source.subsampling]
    fitting = [f for f in fitting if f.subsampling in order]
    return min(fitting, key=lambda f: (order.index(f.subsampling), f.depth), default=None)


def _divides(planar: PlanarFormat, probe: FilmProbe) -> bool:
    return probe.width % (1 << planar.shift_x) == 0 and probe.height % (1 << planar.shift_y) == 0


def _deeper(probe: FilmProbe) -> tuple[str, PlanarFormat]:
    for codec in _DEEPER:
        planar = _fit(codec, probe)
        if planar is not None:
            return codec, planar
    raise UnsupportedError(f"no encoder takes {probe.pix_fmt} of {probe.width} x {probe.height}")


def encoder_bytes(probe: FilmProbe, codec: str, preset: str) -> int:
    """About what an encoder of a film's frames takes at the most."""
    if codec == "ffv1":
        return min(2**31, _FFV1_BYTES * probe.width * probe.height) + 2 * probe.frame_bytes
    fixed, frames, each = _MEMORY.get(codec, _OTHERS_MEMORY)
    return fixed + round((frames + each * _lookahead(probe, codec, preset)) * probe.frame_bytes)


def _lookahead(probe: FilmProbe, codec: str, preset: str) -> int:
    """Frames that an encoder looks ahead: the preset's, or what its memory allows."""
    usual = _LOOKAHEAD.get(codec, {}).get(preset, 0)
    fixed, frames, each = _MEMORY.get(codec, _OTHERS_MEMORY)
    room = (_MOST_MEMORY - fixed) / probe.frame_bytes - frames
    return min(usual, max(_LEAST_LOOKAHEAD[codec], int(room / each))) if usual else 0


def _limit_lookahead(options: dict[str, str], codec: str, preset: str, probe: FilmProbe) -> None:
    """Let encoders look less far ahead in large frames: each one costs its memory."""
    lookahead = _lookahead(probe, codec, preset)
    if lookahead < _LOOKAHEAD.get(codec, {}).get(preset, 0):
        options[f"{codec.removeprefix('lib')}-params"] += f":rc-lookahead={lookahead}"


def _add_light(options: dict[str, str], codec: str, probe: FilmProbe) -> None:
    """Have the encoder write what an HDR film says about its light."""
    if codec not in WRITERS_OF_LIGHT:
        return
    name = {"libsvtav1": "svtav1-params"}.get(codec, f"{codec.removeprefix('lib')}-params")
    options[name] = ":".join([options[name], *light_options(codec, probe.light)])


def _options(
    codec: str, settings: EncoderSettings, planar: PlanarFormat, *, field_order: int
) -> dict[str, str]:
    field = "" if field_order <= 1 else "bff" if field_order in _BOTTOM_FIRST else "tff"
    crf, preset = str(settings.crf), settings.preset
    if codec == "libx264":
        # stitchable: headers do not depend on the content of a segment. cpu-independent: with
        # AVX-512, x264's macroblock tree gives other pixels in every run (decision 0014).
        extra = "stitchable=1:open-gop=0:cpu-independent=1" + (f":{field}=1" if field else "")
        return {"crf": crf, "preset": preset, "forced-idr": "1", "x264-params": extra}
    if codec == "libx265":
        extra = f"open-gop=0:pools={settings.threads}:frame-threads=1:log-level=error"
        return {"crf": crf, "preset": preset, "forced-idr": "1", "x265-params": extra}
    if codec == "libsvtav1":
        speed = _SVT_PRESETS.get(preset, preset)
        return {"crf": crf, "preset": speed, "svtav1-params": f"lp={settings.threads}"}
    if codec == "ffv1":
        return {"level": "3", "slicecrc": "1", "g": "1"}
    if codec == "prores_ks":
        return {"profile": "4444" if planar.subsampling == "444" else "hq"}
    return {"rc": "constqp", "qp": crf, "preset": "p5", "forced-idr": "1", "strict_gop": "1"}
