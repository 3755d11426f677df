"""Black-and-white pictures as scanners, cameras and tape decks give them, made from color photos.

Every kind takes a gray picture [H, W], sRGB-encoded 0..1, and a random generator, and returns RGB
[H, W, 3] 0..1. `KINDS` gives each its least share that must be found to be gray.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

Array = NDArray[np.float64]
Rng = np.random.Generator
Kind = Callable[[Array, Rng], Array]


def gray(picture: Array, _: Rng) -> Array:
    """Neutral, three channels."""
    return np.repeat(picture[..., None], 3, 2)


def noisy(sigma: float) -> Kind:
    """Independent noise of `sigma` of 255 in each channel."""

    def kind(picture: Array, rng: Rng) -> Array:
        rgb = _base(picture, rng)
        return rgb + rng.normal(0, sigma / 255, rgb.shape)

    return kind


def channels_apart(picture: Array, rng: Rng) -> Array:
    """Each channel up to 3 pixels away, as line scanners do."""
    rgb = gray(picture, rng)
    for channel in (0, 2):
        shift = rng.integers(-3, 4, 2)
        rgb[..., channel] = np.roll(rgb[..., channel], shift, (0, 1))
    return rgb[3:-3, 3:-3] + rng.normal(0, 1.5 / 255, rgb[3:-3, 3:-3].shape)


def cast(picture: Array, rng: Rng) -> Array:
    """Warm or cold: other white and other black for each channel."""
    warm = rng.choice([-1, 1]) * rng.uniform(0.03, 0.16)
    white = np.array([1 + warm / 2, 1.0, 1 - warm]) / max(1 + warm / 2, 1 - warm, 1.0)
    black = rng.uniform(0, 0.05, 3)
    return black + gray(picture, rng) * (white - black)


def toned(shadow: float, light: float, chroma: tuple[float, float]) -> Kind:
    """One hue (degrees in Lab) in the shadows, another in the lights; +-12 degrees by chance."""

    def kind(picture: Array, rng: Rng) -> Array:
        hues = np.radians(np.array([shadow, light]) + rng.normal(0, 12, 2))
        strength = rng.uniform(*chroma)
        share = np.clip(picture + rng.normal(0, 0.1), 0, 1)[..., None]
        ab = [strength * np.array([np.cos(hue), np.sin(hue)]) for hue in hues]
        bell = np.sqrt(np.clip(4 * picture * (1 - picture), 0, 1))[..., None]
        return tint(picture, (ab[0] * (1 - share) + ab[1] * share) * (0.35 + 0.65 * bell))

    return kind


def faded(picture: Array, rng: Rng) -> Array:
    """Yellowed and bleached from one side to the other, more in one corner."""
    y, x = np.mgrid[0 : 1 : picture.shape[0] * 1j, 0 : 1 : picture.shape[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    ramp = (np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5) + 0.7) / 1.4
    pale = 0.1 + (0.85 - 0.25 * ramp) * picture
    hue = np.radians(rng.uniform(55, 100))
    yellow = rng.uniform(4, 10) + ramp * rng.uniform(6, 16)
    return tint(pale, (yellow * (0.4 + 0.6 * pale))[..., None] * [np.cos(hue), np.sin(hue)])


def matted(picture: Array, rng: Rng) -> Array:
    """A print in a colored mat."""
    rgb = _base(picture, rng)
    top, left = (int(rng.uniform(0.04, 0.15) * side) for side in picture.shape)
    return _framed(rgb, (top, left, top, left), _strong_color(rng), rng, texture=0.02)


def scanner_edge(picture: Array, rng: Rng) -> Array:
    """A colored edge on one to four sides."""
    rgb = _base(picture, rng)
    wide = max(2, int(rng.uniform(0.01, 0.05) * min(picture.shape)))
    sides = rng.random(4) < 0.6
    sides[rng.integers(4)] = True
    borders = tuple(wide * int(side) for side in sides)
    return _framed(rgb, borders, np.array([0.95, 0.5, 0.1]) + rng.normal(0, 0.08, 3), rng)


def on_a_table(picture: Array, rng: Rng) -> Array:
    """A print photographed on wood, cloth or felt."""
    rgb = _base(picture, rng)
    borders = tuple(int(rng.uniform(0.06, 0.28) * picture.shape[i % 2]) for i in range(4))
    return _framed(rgb, borders, _strong_color(rng), rng, texture=0.06)


def with_target(picture: Array, rng: Rng) -> Array:
    """A color target along one side, 4 to 9 % of the area."""
    rgb = _base(picture, rng)
    strip = max(12, int(rng.uniform(0.05, 0.10) * rgb.shape[0]))
    bar = np.ones((strip, rgb.shape[1], 3)) * 0.97
    patches = [(0, 0, 1), (0, 0.63, 0.79), (0, 0.6, 0.24), (1, 0.9, 0), (0.87, 0.12, 0.12)]
    patches += [(0.78, 0, 0.47), (1, 1, 1), (0.5, 0.5, 0.5), (0.08, 0.08, 0.08)]
    pitch = rgb.shape[1] // 10
    for i, color in enumerate(patches):
        x = pitch // 4 + i * pitch
        bar[strip // 8 : -strip // 8, x : x + int(0.9 * pitch)] = color
    return np.concatenate([rgb, bar]) if rng.random() < 0.7 else np.concatenate([bar, rgb])


def stamped(picture: Array, rng: Rng) -> Array:
    """An archive's stamp and a date in ink."""
    ink = [(0.75, 0.1, 0.12), (0.15, 0.2, 0.65), (0.4, 0.15, 0.6)][rng.integers(3)]

    def draw(canvas: ImageDraw.ImageDraw, width: int, height: int) -> None:
        r = rng.uniform(0.05, 0.09) * min(width, height)
        x, y = rng.uniform(0.1, 0.9) * width, rng.choice([0.12, 0.88]) * height
        line = max(1, int(r / 6))
        canvas.ellipse((x - r, y - r, x + r, y + r), outline=255, width=line)
        canvas.line((x - r, y, x + r, y), fill=255, width=2 * line)
        size = int(rng.uniform(0.03, 0.05) * height) + 6
        canvas.text((0.66 * width, 0.9 * height), "14. 7. 1931", fill=255, font_size=size)

    return _drawn(_base(picture, rng), draw, np.array(ink))


