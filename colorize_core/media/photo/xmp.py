"""XMP packets: the source's is kept, what is untrue in color goes, the note is added.

Source: ISO 16684-1 (XMP), IPTC Photo Metadata Standard (DigitalSourceType).
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.dom import minidom
from xml.parsers.expat import ExpatError

from colorize_core.media.picture.note import ComputedColorNote

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMP = "http://ns.adobe.com/xap/1.0/"
IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
TIFF = "http://ns.adobe.com/tiff/1.0/"
EXIF = "http://ns.adobe.com/exif/1.0/"
NOTE = "urn:x-colorize-archive:note:1.0#"
DIGITAL_SOURCE_TYPE = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
)
LONGEST_PACKET = 8_000_000
_XMLNS = "http://www.w3.org/2000/xmlns/"

# Untrue once the picture is in color: thumbnails, the gray profile's name, the way it was
# digitized, the size tags.
_STALE = frozenset(
    {
        (XMP, "Thumbnails"),
        (PHOTOSHOP, "ICCProfile"),
        (PHOTOSHOP, "ColorMode"),
        (IPTC_EXT, "DigitalSourceType"),
        (EXIF, "ColorSpace"),
        (TIFF, "PhotometricInterpretation"),
        (TIFF, "SamplesPerPixel"),
        (TIFF, "BitsPerSample"),
        (NOTE, "Software"),
        (NOTE, "WeightsSha256"),
    }
)
_TURNED = frozenset(
    {
        (TIFF, "Orientation"),
        (TIFF, "ImageWidth"),
        (TIFF, "ImageLength"),
        (EXIF, "PixelXDimension"),
        (EXIF, "PixelYDimension"),
    }
)
# Promises of what stands behind the picture (Motion Photo format 1.0 and its forerunner).
_CAMERA = "http://ns.google.com/photos/1.0/camera/"
_CONTAINER = "http://ns.google.com/photos/1.0/container/"
_FILM = frozenset(
    {
        (_CONTAINER, "Directory"),
        *(
            (_CAMERA, name + suffix)
            for name in ("MotionPhoto", "MicroVideo")
            for suffix in ("", "Version", "Offset", "PresentationTimestampUs")
        ),
    }
)
_EMPTY = (
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"></rdf:RDF></x:xmpmeta>'
).encode()


def check_packet(packet: bytes) -> int:
    """Check that a packet can be merged.

    Returns:
        Bytes of the result with an empty note. It may be far longer than `packet`: `"` and `>` are
        written as entities.

    Raises:
        ValueError: it is no well-formed XMP, has a document type (entities), or is far too long or
            too deep.
    """
    try:
        return len(merged_packet(packet, ComputedColorNote("", "")))
    except RecursionError as error:
        raise ValueError("XMP packet is nested too deeply") from error


def merged_packet(
    packet: bytes | None,
    note: ComputedColorNote,
    *,
    turned: bool = False,
    keeps_film: bool = False,
) -> bytes:
    """The source's packet plus the note that color is computed; a new packet if there was none.

    The creator tool of the source is kept: it names what made the original. Ours stands in our own
    namespace, and as the creator tool only where the source names none.

    Args:
        packet: the source's XMP, with or without its `<?xpacket` wrapper.
        note: software and weights to name.
        turned: the pixels were turned upright, so the packet's own orientation and size tags go.
        keeps_film: what follows the picture in its file is written again, as the packet says.

    Raises:
        ValueError: `packet` cannot be parsed.
    """
    document = _parse(packet if packet is not None else _EMPTY)
    rdf = document.getElementsByTagNameNS(RDF, "RDF")[0]
    descriptions = [
        n for n in _elements(rdf) if (n.namespaceURI, n.localName) == (RDF, "Description")
    ]
    untrue = _STALE | (_TURNED if turned else frozenset())
    for description in descriptions:
        _drop(description, untrue if keeps_film else untrue | _FILM)
    ours = document.createElementNS(RDF, "rdf:Description")
    ours.setAttributeNS(_XMLNS, "xmlns:rdf", RDF)
    # All descriptions of a packet must be about the same resource.
    about = descriptions[0].getAttributeNS(RDF, "about") if descriptions else ""
    ours.setAttributeNS(RDF, "rdf:about", about)
    properties = [
        ("Iptc4xmpExt", IPTC_EXT, "DigitalSourceType", DIGITAL_SOURCE_TYPE),
        ("colorize", NOTE, "Software", note.software),
        ("colorize", NOTE, "WeightsSha256", note.weights_sha256),
    ]
    if not any(_has(d, XMP, "CreatorTool") for d in descriptions):
        properties.append(("xmp", XMP, "CreatorTool", note.software))
    for prefix, uri, name, value in properties:
        ours.setAttributeNS(_XMLNS, f"xmlns:{prefix}", uri)
        element = document.createElementNS(uri, f"{prefix}:{name}")
        element.appendChild(document.createTextNode(value))
        ours.appendChild(element)
    rdf.appendChild(ours)
    root = document.documentElement
    assert root is not None
    body = root.toxml().encode()
    begin = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'.encode()
    return begin + body + b'\n<?xpacket end="w"?>'


def _parse(packet: bytes) -> minidom.Document:
    if len(packet) > LONGEST_PACKET:
        raise ValueError(f"XMP packet of {len(packet)} bytes")
    # Entities could expand without bound, and XMP forbids them.
    if b"<!" in packet.replace(b"<!--", b"").replace(b"<![CDATA[", b"") or b"\0" in packet.strip(
        b"\0"
    ):
        raise ValueError("XMP packet with a document type, or not UTF-8")
    try:
        document = minidom.parseString(packet.strip(b"\0 \t\r\n"))
    except (ExpatError, UnicodeDecodeError) as error:
        raise ValueError(f"XMP packet is not well-formed: {error}") from error
    if not document.getElementsByTagNameNS(RDF, "RDF"):
        raise ValueError("XMP packet without rdf:RDF")
    return document


def _elements(node: minidom.Element) -> Iterator[minidom.Element]:
    for child in node.childNodes:
        if isinstance(child, minidom.Element):
            yield child


def _has(description: minidom.Element, uri: str, name: str) -> bool:
    if description.hasAttributeNS(uri, name):
        return True
    return any((n.namespaceURI, n.localName) == (uri, name) for n in _elements(description))


def _drop(description: minidom.Element, names: frozenset[tuple[str, str]]) -> None:
    """Remove properties in both of their spellings, attribute and element."""
    for uri, name in names:
        if description.hasAttributeNS(uri, name):
            description.removeAttributeNS(uri, name)
    for child in list(_elements(description)):
        if (child.namespaceURI, child.localName) in names:
            description.removeChild(child)
