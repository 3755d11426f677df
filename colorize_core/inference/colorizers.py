"""The colorizers of one worker."""

from __future__ import annotations

from colorize_core.config import ColorizeConfig
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.devices import Device, Precision


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
