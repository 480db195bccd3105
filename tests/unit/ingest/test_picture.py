"""A large JPEG is decoded no larger than needed, and known by the same pixels at any size."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from thawline.ingest.decoding.decode import KNOWN_BY_PX, DecodeError, decode, fit, picture

Encode = Callable[..., bytes]
MODES = ["letterbox", "crop", "stretch"]


@pytest.fixture(scope="module")
def large() -> np.ndarray:
    """600 x 400, smooth, with a corner of its own."""
    y, x = np.mgrid[0:1:400j, 0:1:600j]
    image = np.stack([255 * x, 255 * y, 128 + 100 * np.sin(6 * x * y)], axis=-1).astype(np.uint8)
    image[:60, :90] = (240, 20, 20)
    return image


@pytest.fixture(scope="module")
def jpeg(large: np.ndarray, encode: Encode) -> bytes:
    return encode(large, "JPEG", quality=95)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size_px", [32, 128, 224, 400])
def test_packs_nearly_what_the_whole_picture_gives(jpeg: bytes, size_px: int, mode: str) -> None:
    opened = picture(jpeg, size_px, mode)
    assert (opened.width, opened.height) == (600, 400)
    got = fit(opened.image, size_px, mode).astype(int)
    expected = fit(decode(jpeg), size_px, mode).astype(int)
    assert np.abs(got - expected).mean() < 1.5


def test_is_known_by_the_same_pixels_at_any_size(jpeg: bytes) -> None:
    known = {picture(jpeg, s, m).known_by.tobytes() for s in (16, 64, 224, 512) for m in MODES}
    assert len(known) == 1
    assert min(picture(jpeg, 64, "crop").known_by.size) >= KNOWN_BY_PX


def test_decodes_less_for_a_small_square(jpeg: bytes) -> None:
    assert picture(jpeg, 64, "crop").image.size == (300, 200)
    assert picture(jpeg, 200, "stretch").image.size == (300, 200)
    assert picture(jpeg, 201, "crop").image.size == (600, 400)
    assert picture(jpeg, 300, "letterbox").image.size == (300, 200)
    assert picture(jpeg, 301, "letterbox").image.size == (600, 400)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF"])
def test_other_formats_are_decoded_whole(large: np.ndarray, encode: Encode, kind: str) -> None:
    data = encode(large, kind)
    assert picture(data, 32, "crop").known_by == decode(data)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_is_upright_with_its_upright_size(large: np.ndarray, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    Image.fromarray(large).save(out, "JPEG", quality=95, exif=exif)
    whole = decode(out.getvalue())
    opened = picture(out.getvalue(), 64, "stretch")
    assert (opened.width, opened.height) == whole.size
    assert opened.image.size < whole.size
    small = fit(opened.image, 64, "stretch").astype(int)
    assert np.abs(small - fit(whole, 64, "stretch")).mean() < 1.5


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_colour_spaces_shrink_too(large: np.ndarray, encode: Encode, mode: str) -> None:
    data = encode(Image.fromarray(large).convert(mode), "JPEG", quality=95)
    got = fit(picture(data, 64, "crop").image, 64, "crop").astype(int)
    assert np.abs(got - fit(decode(data), 64, "crop")).mean() < 1.5


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_noticed_at_any_scale(
    large: np.ndarray, encode: Encode, share: float, progressive: bool
) -> None:
    data = encode(large, "JPEG", quality=95, progressive=progressive)
    with pytest.raises(DecodeError):
        picture(data[: int(share * len(data))], 16, "crop")