def subtitled(picture: Array, rng: Rng) -> Array:
    """Burnt-in yellow subtitles."""

    def draw(canvas: ImageDraw.ImageDraw, width: int, height: int) -> None:
        size = int(rng.uniform(0.05, 0.075) * height) + 4
        for line in range(rng.integers(1, 3)):
            text = "and so they went on, as ever"[: rng.integers(12, 29)]
            place = (0.5 * width, (0.86 + 0.08 * line) * height)
            canvas.text(place, text, fill=255, font_size=size, anchor="mm")

    return _drawn(_base(picture, rng), draw, np.array([0.95, 0.9, 0.1]))


def with_logo(picture: Array, rng: Rng) -> Array:
    """A station's logo in a corner."""

    def draw(canvas: ImageDraw.ImageDraw, width: int, height: int) -> None:
        side = rng.uniform(0.05, 0.1) * min(width, height)
        x, y = rng.choice([0.05, 0.85]) * width, 0.06 * height
        canvas.rounded_rectangle((x, y, x + 1.4 * side, y + side), side / 4, fill=255)

    return _drawn(_base(picture, rng), draw, _strong_color(rng))


def tape_noise(picture: Array, rng: Rng) -> Array:
    """Chroma noise of sigma 2 to 8 codes before it is smeared along lines."""
    sigma, reach = rng.choice([2.0, 4.0, 8.0]) / 255, int(rng.integers(4, 13))
    height, width = picture.shape
    noise = rng.normal(0, sigma, (2, height, width + reach))
    sums = np.cumsum(noise, 2)
    smeared = (sums[..., reach:] - sums[..., :-reach])[..., :width] / np.sqrt(reach)
    return _from_ycc(picture, smeared[0], smeared[1])


def rainbows(picture: Array, rng: Rng) -> Array:
    """Cross-color: fine luma detail decoded as color bands that run diagonally."""
    height, width = picture.shape
    y, x = np.mgrid[:height, :width]
    detail = np.abs(np.diff(picture, axis=1, append=picture[:, -1:]))
    soft = ndimage.uniform_filter(detail, 7)
    strength = np.minimum(soft * rng.uniform(0.5, 1.5), 0.12)
    phase = 2 * np.pi * (x / rng.uniform(9, 40) + y / rng.uniform(9, 40))
    smear = rng.normal(0, 2 / 255, picture.shape)
    return _from_ycc(picture, strength * np.sin(phase) + smear, strength * np.cos(phase) + smear)


def hand_tinted(rgb: Array, rng: Rng) -> Array:
    """Color laid over a gray print in a few soft washes: this one is in color."""
    small = Image.fromarray((rgb * 255).astype(np.uint8)).filter(ImageFilter.MedianFilter(7))
    washes = small.quantize(int(rng.integers(5, 9)), dither=Image.Dither.NONE).convert("RGB")
    color = np.asarray(washes.filter(ImageFilter.GaussianBlur(2)), np.float64) / 255
    print_ = gray(luma(rgb), rng)
    return print_ + rng.uniform(0.8, 1.2) * (color - luma(color)[..., None])


