"""Recognise a file's format by its first bytes, and name formats that cannot be read."""

import struct
from collections.abc import Mapping
from pathlib import PurePosixPath

HEAD_BYTES = 132
"""First bytes of a file that are enough to recognise it."""
READ: Mapping[str, frozenset[str]] = {
    "AVIF": frozenset({".avif", ".avifs"}),
    "BMP": frozenset({".bmp", ".dib"}),
    "GIF": frozenset({".gif"}),
    "JPEG": frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp", ".mpo"}),
    "PNG": frozenset({".png", ".apng"}),
    "PPM": frozenset({".ppm", ".pgm", ".pbm", ".pnm"}),
    "TIFF": frozenset({".tif", ".tiff"}),
    "WEBP": frozenset({".webp"}),
}
"""Formats that are read, as Pillow names them, with the suffixes that their files have."""
SUFFIXES = frozenset().union(*READ.values())
_RAW_WORDS = """3fr arw cr2 cr3 crw dcr dng erf iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl
sr2 srf srw x3f"""
_RAW = frozenset(f".{word}" for word in _RAW_WORDS.split())
_UNREAD_SUFFIXES: Mapping[str, str] = {
    **dict.fromkeys((".heic", ".heif", ".hif", ".heics", ".heifs"), "HEIC"),
    ".jxl": "JPEG XL",
    **dict.fromkeys((".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"), "JPEG 2000"),
    **dict.fromkeys((".jxr", ".wdp", ".hdp"), "JPEG XR"),
    ".jls": "JPEG-LS",
    ".psd": "Photoshop",
    ".psb": "Photoshop",
    ".xcf": "GIMP",
    ".svg": "SVG",
    ".svgz": "SVG",
    ".eps": "EPS",
    ".ico": "ICO",
    ".icns": "ICNS",
    ".tga": "TGA",
    ".pcx": "PCX",
    ".dds": "DDS",
    ".exr": "OpenEXR",
    ".hdr": "Radiance HDR",
    ".qoi": "QOI",
    ".pfm": "PFM",
    ".pam": "PAM",
    ".sgi": "SGI",
    ".dcm": "DICOM",
    ".dicom": "DICOM",
    ".djvu": "DjVu",
    **dict.fromkeys(_RAW, "camera raw"),
}
IMAGE_SUFFIXES = SUFFIXES | _UNREAD_SUFFIXES.keys()
"""Suffixes of images, read or not: such a file is never passed over."""
_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"8BPS\0", "Photoshop"),
    (b"gimp xcf ", "GIMP"),
    (b"icns\0", "ICNS"),
    (b"DDS |\0\0\0", "DDS"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"qoif", "QOI"),
    (b"AT&TFORM", "DjVu"),
    (b"FUJIFILMCCD-RAW", "camera raw"),
    (b"IIU\0", "camera raw"),
    (b"IIRO", "camera raw"),
    (b"MMOR", "camera raw"),
    (b"IIRS", "camera raw"),
    (b"FOVb", "camera raw"),
    (b"\0MRM", "camera raw"),
)
_HEIF_BRANDS = {
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"crx ": "camera raw",
    **dict.fromkeys(
        (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"),
        "HEIC",
    ),
}
_BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_TEXTS: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer; run `git lfs pull`"),
    (b"version https://hawser.github.com/spec/", "a Git LFS pointer; run `git lfs pull`"),
    (b"/annex/objects/", "a git-annex pointer; run `git annex get`"),
    (b"<!doctype html", "a web page, not an image"),
    (b"<html", "a web page, not an image"),
    (b"<head", "a web page, not an image"),
    (b"<body", "a web page, not an image"),
    (b"<svg", "an SVG file, which is not read"),
    (b"<?xml", "an XML text, not an image"),
    (b"{", "a JSON text, not an image"),
    (b"%pdf-", "a PDF file, not an image"),
    (b"%!ps-adobe", "an EPS file, which is not read"),
    (b"pk\3\4", "a zip archive, not an image"),
    (b"rar!\x1a\x07", "a rar archive, not an image"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive, not an image"),
    (b"\x1f\x8b\x08", "a gzip file, not an image"),
    (b"bzh", "a bzip2 file, not an image"),
    (b"\x1aE\xdf\xa3".lower(), "a video, not an image"),
)
"""Beginnings of texts, in lower case, after blanks and a mark of Unicode, and their messages."""


def image_format(head: bytes) -> str | None:
    """Return the image format shown by a file's first HEAD_BYTES; None for other files."""
    if found := next((kind for start, kind in _STARTS if head.startswith(start)), None):
        raw = found == "TIFF" and head[8:10] == b"CR"
        return "camera raw" if raw else found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[128:132] == b"DICM":
        return "DICOM"
    if head[4:8] == b"ftyp":
        return _heif(head)
    if head[:2] == b"BM" and len(head) >= 18:
        # A text may begin with these two letters.
        (size,) = struct.unpack_from("<I", head, 14)
        return "BMP" if size in _BMP_HEADERS else None
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in b" \t\r\n":
        return "PPM" if head[3:4].isdigit() or head[3:4] in (b"#", b" ", b"\n") else None
    return None


def _heif(head: bytes) -> str | None:
    """Return the HEIF format by the major brand, else by the compatible brands."""
    (length,) = struct.unpack_from(">I", head)
    brands = [head[8:12]] + [head[at : at + 4] for at in range(16, min(length, len(head)), 4)]
    kinds = [_HEIF_BRANDS[brand] for brand in brands if brand in _HEIF_BRANDS]
    return "AVIF" if "AVIF" in kinds else (kinds[0] if kinds else None)


def unread(name: str, head: bytes) -> str | None:
    """Explain why a file is not a readable image, as far as its first bytes and name show.

    Args:
        name: file name; its suffix counts where the bytes fit several formats: most camera raw
            files are TIFF files whose first picture is a thumbnail.
        head: the first HEAD_BYTES of the file.

    Returns:
        A few words; None where only the decoder can tell.
    """
    kind = image_format(head)
    suffix = PurePosixPath(name).suffix.lower()
    if kind == "TIFF" and suffix in _RAW:
        return f"a camera raw file ({suffix}), which is not read"
    if kind in READ:
        return None
    if kind is not None:
        return _not_read(kind)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if said := next((what for text, what in _TEXTS if start.startswith(text)), None):
        return said
    if head[4:8] == b"ftyp" or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return "a video, not an image"
    named = _UNREAD_SUFFIXES.get(suffix)
    return f"{_not_read(named)} (by its name)" if named and head else None


def _not_read(kind: str) -> str:
    article = "an" if kind.startswith(("EPS", "ICO", "ICNS", "OpenEXR", "SVG", "SGI")) else "a"
    return f"{article} {kind} file, which is not read"
