"""Metadata survives, what became untrue goes, and every result says that its color is computed."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image, IptcImagePlugin

from colorize_core.media.photo import ifd
from colorize_core.media.photo.exif import clean_resources, exif_orientation, normalized_exif
from colorize_core.media.photo.formats.jpeg_segments import JPEG_XMP
from colorize_core.media.photo.xmp import check_packet, merged_packet
from tests.media.photo.photo_helpers import (
    COMPUTED,
    NOTE,
    SOURCE_TYPE,
    color_picture,
    decoded,
    encoded,
    gray_picture,
    png_chunk,
    saved,
    tiff_bytes,
    xmp_properties,
)

GRAY = gray_picture()
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
PACKET = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">
<rdf:Description rdf:about="uuid:1" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:my="http://my.example/"
 tiff:Orientation="6" photoshop:ICCProfile="Dot Gain 20%" photoshop:City="Bergen" my:shelf="7">
 <dc:title xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Alt>
  <rdf:li xml:lang="x-default">Fj\u00f8rd &amp; &lt;b\u00e5t&gt;</rdf:li></rdf:Alt></dc:title>
 <xmp:CreatorTool xmlns:xmp="http://ns.adobe.com/xap/1.0/">Scanner 9</xmp:CreatorTool>
 <xmp:Thumbnails xmlns:xmp="http://ns.adobe.com/xap/1.0/"><rdf:Alt><rdf:li>AAAA</rdf:li></rdf:Alt>
 </xmp:Thumbnails>
 <i:DigitalSourceType xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">negativeFilm\
</i:DigitalSourceType>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>""".encode()
EXIF_IFD, GPS_IFD = 0x8769, 0x8825
IIM = b"\x1c\x02\x69" + struct.pack(">H", 10) + b"Old street"
MAKER_NOTE = b"maker notes hold offsets \x00\x01\x02\xff" * 3


def sample_exif(orientation=6):
    exif = Image.Exif()
    exif[0x010F] = "Flextight"
    exif[0x0112] = orientation
    exif[0x011A], exif[0x011B] = 600.0, 300.0
    inner = exif.get_ifd(EXIF_IFD)
    inner[0x9003] = "1931:05:04 10:00:00"
    inner[0xA001] = 65535
    inner[0xA002], inner[0xA003] = GRAY.shape[1], GRAY.shape[0]
    inner[0x927C] = MAKER_NOTE
    exif.get_ifd(GPS_IFD)[1] = "N"
    exif.get_ifd(GPS_IFD)[2] = (52.0, 30.0, 1.5)
    return exif


def resources():
    """IPTC-IIM with a headline, a gray thumbnail, a URL."""

    def block(identifier, body):
        head = b"8BIM" + struct.pack(">H", identifier) + b"\0\0" + struct.pack(">I", len(body))
        return head + body + b"\0" * (len(body) % 2)

    return block(1028, IIM) + block(1036, b"thumbnail!!") + block(1035, b"http://x.example")


def segment(marker, body):
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def opened(data):
    return Image.open(io.BytesIO(data))


def packet_in(data):
    image = opened(data)
    if image.format == "TIFF":
        return bytes(image.tag_v2[700])
    if image.format == "BMP":
        return data[data.index(b"<?xpacket begin") :]
    packet = image.info["xmp" if image.format != "PNG" else "XML:com.adobe.xmp"]
    return packet if isinstance(packet, bytes) else packet.encode()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "PPM"])
def test_every_result_says_that_its_color_is_computed(kind):
    properties = xmp_properties(packet_in(encoded(decoded(saved(GRAY, kind)))))
    assert properties[SOURCE_TYPE] == COMPUTED
    assert properties["{urn:x-colorize-archive:note:1.0#}Software"] == NOTE.software
    assert properties["{urn:x-colorize-archive:note:1.0#}WeightsSha256"] == NOTE.weights_sha256
    assert properties["{http://ns.adobe.com/xap/1.0/}CreatorTool"] == NOTE.software