def washed(rgb: Array, rng: Rng) -> Array:
    """Hand tinting as studios did it: washes, each of a hue of its own, over parts of a print."""
    small = Image.fromarray((rgb * 255).astype(np.uint8)).filter(ImageFilter.MedianFilter(7))
    parts = np.asarray(small.quantize(int(rng.integers(5, 9)), dither=Image.Dither.NONE))
    count = int(parts.max()) + 1
    hues, chromas = rng.uniform(0, 2 * np.pi, count), rng.uniform(5, 18, count)
    chromas *= rng.random(count) < 0.6
    ab = (chromas * np.array([np.cos(hues), np.sin(hues)])).T[parts]
    soft = ndimage.gaussian_filter(ab, (2, 2, 0))
    return tint(luma(rgb), soft + rng.choice([0, 1]) * np.array([2.0, 9.0]))


def pale(rgb: Array, rng: Rng) -> Array:
    """Fog, snow or night: a third to a fifth of the color, brighter or darker."""
    weak = luma(rgb)[..., None] + rng.uniform(0.2, 0.35) * (rgb - luma(rgb)[..., None])
    return [0.45 + 0.5 * weak, 0.3 + 0.7 * weak**0.6, 0.5 * weak**1.3][rng.integers(3)]


KINDS: Final[dict[str, tuple[Kind, float]]] = {
    "neutral": (gray, 0.98),
    **{f"noise {sigma}": (noisy(sigma), 0.98 if sigma <= 4 else 0.9) for sigma in range(1, 7)},
    "channels apart": (channels_apart, 0.9),
    "cast": (cast, 0.98),
    "sepia": (toned(70, 80, (10, 30)), 0.98),
    "selenium": (toned(330, 340, (3, 12)), 0.98),
    "cyanotype": (toned(260, 240, (15, 40)), 0.98),
    "split toning": (toned(260, 75, (6, 18)), 0.9),
    "fading": (faded, 0.98),
    "mat": (matted, 0.98),
    "scanner edge": (scanner_edge, 0.98),
    "table": (on_a_table, 0.98),
    "target": (with_target, 0.98),
    "stamp": (stamped, 0.98),
    "subtitles": (subtitled, 0.98),
    "logo": (with_logo, 0.98),
    "tape noise": (tape_noise, 0.98),
    "rainbows": (rainbows, 0.9),
}
COLOR_KINDS: Final = {"hand-tinted": hand_tinted, "washes": washed, "pale": pale}


def luma(rgb: Array) -> Array:
    """BT.601 Y' of sRGB-encoded [H, W, 3]."""
    return rgb @ np.array([0.299, 0.587, 0.114])


def tint(picture: Array, ab: Array) -> Array:
    """RGB of a gray picture's L with the given ab [H, W, 2]."""
    from skimage.color import lab2rgb, rgb2lab

    lab = rgb2lab(np.repeat(np.clip(picture, 0, 1)[..., None], 3, 2))
    lab[..., 1:] = ab
    return np.asarray(lab2rgb(lab))


def _base(picture: Array, rng: Rng) -> Array:
    """Neutral, sepia or with a cast: what the other kinds are laid over."""
    kinds = (gray, toned(70, 80, (8, 25)), cast)
    return kinds[rng.integers(3)](picture, rng)


def _strong_color(rng: Rng) -> Array:
    from skimage.color import lab2rgb

    hue, chroma = rng.uniform(0, 2 * np.pi), rng.uniform(18, 45)
    lab = [rng.uniform(30, 75), chroma * np.cos(hue), chroma * np.sin(hue)]
    return np.asarray(lab2rgb(lab))


def _framed(
    rgb: Array, borders: tuple[int, ...], color: Array, rng: Rng, texture: float = 0.0
) -> Array:
    top, left, bottom, right = borders
    height, width = rgb.shape[0] + top + bottom, rgb.shape[1] + left + right
    grain = rng.normal(0, 1, (height, 1, 1)) + 0.3 * rng.normal(0, 1, (height, width, 1))
    frame = np.clip(color * (1 + texture * grain), 0, 1)
    frame[top : top + rgb.shape[0], left : left + rgb.shape[1]] = rgb
    return frame


def _drawn(
    rgb: Array, draw: Callable[[ImageDraw.ImageDraw, int, int], None], color: Array
) -> Array:
    height, width = rgb.shape[:2]
    mask = Image.new("L", (width, height))
    draw(ImageDraw.Draw(mask), width, height)
    share = np.asarray(mask, np.float64)[..., None] / 255
    return rgb * (1 - share) + color * share


def _from_ycc(picture: Array, cb: Array, cr: Array) -> Array:
    red, blue = picture + 1.402 * cr, picture + 1.772 * cb
    return np.stack([red, picture - 0.344 * cb - 0.714 * cr, blue], 2)
