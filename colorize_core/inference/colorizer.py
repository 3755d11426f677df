"""The generator with its device, precision and memory fallbacks; and the one-picture API."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from colorize_core.color.letterbox import Letterbox
from colorize_core.color.look import Look, apply_look
from colorize_core.color.pixels import merge_to_pixels, pixels_to_L
from colorize_core.config import ColorizeConfig
from colorize_core.errors import (
    ConfigError,
    InputError,
    ModelError,
    OutOfMemoryError,
)
from colorize_core.inference.any_picture import AnyPicture, as_pixels, like_given
from colorize_core.inference.hints import Hint, follow_hints, hint_planes, what_is_meant
from colorize_core.model.checkpoint import LoadedGenerator, load_generator
from colorize_core.model.files import resolve_weights
from colorize_core.model.generator import FlagshipUNet
from colorize_core.model.onnx_contract import is_onnx
from colorize_core.model.onnx_generator import OnnxGenerator, load_onnx
from colorize_core.model.scale import L_to_net, net_to_ab

log = logging.getLogger(__name__)

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "fp32", "bf16"]
T = TypeVar("T")

# Of the encoder's pyramid, what frames are compared by: 1/8 and 1/16.
_COMPARED: Final = (2, 3)


@dataclass(frozen=True)
class Recognized:
    """What the generator says of n pictures, and what its encoder recognized in the same pass.

    Attributes:
        ab: (n, 2, S, T) float32 on the CPU.
        levels: features (n, C, s, t) at 1/8 and 1/16, likewise.
    """

    ab: Tensor
    levels: tuple[Tensor, ...]

    def chunk(self, count: int) -> list[Recognized]:
        """In `count` equal parts."""
        parts = zip(self.ab.chunk(count), *(x.chunk(count) for x in self.levels), strict=True)
        return [Recognized(ab, tuple(levels)) for ab, *levels in parts]


class Colorizer:
    """Predicts ab from L, in batches of a fixed size.

    Every batch is padded to `batch_size`: kernels may round differently for other sizes, and a
    picture's color must not depend on how many neighbors it was packed with.

    Args:
        generator: from load_generator or load_onnx.
        device: "auto" takes CUDA when there is one; "mps" is Apple's GPU.
        precision: "fp32", "bf16" autocast, or "auto": bf16 where the device has it.
        batch_size: pictures per forward pass.
        render_size: working long side in pixels, a multiple of 32.
    """

    def __init__(
        self,
        generator: LoadedGenerator | OnnxGenerator,
        *,
        device: Device = "auto",
        precision: Precision = "fp32",
        batch_size: int = 1,
        render_size: int = 256,
    ) -> None:
        self.device = resolve_device(device)
        self.batch_size = batch_size
        self.render_size = render_size
        self.weights_sha256 = generator.sha256
        self.takes_hints = generator.takes_hints
        self._notes: list[str] = []
        self.precision = precision if precision != "auto" else best_precision(self.device)
        self._module = generator.module.to(self.device)
        # channels_last is in no overload of Module.to's stub.
        self._module = self._module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._cpu_module: torch.nn.Module | None = None

    @classmethod
    def load(
        cls,
        weights: str | Path = "shipped",
        *,
        device: Device = "auto",
        precision: Precision = "fp32",
        batch_size: int = 1,
        render_size: int = 256,
    ) -> Colorizer:
        """Load a generator.

        Args:
            weights: "shipped", or the path of a .safetensors file of this project, or of an .onnx
                with its contract beside it (see model.onnx_contract).
            device: see the class.
            precision: see the class.
            batch_size: see the class.
            render_size: see the class.

        Raises:
            ModelError: the file is missing, damaged, of another architecture, or not what its
                contract says.
            ConfigError: the device is not there, or bf16 is asked of an .onnx.
        """
        path = resolve_weights(str(weights))
        if is_onnx(path):
            precision = _onnx_precision(path, precision)
            generator: LoadedGenerator | OnnxGenerator = load_onnx(path, resolve_device(device))
        else:
            generator = load_generator(path)
        return cls(
            generator,
            device=device,
            precision=precision,
            batch_size=batch_size,
            render_size=render_size,
        )

    def __repr__(self) -> str:
        return (
            f"Colorizer(weights={self.weights_sha256[:12]}, device={self.device}, "
            f"precision={self.precision}, batch_size={self.batch_size}, "
            f"render_size={self.render_size})"
        )

    def require_weights(self, sha256: str) -> None:
        """Refuse to go on with other weights than the caller planned with.

        Raises:
            ModelError: the loaded file has another sha256.
        """
        if self.weights_sha256 != sha256:
            raise ModelError(
                f"weights have sha256 {self.weights_sha256[:12]}, the run was planned with "
                f"{sha256[:12]}",
                remedy="do not change the weights file during a run; start the run again",
            )

    def take_notes(self) -> list[str]:
        """Fallbacks since the last call, for the report."""
        notes, self._notes = self._notes, []
        return notes

    @property
    def can_recognize(self) -> bool:
        """Whether the generator has an encoder that tells what is to be seen."""
        return isinstance(self._module, FlagshipUNet)

    def recognize(self, L: Tensor) -> list[Tensor]:
        """The encoder's features at 1/2, 1/4, 1/8, 1/16 and 1/32, on the CPU.

        Args:
            L: (B, 1, S, T) float32, 0..100, S and T multiples of 32; looked at one by one.

        Raises:
            ConfigError: the generator has no such encoder.
            OutOfMemoryError: see `predict_ab`.
        """
        self._require_encoder()
        return list(self._in_memory(partial(_pyramid, L), 1, L.shape[-1]))

    def predict_and_recognize(
        self, L: Tensor, *, carried: Tensor | None = None, look: Look = "natural"
    ) -> Recognized:
        """Color of a batch of any length, and what of the encoder's features it rests on.

        Args:
            L: see `predict_ab`.
            carried: see `predict_ab`.
            look: see `predict_ab`.

        Raises:
            ConfigError: the generator has no such encoder.
            OutOfMemoryError: see `predict_ab`.
        """
        self._require_encoder()
        return self._predict(L, None, carried, look, _COMPARED)

    def predict_ab(
        self,
        L: Tensor,
        hints: Tensor | None = None,
        *,
        carried: Tensor | None = None,
        look: Look = "natural",
    ) -> Tensor:
        """Color of a batch of any length.

        Args:
            L: (B, 1, S, T) float32, 0..100, S and T multiples of 32.
            hints: (B, 3, S, T) ab/110 and mask, or None.
            carried: (B, 3, S, T) ab in Lab units from other pictures and confidence, or None.
            look: what becomes of the generator's color; what is known stays.

        Returns:
            ab: (B, 2, S, T) float32 on the CPU.

        Raises:
            OutOfMemoryError: not even one picture fits, on the device and on the CPU.
        """
        return self._predict(L, hints, carried, look).ab

    def predict_pictures(
        self,
        boxes: Sequence[Letterbox],
        shown: Sequence[Tensor],
        hints: Sequence[Tensor | None] | None = None,
        *,
        carried: Sequence[Tensor | None] | None = None,
        look: Look = "natural",
    ) -> list[Tensor]:
        """Color of pictures of different shapes; those that are shown alike share batches.

        Args:
            boxes: how each lies in what is shown.
            shown: L (n, 1, S, T) of each, from its box.
            hints: (n, 3, S, T) of each that has some, or None.
            carried: likewise, see `predict_ab`.
            look: see `predict_ab`.

        Returns:
            ab (1, 2, h, w) of each, in the stored size of its box.

        Raises:
            OutOfMemoryError: see `predict_ab`.
        """
        nothing: list[Tensor | None] = [None] * len(shown)
        hints, carried = hints or nothing, carried or nothing
        alike: dict[tuple[object, ...], list[int]] = {}
        for i, L in enumerate(shown):
            kind = (hints[i] is None, carried[i] is None, *L.shape[-2:])
            alike.setdefault(kind, []).append(i)
        results: dict[int, Tensor] = {}
        for group in alike.values():
            rest = self.predict_ab(
                torch.cat([shown[i] for i in group]),
                _together([hints[i] for i in group]),
                carried=_together([carried[i] for i in group]),
                look=look,
            )
            for i in group:
                results[i], rest = rest[: len(shown[i])], rest[len(shown[i]) :]
        return [box.from_working(results[i]) for i, box in enumerate(boxes)]

    def colorize(
        self,
        gray: AnyPicture,
        hints: Sequence[Hint] | None = None,
        *,
        reference: np.ndarray | Sequence[np.ndarray] = (),
        look: Look = "natural",
    ) -> np.ndarray:
        """Colorize one picture.

        Args:
            gray: path of a photo, PIL image, or array (H, W), (H, W, 1) or (H, W, 3) of uint8,
                uint16 or floats in 0..1, sRGB-encoded; of color only L is used, of a file the
                first page.
            hints: known colors, or None.
            reference: color pictures (H, W, 3) of the same things, uint8 or uint16, sRGB-encoded;
                colors are taken from them where they show what `gray` shows.
            look: what becomes of the generator's color; what is known stays.

        Returns:
            rgb: (H, W, 3) of the same dtype, sRGB-encoded; of a file its own depth.

        Raises:
            UnsupportedError: another kind, shape, dtype or range, or a reference without color.
            InputError: the file cannot be read as a photo.
            ConfigError: a hint outside of the picture, or a generator without encoder.

        >>> import numpy as np
        >>> gray = np.linspace(0, 1, 64 * 48, dtype=np.float32).reshape(64, 48)
        >>> rgb = Colorizer.load(device="cpu", render_size=64).colorize(gray)
        >>> rgb.shape, rgb.dtype
        ((64, 48, 3), dtype('float32'))
        """
        from colorize_core.inference.references import carry_to, colored_pixels, known_colors

        pixels = as_pixels(gray)
        L = pixels_to_L(pixels)
        box = Letterbox.of_picture(L, self.render_size)
        low = box.shrink(L)
        shown = box.to_working(low)
        drawn = [hint_planes(hints, box, L.shape[-2:])] if hints else None
        references = [reference] if isinstance(reference, np.ndarray) else reference
        known = [part for r in references for part in known_colors(self, colored_pixels(r))]
        carried = [carry_to(self, shown, known)]
        (ab,) = self.predict_pictures([box], [shown], drawn, carried=carried, look=look)
        return like_given(merge_to_pixels(L, ab, low, dtype=pixels.dtype), gray)

    def _predict(
        self,
        L: Tensor,
        hints: Tensor | None,
        carried: Tensor | None,
        look: Look,
        levels: Sequence[int] = (),
    ) -> Recognized:
        parts, features = [], []
        for start in range(0, L.shape[0], self.batch_size):
            chunk = L[start : start + self.batch_size]
            clues = None if hints is None else hints[start : start + self.batch_size]
            work = partial(self._in_chunks, chunk, clues, levels)
            raw, *seen = self._in_memory(work, self.batch_size, L.shape[-1])
            ab = apply_look(raw, look)
            known = None if carried is None else carried[start : start + self.batch_size]
            if known is not None:
                ab = torch.lerp(ab, known[:, :2], known[:, 2:].expand_as(ab))
            if clues is not None:
                ab = self._hinted(chunk, clues, ab, look, known)
            parts.append(ab)
            features.append(seen)
        return Recognized(
            torch.cat(parts), tuple(torch.cat(x) for x in zip(*features, strict=True))
        )

    def _hinted(
        self, L: Tensor, hints: Tensor, ab: Tensor, look: Look, carried: Tensor | None
    ) -> Tensor:
        """What a batch becomes with its hints, from what the generator says of it with them."""
        followed = follow_hints(ab, L, hints)
        if not self.can_recognize:
            return followed
        # The generator bends all of a picture toward a hint, also what is something else.
        alone = self._predict(L, None, carried, look, _COMPARED)
        return torch.lerp(alone.ab, followed, what_is_meant(alone.levels, L, hints))

    def _require_encoder(self) -> None:
        if not self.can_recognize:
            raise ConfigError(
                "this generator cannot compare pictures", remedy="leave references out"
            )

    def _in_memory(
        self, work: Callable[[torch.nn.Module, torch.device, int], T], size: int, side: int
    ) -> T:
        """Work in batches of `size`; of less, and in the end on the CPU, where memory is short."""
        while True:
            try:
                return work(self._module, self.device, size)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                # The failed pass may have left its blocks in the cache.
                _free_cache(self.device)
            if size == 1:
                break
            size //= 2
            self._note(f"out of memory: batch halved to {size}")
        self._note("out of memory with one picture: computed on the CPU")
        try:
            if self._cpu_module is None:
                self._cpu_module = copy.deepcopy(self._module).to("cpu")
            return work(self._cpu_module, torch.device("cpu"), 1)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemoryError(
                f"no memory for one picture at working size {side}",
                remedy="use a smaller render.size or a machine with more memory",
            ) from error

    def _in_chunks(
        self,
        L: Tensor,
        hints: Tensor | None,
        levels: Sequence[int],
        module: torch.nn.Module,
        device: torch.device,
        size: int,
    ) -> list[Tensor]:
        """The ab of pictures, and these levels of what is recognized in them."""
        parts = []
        for start in range(0, L.shape[0], size):
            chunk = _pad_batch(L[start : start + size], size)
            clues = None if hints is None else _pad_batch(hints[start : start + size], size)
            parts.append(self._forward(chunk, clues, levels, module, device))
        return [torch.cat(x)[: L.shape[0]] for x in zip(*parts, strict=True)]

    @torch.inference_mode()
    def _forward(
        self,
        L: Tensor,
        hints: Tensor | None,
        levels: Sequence[int],
        module: torch.nn.Module,
        device: torch.device,
    ) -> list[Tensor]:
        L = L_to_net(L).to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)
        clues = None if hints is None else hints.to(device)
        pyramid: list[Tensor] = []
        with torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            if levels:
                assert isinstance(module, FlagshipUNet)
                pyramid, described = module.encoder.recognize(L)
                ab = module.color(pyramid, described, clues)
            else:
                ab = module(L, clues)
        ab = net_to_ab(ab.float()).cpu()
        if not torch.isfinite(ab).all():
            raise InputError(
                "the generator gave values that are not numbers",
                remedy="use precision fp32, or other weights",
            )
        return [ab, *(pyramid[level].float().cpu() for level in levels)]

    def _note(self, text: str) -> None:
        log.warning(text)
        if text not in self._notes:
            self._notes.append(text)


class Colorizers:
    """The colorizers of one worker: loaded once per precision, batch and working size.

    Args:
        weights: "shipped" or a path.
        weights_sha256: what the run was planned with; other bytes are refused.
        device: see Colorizer.
    """

    def __init__(self, weights: str, weights_sha256: str, device: Device) -> None:
        self._weights, self._weights_sha256, self._device = weights, weights_sha256, device
        self._loaded: dict[tuple[Precision, int, int], Colorizer] = {}

    def get(self, config: ColorizeConfig) -> Colorizer:
        """The one for these settings.

        Raises:
            ModelError: the weights cannot be used, or are not those of the plan.
        """
        precision, render = config.model.precision, config.render
        key = (precision, render.batch_size, render.size)
        if key not in self._loaded:
            colorizer = Colorizer.load(
                self._weights,
                device=self._device,
                precision=precision,
                batch_size=render.batch_size,
                render_size=render.size,
            )
            colorizer.require_weights(self._weights_sha256)
            self._loaded[key] = colorizer
        return self._loaded[key]


@torch.inference_mode()
def _pyramid(L: Tensor, module: torch.nn.Module, device: torch.device, size: int) -> list[Tensor]:
    """What is recognized in pictures, `size` at a time."""
    assert isinstance(module, FlagshipUNet)
    parts = [
        [level.float().cpu() for level in module.encoder.pyramid(L_to_net(chunk).to(device))]
        for chunk in torch.split(L, size)
    ]
    return [torch.cat(levels) for levels in zip(*parts, strict=True)]


def is_out_of_memory(error: BaseException) -> bool:
    """True for every form in which torch and Python say that memory is short."""
    # torch's allocators for CPUs and Apple's GPUs raise a plain RuntimeError.
    texts = ("can't allocate memory", "MPS backend out of memory")
    is_kind = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return is_kind or any(text in str(error) for text in texts)


def resolve_device(device: Device) -> torch.device:
    """The torch device for a setting.

    Raises:
        ConfigError: "cuda" without a CUDA device, "mps" without Apple's GPU.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device cuda: torch sees no CUDA device", remedy="use --device cpu")
    if device == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("device mps: torch sees no Apple GPU", remedy="use --device cpu")
    return torch.device(device)


def _together(parts: Sequence[Tensor | None]) -> Tensor | None:
    found = [part for part in parts if part is not None]
    return torch.cat(found) if found else None


def has_bf16(device: torch.device) -> bool:
    """Whether the device computes bf16 itself; one that does not takes longer than with fp32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
    return False


def best_precision(device: torch.device) -> Literal["fp32", "bf16"]:
    """What `auto` means on one device."""
    return "bf16" if has_bf16(device) else "fp32"


def _onnx_precision(path: Path, precision: Precision) -> Precision:
    if precision == "bf16":
        raise ConfigError(
            f"{path}: an ONNX file computes as it was written, not in bf16",
            remedy="leave out model.precision",
        )
    return "fp32"


def _free_cache(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def _pad_batch(x: Tensor, size: int) -> Tensor:
    missing = size - x.shape[0]
    return x if missing <= 0 else torch.cat([x, x[-1:].expand(missing, -1, -1, -1)])
