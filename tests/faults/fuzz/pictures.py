"""Image files, whole and by their first bytes."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from tests.faults.fuzz.damage import Kind, refusable, with_checksums

_SAVED: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("RGB", "JPEG", {"quality": 90}),
    ("RGB", "JPEG", {"progressive": True}),
    ("CMYK", "JPEG", {}),
    ("RGB", "PNG", {}),
    ("1", "PNG", {}),
    ("LA", "PNG", {}),
    ("RGBA", "PNG", {}),
    ("P", "PNG", {"transparency": bytes(range(200))}),
    ("I;16", "PNG", {}),
    ("RGB", "WEBP", {}),
    ("RGBA", "WEBP", {"lossless": True}),
    ("RGB", "BMP", {}),
    ("P", "BMP", {}),
    ("P", "GIF", {"transparency": 3}),
    ("RGB", "TIFF", {}),
    ("P", "TIFF", {}),
    ("I;16", "TIFF", {}),
    ("I;16", "TIFF", {"compression": "tiff_lzw"}),
    ("I", "TIFF", {"compression": "tiff_adobe_deflate"}),
    ("F", "TIFF", {}),
    ("F", "TIFF", {"compression": "tiff_lzw"}),
    ("LAB", "TIFF", {}),
    ("RGB", "TIFF", {"compression": "tiff_lzw"}),
    ("RGB", "TIFF", {"compression": "jpeg"}),
    ("1", "TIFF", {"compression": "group4"}),
    ("CMYK", "TIFF", {"compression": "tiff_adobe_deflate"}),
    ("RGB", "PPM", {}),
    ("I;16", "PPM", {}),
    ("RGB", "AVIF", {}),
    ("RGBA", "AVIF", {}),
)
_HEADS = (
    b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf",
    b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miafMA1B",
    b"\0\0\0\x20ftypmif1\0\0\0\0avifmif1heicMA1B",
    b"\0\0\0\x0cJXL \r\n\x87\n",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n",
    b"/annex/objects/SHA256E-s12--" + b"0" * 64 + b".png\n",
    b"<!doctype html><html><head>",
    b"\xef\xbb\xbf  <?xml version='1.0'?><svg>",
    b"BM" + bytes(12) + b"\x28\0\0\0",
    b"P6\n# x\n3 4 255\n",
    b"II*\0\x08\0\0\0\x01\0\x01\x01\x03\0\x01\0\0\0\x0d\0\0\0\0\0\0\0",
    b"MM\0+\0\x08\0\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\x01\x01\x15\0\x03\0\0\0\0\0\0\0\x01\0\x0d",
    b"RIFF\x10\0\0\0WEBPVP8L",
    b"RIFF\x10\0\0\0AVI LIST",
)
_NAMES = ("a.png", "b.heic", "c", "d.nef", "e.jfif", "f.svg", "g.tif")
_SIZE_PX = 24


def _modes() -> list[bytes]:
    noise = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    whole = Image.fromarray(noise)
    grey = noise[..., 0].astype(np.uint16) * 257
    deep = {
        "I;16": Image.fromarray(grey),
        "I": Image.fromarray(grey.astype(np.int32)),
        "F": Image.fromarray(noise[..., 0].astype(np.float32) / 255),
        "LAB": _lab(whole),
    }
    files = []
    for mode, kind, options in _SAVED:
        buffer = io.BytesIO()
        (deep[mode] if mode in deep else whole.convert(mode)).save(buffer, kind, **options)
        files.append(buffer.getvalue())
    return files


def _lab(image: Image.Image) -> Image.Image:
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    made = ImageCms.applyTransform(image, ImageCms.buildTransform(*profiles, "RGB", "LAB"))
    assert made is not None
    return made


def _with_metadata() -> list[bytes]:
    """A profile, EXIF, texts and several frames."""
    image = Image.effect_noise((40, 56), 60).convert("RGB")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[274], exif[270] = 6, "a"
    text = PngImagePlugin.PngInfo()
    text.add_text("a", "b" * 99, zip=True)
    text.add_itxt("a", "b", zip=True)
    files = []
    for kind, options in (
        ("JPEG", {}),
        ("PNG", {"pnginfo": text}),
        ("WEBP", {}),
        ("TIFF", {}),
        ("AVIF", {}),
    ):
        buffer = io.BytesIO()
        more: dict[str, Any] = {"exif": exif.tobytes(), "icc_profile": profile, **options}
        image.save(buffer, kind, **more)
        files.append(buffer.getvalue())
    for kind in ("GIF", "PNG", "WEBP", "TIFF", "MPO"):
        buffer = io.BytesIO()
        image.save(buffer, kind, save_all=True, append_images=[image.rotate(90)])
        files.append(buffer.getvalue())
    return files


def images() -> Kind:
    """Take any of the formats that are read, as ingest, the survey before it and predict do."""
    from thawline.ingest.decoding.decode import DecodeError
    from thawline.ingest.decoding.preprocess import Geometry, content
    from thawline.ingest.survey import read_header

    geometries = [
        Geometry(image_size_px=_SIZE_PX, fit=fit, background=(9, 9, 9), encoding=encoding,
                 bit_depth=bits)
        for fit, encoding, bits in (("letterbox", "raw", 16), ("crop", "jpeg", 12))
    ]  # fmt: skip

    def read(data: bytes, _: Path) -> None:
        for number, geometry in enumerate(geometries):
            file = with_checksums(data) if number else data
            read_header(file)
            refusable(lambda file=file, how=geometry: content("a.png", file, how), DecodeError)

    return Kind(files=_modes() + _with_metadata(), read=read)


def heads() -> Kind:
    """Name what a file is by its first bytes: formats that are not read, pointers, texts."""
    from thawline.ingest.decoding.file_format import image_format, unread
    from thawline.ingest.decoding.tiff_header import objection

    def read(data: bytes, _: Path) -> None:
        image_format(data)
        for said in (objection(data), *(unread(name, data) for name in _NAMES)):
            assert said is None or (said and said.isprintable()), said

    return Kind(files=list(_HEADS), read=read)
