"""What a file that is not read is, by its suffix or its first bytes, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

HEAD_BYTES: Final = 16_384  # as media/picture/sniff.py wants


class Unread(NamedTuple):
    """What looks like a picture, film, document or archive and is not read."""

    path: str
    suffix: str
    reason: str
    remedy: str


class _Kind(NamedTuple):
    what: str
    remedy: str
    suffixes: str


_AS_TIFF: Final = "save it as TIFF or PNG with the program that made it"
_AS_FILM: Final = (
    "name it by itself, as SRC or in a list (@): then its content decides; or convert it to MKV or "
    "MP4, for example with ffmpeg"
)
_KINDS: Final = (
    _Kind(
        "a camera raw file",
        "develop it to TIFF or JPEG with a raw converter",
        "3fr ari arw bay cap cr2 cr3 crw dcr dcs dng erf fff gpr iiq k25 kdc mdc mef mos mrw nef "
        "nrw orf pef ptx pxn r3d raf raw rw2 rwl rwz sr2 srf srw x3f",
    ),
    _Kind(
        "a picture of a kind that is not read",
        _AS_TIFF,
        "ai art bpg cdr cgm cin clip cpt cur dcm dds djv djvu ecw emf eps exr fits fli flif fpx "
        "hdp hdr icns ico iff ilbm jbg jbig jbig2 jls jng jpm jxr kra lbm mac mng nii ora pam pcd "
        "pct pdn pfm pgf pict pix psp pspimage qoi qtif ras rgb rgba sai sgi sid skp sun svg svgz "
        "wbmp wdp wmf wpg xbm xcf xpm",
    ),
    _Kind(
        "a film of a kind that is not read",
        _AS_FILM,
        "3g2 amv bik braw dpg dvr-ms fli flc flic gxf hevc h265 265 insv ism ivf lrv "
        "m2p m4p mjp mjpeg mjpg mjp2 mj2 mlv mpe mpv mp2v mpg2 mpv2 mqv nsv nuv obu "
        "ogm ogx rec rm rmvb roq smk swf tp trp vc1 vdr vro wtv xesc yuv",
    ),
    _Kind(
        "a document, which is not looked into",
        "export its pictures to a folder",
        "chm doc docm docx dot dotx epub fb2 indd key mobi odg odp ods odt oxps pages pot potx "
        "pps ppsx ppt pptm pptx ps pub rtf vsd vsdx wpd xls xlsm xlsx xps",
    ),
    _Kind(
        "an archive inside the source, which is not opened",
        "give it as SRC by itself, or unpack it",
        "7z ace alz arc arj bz2 cab cbr cbz cpio deb dmg gz hqx iso lha lzh lz lz4 lzma lzo nrg "
        "rar rpm sit sitx tar taz tbz tbz2 tgz tlz txz tzst xz z zip zipx zst mdf toast vhd "
        "vhdx vmdk",
    ),
)
_BY_SUFFIX: Final = {f".{name}": kind for kind in _KINDS for name in kind.suffixes.split()}
# Of films by cameras and Video CDs, but of other data much more often: the first bytes decide.
DOUBTFUL_FILMS: Final = frozenset({".dat", ".mod", ".tod"})
# They belong to a picture or film beside them.
SIDECARS: Final = frozenset(
    f".{name}"
    for name in (
        *("xmp", "json", "srt", "txt", "aae", "thm", "sub", "idx", "ass", "ssa", "vtt", "csv"),
        *("xml", "yaml", "yml", "md", "ini", "nfo", "pp3", "dop", "cos", "on1", "ifo", "bup"),
        *("icc", "icm", "gpx", "kml", "md5", "sha1", "sha256", "sha512", "sfv", "cpi", "mpl"),
    )
)
# Named in so many words, so that they need not be opened.
OTHERS: Final = frozenset(
    f".{name}"
    for name in (
        *(
            "aac",
            "ac3",
            "ogg",
            "oga",
            "cue",
            "aif",
            "aifc",
            "aiff",
            "amr",
            "ape",
            "dts",
            "flac",
            "m3u",
            "m3u8",
            "m4a",
        ),
        *("m4b", "mid", "midi", "mka", "mp2", "mp3", "opus", "pls", "wav", "wma", "wv"),
        *("htm", "html", "xhtml", "mht", "css", "js", "php", "asp", "aspx", "url", "webloc", "lnk"),
        *("exe", "dll", "msi", "app", "bat", "cmd", "com", "sys", "so", "dylib", "sh", "ps1"),
        *("py", "pyc", "c", "h", "cpp", "java", "class", "jar", "apk", "rb", "pl", "go", "rs"),
        *("db", "db-shm", "db-wal", "sqlite", "sqlite3", "mdb", "accdb", "dbf", "plist", "log"),
        *("ttf", "otf", "woff", "woff2", "lock", "toml", "cfg", "conf", "reg", "ics", "vcf"),
        *("eml", "msg", "pst", "mbox", "torrent", "lrcat", "pal", "swp", "sig", "asc", "pem"),
    )
)
_PICTURE, _FILM, _DOCUMENT, _ARCHIVE = _KINDS[1:]
# (offset, bytes, what it is, kind)
_SIGNATURES: Final = (
    (0, b"\xff\xd8\xff", "a JPEG", _PICTURE),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG", _PICTURE),
    (0, b"II*\0", "a TIFF", _PICTURE),
    (0, b"MM\0*", "a TIFF", _PICTURE),
    (0, b"GIF8", "a GIF", _PICTURE),
    (8, b"WEBP", "a WebP", _PICTURE),
    (0, b"8BPS", "a Photoshop picture", _PICTURE),
    (4, b"jP  ", "a JPEG 2000", _PICTURE),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000", _PICTURE),
    (4, b"JXL ", "a JPEG XL", _PICTURE),
    (4, b"ftypheic", "a HEIC picture", _PICTURE),
    (4, b"ftypheix", "a HEIC picture", _PICTURE),
    (4, b"ftypmif1", "a HEIF picture", _PICTURE),
    (4, b"ftypavif", "an AVIF picture", _PICTURE),
    (0, b"SDPX", "a DPX picture", _PICTURE),
    (0, b"XPDS", "a DPX picture", _PICTURE),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture", _PICTURE),
    (4, b"ftyp", "an MP4 or QuickTime film", _FILM),
    (4, b"moov", "a QuickTime film", _FILM),
    (4, b"mdat", "a QuickTime film", _FILM),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM film", _FILM),
    (8, b"AVI ", "an AVI film", _FILM),
    (0, b"\0\0\1\xba", "an MPEG film", _FILM),
    (0, b"\0\0\1\xb3", "an MPEG film", _FILM),
    (0, b"FLV\1", "a Flash film", _FILM),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media file", _FILM),
    (0, b"\x06\x0e\x2b\x34", "an MXF film", _FILM),
    (0, b".RMF", "a RealMedia film", _FILM),
    (0, b"%PDF", "a PDF", _DOCUMENT),
    (0, b"%!PS", "a PostScript file", _DOCUMENT),
    (0, b"{\\rtf", "an RTF document", _DOCUMENT),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document", _DOCUMENT),
    (0, b"AT&TFORM", "a DjVu document", _DOCUMENT),
    (0, b"PK\3\4", "a zip", _ARCHIVE),
    (0, b"\x1f\x8b\x08", "a gzip", _ARCHIVE),
    (0, b"BZh", "a bzip2", _ARCHIVE),
    (0, b"\xfd7zXZ", "an xz", _ARCHIVE),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard file", _ARCHIVE),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z", _ARCHIVE),
    (0, b"Rar!\x1a\x07", "a RAR", _ARCHIVE),
    (257, b"ustar", "a tar", _ARCHIVE),
)


def unread_by_suffix(path: str, suffix: str) -> Unread | None:
    """What a suffix stands for; None for what is no picture, film, document or archive."""
    kind = _BY_SUFFIX.get(suffix)
    return Unread(path, suffix, f"{kind.what} ({suffix})", kind.remedy) if kind else None


def unread_by_head(path: str, suffix: str, head: bytes) -> Unread | None:
    """Likewise by the first HEAD_BYTES of a file whose suffix says nothing."""
    for offset, mark, what, kind in _SIGNATURES:
        if head.startswith(mark, offset):
            reason = f"{what} by its content, under the suffix {suffix or '(none)'}"
            remedy = kind.remedy if kind is _ARCHIVE else "give it its true suffix"
            return Unread(path, suffix, reason, remedy)
    if head[:1] == b"\x47" and head[188:189] == b"\x47" and head[376:377] == b"\x47":
        reason = f"an MPEG transport stream by its content, under the suffix {suffix or '(none)'}"
        return Unread(path, suffix, reason, "give it the suffix .ts")
    return None


def by_suffix(unread: Iterable[Unread]) -> dict[str, int]:
    """How many of each suffix, the most first."""
    return dict(Counter(item.suffix or "without suffix" for item in unread).most_common())


def says_nothing(suffix: str) -> bool:
    """Whether only the content can tell what a file of this suffix is."""
    return suffix not in _BY_SUFFIX and suffix not in SIDECARS and suffix not in OTHERS


def is_mpeg(head: bytes) -> bool:
    """Whether a file begins as an MPEG program or transport stream, or as a Video CD's."""
    is_program = head.startswith(b"\0\0\1\xba")
    is_transport = head[:1] == b"G" and head[188:189] == b"G"
    is_stamped = head[4:5] == b"G" and head[196:197] == b"G"  # with a time before each packet
    return is_program or is_transport or is_stamped or (head[:4], head[8:12]) == (b"RIFF", b"CDXA")