def test_every_page_of_a_tiff_says_it():
    result = encoded(decoded(tiff_bytes(GRAY, GRAY[:9])))
    with tifffile.TiffFile(io.BytesIO(result)) as file:
        for page in file.pages:
            assert xmp_properties(bytes(page.tags[700].value))[SOURCE_TYPE] == COMPUTED


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_survives_with_its_untrue_parts_corrected(kind):
    source = saved(GRAY, kind, exif=sample_exif().tobytes())
    result = opened(encoded(decoded(source)))
    assert result.size == GRAY.shape
    exif = result.getexif()
    assert exif[0x010F] == "Flextight"
    assert exif.get(0x0112, 1) == 1
    inner = exif.get_ifd(EXIF_IFD)
    assert inner[0x9003] == "1931:05:04 10:00:00"
    assert inner[0x927C] == MAKER_NOTE
    assert inner[0xA001] == 1
    assert (inner[0xA002], inner[0xA003]) == GRAY.shape
    assert exif.get_ifd(GPS_IFD)[2] == (52.0, 30.0, 1.5)
    if kind != "TIFF":
        assert (exif[0x011A], exif[0x011B]) == (300.0, 600.0)


def test_nothing_in_an_exif_block_moves():
    block = sample_exif().tobytes().removeprefix(b"Exif\0\0")
    patched = normalized_exif(block, swapped=False)
    assert len(patched) == len(block)
    assert patched.index(MAKER_NOTE) == block.index(MAKER_NOTE)
    assert sum(a != b for a, b in zip(patched, block, strict=True)) <= 4
    assert exif_orientation(patched) == 1


def exif_with_thumbnail(order="<"):
    """Orientation 3, and a thumbnail in the second directory."""
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    first = struct.pack(order + "HHHIHHI", 1, 274, 3, 1, 3, 0, 26)
    thumbnail = b"\xff\xd8gray thumbnail\xff\xd9"
    second = struct.pack(order + "HHHIIHHIII", 2, 513, 4, 1, 56, 514, 4, 1, len(thumbnail), 0)
    return mark + struct.pack(order + "I", 8) + first + second + thumbnail


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_gray_thumbnail_goes(order):
    block = exif_with_thumbnail(order)
    assert exif_orientation(block) == 3
    patched = normalized_exif(block, swapped=False)
    assert b"gray thumbnail" not in patched
    flavor, offset = ifd.read_header(patched)
    _, next_position = ifd.read_ifd(patched, flavor, offset)
    assert patched[next_position : next_position + 4] == bytes(4)
    source = saved(GRAY, "JPEG", exif=b"Exif\0\0" + block)
    assert b"gray thumbnail" not in encoded(decoded(source))


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 15, 21])
def test_cut_exif_is_dropped_with_a_warning_and_the_picture_stays(length):
    block = exif_with_thumbnail()[:length]
    source = saved(GRAY, "PNG")
    source = source[:33] + png_chunk(b"eXIf", block) + source[33:]
    photo = decoded(source)
    np.testing.assert_array_equal(photo.pages[0].pixels, GRAY)
    assert any("EXIF" in warning for warning in photo.warnings)
    assert b"eXIf" not in encoded(photo)


def test_exif_directories_that_point_to_themselves_end():
    block = bytearray(exif_with_thumbnail())
    struct.pack_into("<HHII", block, 10, EXIF_IFD, 4, 1, 8)
    assert normalized_exif(bytes(block), swapped=True)
    tags = ifd.take_directory(bytes(block), ifd.Flavor("<"), 8)
    assert len(tags.entries) == 1


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG", "TIFF"])
def test_xmp_is_merged(kind):
    exif = Image.Exif()
    exif[274] = 6
    options = {"xmp": PACKET}
    if kind == "TIFF":
        options = {"tiffinfo": {700: PACKET, 274: 6}}
    source = saved(GRAY, kind, **options, **({} if kind == "TIFF" else {"exif": exif}))
    if kind == "PNG":
        text = b"XML:com.adobe.xmp\0\0\0\0\0" + PACKET
        source = source[:33] + png_chunk(b"iTXt", text) + source[33:]
    packet = packet_in(encoded(decoded(source)))
    properties = xmp_properties(packet)
    assert properties[SOURCE_TYPE] == COMPUTED
    assert properties["{http://ns.adobe.com/xap/1.0/}CreatorTool"] == "Scanner 9"
    assert properties[f"{{{RDF}}}li"] == "Fjørd & <båt>"
    text = packet.decode()
    assert 'photoshop:City="Bergen"' in text
    assert 'my:shelf="7"' in text
    for gone in ("tiff:Orientation", "Dot Gain", "Thumbnails", "negativeFilm"):
        assert gone not in text
    assert text.count('rdf:about="uuid:1"') == 2


