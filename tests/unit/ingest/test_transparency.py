"""An image is known by what it shows, alpha included, whatever it is laid over."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw

from thawline.ingest.decoding.decode import decode
from thawline.ingest.decoding.preprocess import (
    INVISIBLE,
    LOST,
    OPAQUE,
    TRANSPARENT,
    Geometry,
    PreparedImage,
    content,
)

Encode = Callable[..., bytes]
BACKGROUNDS = [(0, 0, 0), (255, 255, 255), (128, 0, 7)]
WITH_ALPHA = ["PNG", "WEBP", "TIFF"]


def packed(data: bytes | np.ndarray, background: tuple[int, int, int] = (0, 0, 0)) -> PreparedImage:
    geometry = Geometry(image_size_px=16, fit="letterbox", background=background)
    return content("a.png", data, geometry)


def black_drawing(seed: int) -> Image.Image:
    """Black ink on nothing."""
    image = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    x, y, side = (int(v) for v in np.random.default_rng(seed).integers(2, 14, 3))
    ImageDraw.Draw(image).ellipse((x, y, x + side, y + side), fill=(0, 0, 0, 255))
    return image


def bmp32(pixels: np.ndarray) -> bytes:
    """A BMP with an alpha mask, of uint8 (H, W, 4), RGBA."""
    height, width = pixels.shape[:2]
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, pixels.size, 0, 0, 0, 0)
    head += masks + bytes(108 - len(head) - len(masks))
    body = np.ascontiguousarray(pixels[::-1, :, [2, 1, 0, 3]]).tobytes()
    return struct.pack("<2sIHHI", b"BM", 14 + 108 + len(body), 0, 0, 14 + 108) + head + body


@pytest.mark.parametrize("kind", WITH_ALPHA)
def test_two_drawings_that_look_alike_over_a_colour_are_not_one(encode: Encode, kind: str) -> None:
    one, other = (packed(encode(black_drawing(k), kind, lossless=True)) for k in range(2))
    assert np.array_equal(one.pixels, other.pixels)
    assert one.sha256 != other.sha256


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_the_background_is_no_part_of_an_image(
    encode: Encode, photo: np.ndarray, alpha: np.ndarray, background: tuple[int, int, int]
) -> None:
    for image in (np.dstack([photo, alpha]), photo):
        data = encode(image, "PNG")
        assert packed(data, background).sha256 == packed(data).sha256


def test_colours_that_nobody_sees_count_for_nothing(encode: Encode, photo: np.ndarray) -> None:
    alpha = np.full(photo.shape[:2], 255, dtype=np.uint8)
    alpha[10:30] = 0
    other = photo.copy()
    other[10:30] = 77
    first, second = (packed(encode(np.dstack([p, alpha]), "PNG")) for p in (photo, other))
    assert first.sha256 == second.sha256
    other[40] = 77
    assert packed(encode(np.dstack([other, alpha]), "PNG")).sha256 != first.sha256


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "BMP"])
def test_an_opaque_image_is_known_by_its_colours_alone(
    encode: Encode, photo: np.ndarray, kind: str
) -> None:
    full = np.dstack([photo, np.full(photo.shape[:2], 255, dtype=np.uint8)])
    data = bmp32(full) if kind == "BMP" else encode(full, kind, lossless=True)
    found = packed(data)
    assert found.sha256 == packed(photo).sha256
    assert found.transparency == OPAQUE


def test_a_bitmap_whose_alpha_is_nowhere_set_is_opaque(photo: np.ndarray) -> None:
    bare = np.dstack([photo, np.zeros(photo.shape[:2], dtype=np.uint8)])
    assert np.array_equal(np.asarray(decode(bmp32(bare), (9, 9, 9))), photo)
    assert packed(bmp32(bare)).sha256 == packed(photo).sha256
    bare[5, 5, 3] = 255
    assert packed(bmp32(bare)).transparency == TRANSPARENT


@pytest.mark.parametrize("kind", WITH_ALPHA)
def test_what_is_wholly_transparent_is_named_so(
    encode: Encode, photo: np.ndarray, kind: str
) -> None:
    nothing = np.dstack([photo, np.zeros(photo.shape[:2], dtype=np.uint8)])
    found = packed(encode(nothing, kind, lossless=True), (255, 255, 255))
    assert (found.transparency, found.looks.blank) == (INVISIBLE, "white")


def test_a_drawing_of_the_colour_of_its_background_is_lost(encode: Encode) -> None:
    data = encode(black_drawing(0), "PNG")
    lost, seen = packed(data), packed(data, (255, 255, 255))
    assert (lost.transparency, lost.looks.blank) == (LOST, "black")
    assert (seen.transparency, seen.looks.blank) == (TRANSPARENT, None)


def test_a_pane_of_one_half_transparent_colour_is_not_lost(encode: Encode) -> None:
    pane = np.full((20, 20, 4), 90, dtype=np.uint8)
    found = packed(encode(pane, "PNG"))
    assert (found.transparency, found.looks.blank) == (TRANSPARENT, "one colour")


@pytest.mark.parametrize(
    ("colour", "name"),
    [((0, 0, 0), "black"), ((255, 255, 255), "white"), ((9, 90, 200), "one colour")],
)
def test_a_blank_picture_is_blank_after_jpeg_too(
    encode: Encode, colour: tuple[int, int, int], name: str
) -> None:
    page = Image.new("RGB", (900, 700), colour)
    for kind in ("PNG", "JPEG"):
        assert packed(encode(page, kind)).looks.blank == name
    ImageDraw.Draw(page).line((100, 100, 300, 100), fill=(128, 128, 128), width=2)
    assert packed(encode(page, "PNG")).looks.blank is None
