"""A generator from its file, and the one-picture API."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from colorize_core.color.letterbox import Letterbox
from colorize_core.color.look import Look
from colorize_core.color.pixels import merge_to_pixels, pixels_to_L
from colorize_core.errors import ConfigError, ModelError
from colorize_core.inference.any_picture import AnyPicture, as_pixels, like_given
from colorize_core.inference.devices import Device, Precision, resolve_device
from colorize_core.inference.hints import Hint, hint_planes
from colorize_core.inference.predictor import Predictor
from colorize_core.model.checkpoint import LoadedGenerator, load_generator
from colorize_core.model.files import resolve_weights
from colorize_core.model.onnx_contract import is_onnx
from colorize_core.model.onnx_generator import OnnxGenerator, load_onnx


class Colorizer(Predictor):
    """A generator that is loaded from a file, and colors single pictures too."""

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


def _onnx_precision(path: Path, precision: Precision) -> Precision:
    if precision == "bf16":
        raise ConfigError(
            f"{path}: an ONNX file computes as it was written, not in bf16",
            remedy="leave out model.precision",
        )
    return "fp32"