def test_orientation_in_xmp_stays_where_the_pixels_were_not_turned():
    assert b"tiff:Orientation" in merged_packet(PACKET, NOTE, turned=False)
    assert b"tiff:Orientation" not in merged_packet(PACKET, NOTE, turned=True)


def test_merging_twice_changes_nothing():
    once = merged_packet(PACKET, NOTE)
    assert xmp_properties(merged_packet(once, NOTE)) == xmp_properties(once)
    assert merged_packet(once, NOTE).count(b"DigitalSourceType>") == 2


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"<x",
        b"<x:xmpmeta/>",
        b"<a xmlns='urn:b'>no rdf</a>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        PACKET.decode().replace("\ufeff", "").encode("utf-16"),
        PACKET[:-400],
        PACKET.replace(b"Scanner 9", b"<b>" * 5000 + b"</b>" * 5000),
        PACKET.replace(b"Bergen", b"\xff\xfe"),
    ],
)
def test_xmp_that_cannot_be_merged_is_dropped_with_a_warning(packet):
    with pytest.raises(ValueError, match="XMP"):
        check_packet(packet)
    photo = decoded(
        tiff_bytes(GRAY, extratags=[(700, 1, len(packet), packet, True)] if packet else [])
    )
    assert bool(photo.warnings) == bool(packet)
    assert xmp_properties(packet_in(encoded(photo)))[SOURCE_TYPE] == COMPUTED


def test_xmp_that_outgrows_its_segment_is_dropped_with_a_warning():
    source = saved(GRAY, "JPEG")

    def packet(text):
        return PACKET.replace(b"Scanner 9", text.encode())

    def photo_with(text):
        return decoded(source[:20] + segment(0xE1, JPEG_XMP + packet(text)) + source[20:])

    room = 65_001 - check_packet(packet("x"))
    # Each ">" is written as four bytes.
    for text, is_kept in (("x" * room, True), ("x" * (room + 1), False), (">" * 20_000, False)):
        photo = photo_with(text)
        assert any("XMP was left out: too long" in w for w in photo.warnings) is not is_kept
        result = packet_in(encoded(photo))
        assert xmp_properties(result)[SOURCE_TYPE] == COMPUTED
        assert (b"xxx" in result) is is_kept


def test_jpeg_keeps_iptc_comment_resolution_and_extended_xmp():
    source = saved(GRAY, "JPEG", dpi=(300, 200), xmp=PACKET)
    extension = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 40 + b"<x/>"
    parts = segment(0xED, b"Photoshop 3.0\0" + resources()) + segment(0xFE, b"from box 7")
    source = source[:20] + parts + segment(0xE1, extension) + source[20:]
    result = encoded(decoded(source))
    image = opened(result)
    assert IptcImagePlugin.getiptcinfo(image)[(2, 105)] == b"Old street"
    assert image.info["comment"] == b"from box 7"
    assert image.info["dpi"] == (300, 200)
    assert extension in result
    assert b"http://x.example" in result
    assert b"thumbnail!!" not in result


def test_resolution_turns_with_the_picture():
    exif = Image.Exif()
    exif[274] = 6
    for kind in ("JPEG", "PNG"):
        result = opened(encoded(decoded(saved(GRAY, kind, dpi=(300, 200), exif=exif))))
        assert tuple(round(value) for value in result.info["dpi"]) == (200, 300)
    source = tiff_bytes(
        GRAY,
        resolution=((6000, 10), (3000, 10)),
        resolutionunit="inch",
        extratags=[(274, 3, 1, 8, True)],
    )
    with tifffile.TiffFile(io.BytesIO(encoded(decoded(source)))) as file:
        across, down = (file.pages[0].tags[tag].value for tag in (282, 283))
        assert (across[0] / across[1], down[0] / down[1]) == (300, 600)


def test_damaged_iptc_is_dropped_with_a_warning():
    source = saved(GRAY, "JPEG")
    broken = segment(0xED, b"Photoshop 3.0\0" + resources()[:-30])
    photo = decoded(source[:20] + broken + source[20:])
    assert any("IPTC" in warning for warning in photo.warnings)
    assert sum(len(page.pixels) for page in photo.pages) == len(GRAY)


