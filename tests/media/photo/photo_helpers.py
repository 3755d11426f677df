"""Pictures and container parts that the photo tests share."""

from __future__ import annotations

import io
import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import tifffile
from PIL import Image

from colorize_core.media.photo.codec import decode_photo, encode_photo
from colorize_core.media.photo.photo import Photo
from colorize_core.media.picture.note import ComputedColorNote

NOTE = ComputedColorNote("colorize-archive 0.1.0", "5e" * 32)
LIMIT = 1_000_000
SOURCE_TYPE = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
COMPUTED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


def color_picture(height=24, width=40):
    """Smooth, so that JPEG keeps it closely, and different under every turn and mirroring."""
    y, x = np.mgrid[0:height, 0:width]
    red = 40 + 180 * x / max(width - 1, 1)
    green = 30 + 190 * y / max(height - 1, 1)
    blue = 220 - 90 * (x / width + y / height)
    return np.stack([red, green, blue], axis=-1).round().astype(np.uint8)


def gray_picture(height=24, width=40):
    return np.asarray(Image.fromarray(color_picture(height, width)).convert("L"))


def deep(picture):
    """The same picture at 16 bit, low bytes in use."""
    noise = np.random.default_rng(1).integers(-90, 90, picture.shape)
    return (picture.astype(np.int64) * 257 + noise).clip(0, 65535).astype(np.uint16)


def saved(image, kind, **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff_bytes(*pages, big=False, order="<", **options):
    """Pages are arrays, or (array, options of that page)."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, bigtiff=big, byteorder=order) as writer:
        for page in pages:
            array, more = page if isinstance(page, tuple) else (page, {})
            writer.write(array, **{"metadata": None, "software": False, **options, **more})
    return buffer.getvalue()


def decoded(data, name="photo", limit=LIMIT) -> Photo:
    return decode_photo(data, name=name, max_pixels=limit)


def as_color(pixels):
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def tinted(photo):
    """Color pages for `photo`, different from its own pixels in every channel."""
    pages = []
    for page in photo.pages:
        color = as_color(page.pixels).astype(np.int64)
        top = np.iinfo(page.pixels.dtype).max
        color = (color * [1.0, 0.8, 0.6] + [0, top // 20, top // 10]).clip(0, top)
        pages.append(color.round().astype(page.pixels.dtype))
    return pages


def encoded(photo, pages=None, quality=95):
    return encode_photo(pages or tinted(photo), like=photo, jpeg_quality=quality, note=NOTE)


def xmp_properties(packet):
    """All property elements of a packet by qualified name."""
    root = ElementTree.fromstring(packet.strip(b"\0 \r\n\t"))
    return {node.tag: node.text for node in root.iter() if node.text and node.text.strip()}


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_bytes(samples, bits, color_type, *chunks, interlaced=False):
    """A PNG of any bit depth from HxWxS samples, which Pillow and OpenCV do not write."""

    def packed(part):
        if bits == 16:
            rows = part.astype(">u2").reshape(len(part), -1).view(np.uint8)
        else:
            flat = part.astype(np.uint8).reshape(len(part), -1)
            wide = np.unpackbits(flat[..., None], axis=2)[..., 8 - bits :]
            rows = np.packbits(wide.reshape(len(part), -1), axis=1)
        return b"".join(b"\0" + row.tobytes() for row in rows)

    passes = [(0, 0, 1, 1)]
    if interlaced:  # Adam7: first column and row, steps between columns and rows
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)]
        passes += [(0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    body = b"".join(
        packed(samples[y::dy, x::dx]) for x, y, dx, dy in passes if samples[y::dy, x::dx].size
    )
    header = struct.pack(
        ">IIBBBBB", samples.shape[1], samples.shape[0], bits, color_type, 0, 0, int(interlaced)
    )
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", header),
            *chunks,
            png_chunk(b"IDAT", zlib.compress(body)),
            png_chunk(b"IEND", b""),
        ]
    )
