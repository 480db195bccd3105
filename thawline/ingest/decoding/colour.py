"""Convert any Pillow mode to RGB, or to RGBA where some pixel is not opaque, as viewers show it.

Needs NumPy and Pillow alone: see `decode`.
"""

import io
from collections.abc import Callable

from PIL import Image, ImageCms

from thawline.ingest.decoding.limits import DecodeError

_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")
Convert = Callable[[Image.Image], Image.Image]


def converter(image: Image.Image, kind: str | None = None) -> Convert:
    """Build the conversion of an image with 8 bits a channel, or of any part of it, to RGB or RGBA.

    Colour profiles are applied.

    Args:
        image: the loaded image.
        kind: format of the file, as Pillow names it.
    """
    expanded = "RGBA" if "transparency" in image.info else "RGB" if image.mode == "P" else None
    # After the palette: a profile speaks of colours, not of their indices.
    mode = expanded or image.mode
    transform = _transform(image.info.get("icc_profile"), mode)
    to_srgb = _lab_to_srgb() if mode == "LAB" and transform is None else None
    # Programs that know no alpha leave the fourth byte of a BMP's pixels 0: browsers show the
    # colours. Of other formats none does so, and what is wholly transparent is.
    opaque = kind == "BMP" and image.mode == "RGBA" and image.getextrema()[-1] == (0, 0)

    def convert(part: Image.Image) -> Image.Image:
        part = part.convert(expanded) if expanded else part
        if transform is not None:
            part = _applied(transform, part)
        if part.mode == "LAB":
            part = _applied(to_srgb or _lab_to_srgb(), part)
            if part.mode == "LAB":
                raise DecodeError("Lab colours that cannot be converted")
        if part.mode in _ALPHA and not opaque:
            part = part.convert("RGBA")
            return part.convert("RGB") if _is_opaque(part.getchannel("A")) else part
        return part.convert("RGB")

    return convert


def _transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Build the transform to sRGB; None without a colour profile, or with a broken one."""
    if not profile or mode not in ("RGB", "RGBA", "CMYK", "L", "LAB"):
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(source, target, mode, "RGBA" if mode == "RGBA" else "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None  # a broken profile does not make the pixels unusable


def _lab_to_srgb() -> ImageCms.ImageCmsTransform:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(lab, srgb, "LAB", "RGB")


def _applied(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    try:
        return ImageCms.applyTransform(image, transform) or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


def blacken_unseen(image: Image.Image) -> Image.Image:
    """Make the invisible colours under alpha = 0 black in an RGB or RGBA image."""
    if image.mode == "RGB":
        return image
    alpha = image.getchannel("A")
    if not _has(alpha, 0):
        return image
    bare = Image.new("RGBA", image.size, (0, 0, 0, 0))
    bare.paste(image, mask=alpha.point([0] + [255] * 255))
    return bare


def _is_opaque(alpha: Image.Image) -> bool:
    return alpha.getextrema() == (255, 255)


def _has(channel: Image.Image, value: int) -> bool:
    return channel.getextrema()[0] == value