def test_resources_without_stale_ones():
    assert b"thumbnail" not in (clean_resources(resources()) or b"")
    assert clean_resources(b"") is None
    with pytest.raises(ValueError, match="resource"):
        clean_resources(b"8BIM" + bytes(2) + b"\0\0\0\0\1\0")


def test_png_text_is_kept_as_it_is():
    text = png_chunk(b"tEXt", b"Author\0K. Nyblin") + png_chunk(
        b"iTXt", "Title\0\0\0\0\0Fjørd".encode()
    )
    source = saved(GRAY, "PNG", dpi=(300, 300))
    source = source[:33] + text + source[33:]
    image = opened(encoded(decoded(source)))
    assert image.text["Author"] == "K. Nyblin"
    assert image.text["Title"] == "Fjørd"
    assert round(image.info["dpi"][0]) == 300


def test_exif_and_xmp_that_imagemagick_hides_in_png_text():
    block = sample_exif(8).tobytes()

    def raw(name, body):
        text = f"\n{name}\n{len(body):8}\n{body.hex()}\n".encode()
        return png_chunk(b"tEXt", b"Raw profile type " + name.encode() + b"\0" + text)

    source = saved(GRAY, "PNG")
    source = source[:33] + raw("exif", block) + raw("xmp", PACKET) + source[33:]
    photo = decoded(source)
    assert photo.pages[0].pixels.shape == GRAY.shape[::-1]
    result = opened(encoded(photo))
    assert result.getexif()[0x010F] == "Flextight"
    assert result.getexif()[0x0112] == 1
    assert b"Bergen" in packet_in(encoded(photo))
    assert "Raw profile type exif" not in result.text


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_tags_of_every_tiff_page_are_kept(order, big):
    def tags(text):
        return {
            "extratags": [
                (269, 2, 0, text, True),
                (315, 2, 0, "Ansel", True),
                (33723, 7, len(IIM), IIM, True),
                (34377, 1, len(resources()), resources(), True),
                (65000, 12, 2, (0.5, -2.0), True),
                (65001, 3, 3, (1, 2, 3), True),
            ],
            "description": text + " described",
        }

    source = tiff_bytes((GRAY, tags("one")), (GRAY[:5], tags("two")), order=order, big=big)
    with tifffile.TiffFile(io.BytesIO(encoded(decoded(source)))) as file:
        for page, text in zip(file.pages, ("one", "two"), strict=True):
            assert page.tags[269].value == text
            assert page.tags[270].value == text + " described"
            assert page.tags[315].value == "Ansel"
            assert page.tags[33723].value == IIM
            assert page.tags[65000].value == (0.5, -2.0)
            assert page.tags[65001].value == (1, 2, 3)
            assert b"Old street" in page.tags[34377].value
            assert b"thumbnail" not in page.tags[34377].value
            assert 274 not in page.tags


@pytest.mark.parametrize("prefix", ["<", ">"])
def test_exif_directories_of_both_byte_orders_and_of_bigtiff(prefix):
    source = saved(GRAY, "TIFF", exif=sample_exif(1).tobytes())
    photo = decoded(source)
    result = encoded(photo)
    assert opened(result).getexif().get_ifd(EXIF_IFD)[0x9003] == "1931:05:04 10:00:00"
    taken = photo.tiff.pages[0].exif
    for big in (False, True):
        flavor = ifd.Flavor(prefix, big=big)
        block = b"\0" * 16 + ifd.serialize(taken, flavor, 16)
        again = ifd.take_directory(block, flavor, 16)
        assert again == taken


def test_descriptions_that_state_a_layout_do_not_outlive_it():
    source = tiff_bytes((GRAY, {"description": '{"shape": [24, 40]}'}))
    with tifffile.TiffFile(io.BytesIO(encoded(decoded(source)))) as file:
        assert 270 not in file.pages[0].tags


def test_webp_without_metadata_and_color_sources_get_the_note_too():
    result = encoded(decoded(saved(color_picture(), "WEBP", lossless=True)))
    assert opened(result).format == "WEBP"
    assert not opened(result).getexif()
    assert xmp_properties(packet_in(result))[SOURCE_TYPE] == COMPUTED
