"""Transfer curves of film: between encoded gray and L, and from light to R'G'B'.

Camera curves (BT.709, BT.601, SMPTE 170M, BT.2020 10 and 12 bit; here "bt1886") are read as sRGB,
as players on computers show them: what counts is the light on the viewer's screen, not in front of
the camera, and the generator learned L from sRGB pictures. PQ (SMPTE ST 2084) and HLG (ITU-R
BT.2100, 1000 cd/m2, system gamma 1.2) are turned into display light relative to 203 cd/m2, the
diffuse white of ITU-R BT.2408; L above 80 passes a shoulder that keeps highlights below 100 and is
undone on the way back.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import torch
from torch import Tensor

from colorize_core.color.lab import (
    L_to_luminance,
    linear_to_srgb,
    luminance_to_L,
    srgb_to_linear,
)

Transfer = Literal["bt1886", "srgb", "gamma22", "gamma28", "linear", "pq", "hlg"]
TRANSFERS: Final = get_args(Transfer)
_POWERS: Final = {"gamma22": 2.2, "gamma28": 2.8, "linear": 1.0}
HDR: Final = ("pq", "hlg")

_WHITE_NITS: Final = 203.0
_SHOULDER_FROM: Final = 80.0
_SHOULDER_ROOM: Final = 100.0 - _SHOULDER_FROM

_PQ_M1, _PQ_M2 = 2610 / 16384, 2523 / 4096 * 128
_PQ_C1, _PQ_C2, _PQ_C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_HLG_A: Final = 0.17883277
_HLG_B: Final = 1.0 - 4.0 * 0.17883277
_HLG_C: Final = 0.55991073
_HLG_GAMMA: Final = 1.2
_HLG_NITS: Final = 1000.0


def encoded_to_L(encoded: Tensor, transfer: Transfer) -> Tensor:
    """L, 0..100, of gray R' = G' = B' in [0,1], any shape."""
    if transfer == "pq":
        return _with_shoulder(_pq_to_nits(encoded) / _WHITE_NITS)
    if transfer == "hlg":
        nits = _HLG_NITS * _hlg_to_scene(encoded).pow(_HLG_GAMMA)
        return _with_shoulder(nits / _WHITE_NITS)
    if transfer in _POWERS:
        return luminance_to_L(encoded.pow(_POWERS[transfer]))
    return luminance_to_L(srgb_to_linear(encoded))


def L_to_encoded(L: Tensor, transfer: Transfer) -> Tensor:
    """Gray R' = G' = B' in [0,1] of L, any shape: the inverse of `encoded_to_L`."""
    if transfer == "pq":
        return _nits_to_pq(without_shoulder(L) * _WHITE_NITS)
    if transfer == "hlg":
        scene = (without_shoulder(L) * (_WHITE_NITS / _HLG_NITS)).pow(1.0 / _HLG_GAMMA)
        return _scene_to_hlg(scene)
    if transfer in _POWERS:
        return L_to_luminance(L).clamp(min=0.0).pow(1.0 / _POWERS[transfer])
    return linear_to_srgb(L_to_luminance(L))


def encode(linear: Tensor, transfer: Transfer, kr_kb: tuple[float, float]) -> Tensor:
    """R'G'B' of display light, odd below 0.

    Args:
        linear: [B,3,h,w] in the stream's primaries; 1 is white (SDR) or 203 cd/m2 (PQ, HLG).
        transfer: of the stream.
        kr_kb: shares of R and B in luminance, which HLG's system gamma looks at.
    """
    if transfer == "pq":
        return torch.copysign(_nits_to_pq(linear.abs() * _WHITE_NITS), linear)
    if transfer == "hlg":
        light = linear * (_WHITE_NITS / _HLG_NITS)
        kr, kb = kr_kb
        luminance = light[:, :1] * kr + light[:, 1:2] * (1.0 - kr - kb) + light[:, 2:] * kb
        scene = light * luminance.clamp(min=1e-9).pow((1.0 - _HLG_GAMMA) / _HLG_GAMMA)
        return torch.copysign(_scene_to_hlg(scene.abs()), linear)
    if transfer in _POWERS:
        return torch.copysign(linear.abs().pow(1.0 / _POWERS[transfer]), linear)
    return linear_to_srgb(linear)


def _with_shoulder(luminance: Tensor) -> Tensor:
    L = luminance_to_L(luminance)
    above = (L - _SHOULDER_FROM).clamp(min=0.0)
    return torch.where(
        L <= _SHOULDER_FROM, L, _SHOULDER_FROM + _SHOULDER_ROOM * above / (above + _SHOULDER_ROOM)
    )


def without_shoulder(L: Tensor) -> Tensor:
    """Luminance over 203 cd/m2 of an L that PQ or HLG gave."""
    # 99.5 is above what 10,000 cd/m2 reach; beyond it the inverse runs off to infinity.
    above = (L - _SHOULDER_FROM).clamp(0.0, 99.5 - _SHOULDER_FROM)
    straight = _SHOULDER_FROM + _SHOULDER_ROOM * above / (_SHOULDER_ROOM - above)
    return L_to_luminance(torch.where(L <= _SHOULDER_FROM, L, straight))


def _pq_to_nits(encoded: Tensor) -> Tensor:
    root = encoded.pow(1.0 / _PQ_M2)
    base = (root - _PQ_C1).clamp(min=0.0) / (_PQ_C2 - _PQ_C3 * root)
    return 10000.0 * base.pow(1.0 / _PQ_M1)


def _nits_to_pq(nits: Tensor) -> Tensor:
    power = (nits / 10000.0).clamp(min=0.0).pow(_PQ_M1)
    return ((_PQ_C1 + _PQ_C2 * power) / (1.0 + _PQ_C3 * power)).pow(_PQ_M2)


def _hlg_to_scene(encoded: Tensor) -> Tensor:
    bright = (torch.exp((encoded - _HLG_C) / _HLG_A) + _HLG_B) / 12.0
    return torch.where(encoded <= 0.5, encoded * encoded / 3.0, bright)


def _scene_to_hlg(scene: Tensor) -> Tensor:
    bright = _HLG_A * torch.log((12.0 * scene - _HLG_B).clamp(min=1e-6)) + _HLG_C
    return torch.where(scene <= 1.0 / 12.0, (3.0 * scene.clamp(min=0.0)).sqrt(), bright)
