"""Files of formats that need more than one line to make."""

from __future__ import annotations

import io
import struct

import av
import imagecodecs
import pillow_heif
from PIL import Image

from tests.media.photo.photo_helpers import color_picture, gray_picture, saved

GRAY, COLOR = gray_picture(48, 64), color_picture(48, 64)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:source>box 7</dc:source></rdf:Description>'
    b"</rdf:RDF></x:xmpmeta>"
)


def exif_block(orientation=1):
    exif = Image.Exif()
    exif[271], exif[274] = "Leitz", orientation
    exif.get_ifd(34665)[36867] = "1931:05:04 10:00:00"
    return exif.tobytes().removeprefix(b"Exif\0\0")


def box(kind, body):
    return struct.pack(">I4s", len(body) + 8, kind) + body


def jp2_bytes(picture, *, metadata=False, **options):
    data = bytes(imagecodecs.jpeg2k_encode(picture, codecformat="jp2", **options))
    if not metadata:
        return data
    at = data.index(b"jp2h") - 4
    size = struct.unpack_from(">I", data, at)[0]
    resolution = box(b"res ", box(b"resc", struct.pack(">4H2b", 11811, 1, 11811, 1, 0, 0)))
    header = data[at + 8 : at + size] + resolution
    more = box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + XMP)
    more += box(b"uuid", b"JpgTiffExif->JP2" + exif_block())
    return data[:at] + box(b"jp2h", header) + more + data[at + size :]


def heif_bytes(picture, mode, **options):
    height, width = picture.shape[:2]
    file = pillow_heif.from_bytes(mode=mode, size=(width, height), data=picture.tobytes())
    buffer = io.BytesIO()
    file.save(buffer, quality=95, **options)
    return buffer.getvalue()


def resource(identifier, body):
    return b"8BIM" + struct.pack(">H2xI", identifier, len(body)) + body + b"\0" * (len(body) % 2)


def psd_bytes(planes, mode, *, packed=False, resources=b"", layers=b"", large=False):
    """`planes` CxHxW."""
    channels, height, width = planes.shape
    bits = 8 * planes.itemsize
    head = b"8BPS" + struct.pack(
        ">H6xHIIHH", 2 if large else 1, channels, height, width, bits, mode
    )
    head += struct.pack(">I", 0) + struct.pack(">I", len(resources)) + resources
    head += struct.pack(">Q" if large else ">I", len(layers)) + layers
    rows = [row.astype(f">u{planes.itemsize}").tobytes() for row in planes.reshape(-1, width)]
    if not packed:
        return head + b"\0\0" + b"".join(rows)
    coded = [imagecodecs.packbits_encode(row) for row in rows]
    counts = struct.pack(f">{len(rows)}{'I' if large else 'H'}", *map(len, coded))
    return head + b"\0\1" + counts + b"".join(coded)


def dpx_bytes(picture, pixel_format):
    frame = av.VideoFrame.from_ndarray(picture, format=pixel_format)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="image2pipe") as container:
        stream = container.add_stream("dpx", rate=1)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, pixel_format
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return buffer.getvalue()


def pdf_bytes(*pages, **options):
    images = [page if isinstance(page, Image.Image) else Image.fromarray(page) for page in pages]
    return saved(images[0], "PDF", save_all=True, append_images=images[1:], **options)


def mp4_bytes():
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(COLOR, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def motion_photo(film):
    packet = XMP.replace(
        b'rdf:about=""',
        b'rdf:about="" xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" '
        b'GCamera:MicroVideo="1" GCamera:MicroVideoOffset="%d"' % len(film),
    )
    return saved(GRAY, "JPEG", quality=95, xmp=packet) + film
