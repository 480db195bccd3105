"""Each kind of image comes out as the sRGB pixels that an independent calculation gives."""

import struct
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.unit.ingest.expected_pixels import assert_close, grey, over
from thawline.ingest.decoding.decode import decode

Encode = Callable[..., bytes]


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_rgb_is_kept_to_the_bit(photo: np.ndarray, encode: Encode, kind: str) -> None:
    assert_close(encode(photo, kind), photo, tolerance=0)


def test_webp_without_loss_is_kept_to_the_bit(photo: np.ndarray, encode: Encode) -> None:
    assert_close(encode(photo, "WEBP", lossless=True), photo, tolerance=0)


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_as_another_decoder_reads_it(
    photo: np.ndarray, encode: Encode, progressive: bool
) -> None:
    data = encode(photo, "JPEG", quality=95, progressive=progressive)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert_close(data, expected)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_grey(photo: np.ndarray, encode: Encode, kind: str) -> None:
    assert_close(encode(grey(photo), kind), grey(photo), tolerance=0)


def test_grey_jpeg(photo: np.ndarray, encode: Encode) -> None:
    assert_close(encode(grey(photo), "JPEG", quality=100), grey(photo))


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "group4"}), ("PPM", {})],
)
def test_one_bit(photo: np.ndarray, encode: Encode, kind: str, options: dict[str, str]) -> None:
    black_or_white = grey(photo) > 128
    data = encode(Image.fromarray(black_or_white), kind, **options)
    assert_close(data, black_or_white * 255, tolerance=0)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF"])
def test_palette(photo: np.ndarray, encode: Encode, kind: str) -> None:
    indexed = Image.fromarray(photo).quantize(32)
    table = np.array(indexed.getpalette()).reshape(-1, 3)
    assert_close(encode(indexed, kind), table[np.asarray(indexed)], tolerance=0)


def test_palette_with_one_transparent_entry(photo: np.ndarray, encode: Encode) -> None:
    indexed = Image.fromarray(photo).quantize(32)
    table = np.array(indexed.getpalette()).reshape(-1, 3)
    table[5] = (10, 20, 30)
    data = encode(indexed, "PNG", transparency=5)
    got = decode(data, background=(10, 20, 30))
    assert np.array_equal(np.asarray(got), table[np.asarray(indexed)])


def test_palette_with_an_alpha_of_each_entry(photo: np.ndarray, encode: Encode) -> None:
    indexed = Image.fromarray(photo).quantize(32)
    table = np.array(indexed.getpalette()).reshape(-1, 3)
    alphas = np.linspace(0, 255, 32).astype(np.uint8)
    at = np.asarray(indexed)
    data = encode(indexed, "PNG", transparency=alphas.tobytes())
    assert_close(data, over(table[at], alphas[at], (0, 0, 0)))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_alpha_lies_over_the_background(
    photo: np.ndarray, alpha: np.ndarray, encode: Encode, kind: str
) -> None:
    data = encode(np.dstack([photo, alpha]), kind)
    assert_close(data, over(photo, alpha, (0, 0, 0)))
    blue = np.asarray(decode(data, background=(0, 0, 255))).astype(int)
    assert np.abs(blue - over(photo, alpha, (0, 0, 255))).max() <= 2


def test_grey_with_alpha(photo: np.ndarray, alpha: np.ndarray, encode: Encode) -> None:
    data = encode(Image.merge("LA", [Image.fromarray(c) for c in (grey(photo), alpha)]), "PNG")
    assert_close(data, over(grey(photo)[..., None].repeat(3, -1), alpha, (0, 0, 0)))


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_transparent_colour(photo: np.ndarray, encode: Encode, mode: str) -> None:
    image = Image.fromarray(photo).convert(mode)
    corner = image.getpixel((0, 0))
    background = (1, 2, 3)
    got = np.asarray(decode(encode(image, "PNG", transparency=corner), background=background))
    expected = np.asarray(image.convert("RGB")).copy()
    expected[(expected == corner).all(axis=-1)] = background
    assert np.array_equal(got, expected)
    assert (got[:12, :16] == background).all()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_not_taken_for_its_negative(photo: np.ndarray, encode: Encode, kind: str) -> None:
    cmyk = np.dstack([255 - photo, np.full(photo.shape[:2], 40, np.uint8)])
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    data = encode(Image.fromarray(cmyk, "CMYK"), kind, **options)
    assert kind != "JPEG" or b"Adobe" in data, "not the inverted kind that Adobe writes"
    expected = photo.astype(int) * (255 - 40) / 255
    assert_close(data, expected, tolerance=4 if kind == "JPEG" else 2)
    if kind == "JPEG":
        other = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert_close(data, other)


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".ppm"])
@pytest.mark.parametrize("colour", [True, False])
def test_sixteen_bits_are_scaled(photo: np.ndarray, suffix: str, colour: bool) -> None:
    image = photo if colour else grey(photo)
    deep = (image[..., ::-1] if colour else image).astype(np.uint16) * 257
    data = cv2.imencode(suffix if colour else suffix.replace("ppm", "pgm"), deep)[1]
    assert_close(data.tobytes(), image)


def test_sixteen_bits_with_alpha(photo: np.ndarray, alpha: np.ndarray) -> None:
    deep = np.dstack([photo[..., ::-1], alpha]).astype(np.uint16) * 257
    assert_close(cv2.imencode(".png", deep)[1].tobytes(), over(photo, alpha, (0, 0, 0)))


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_tiff_of_either_byte_order(photo: np.ndarray, order: str) -> None:
    deep = grey(photo).astype(f"{order}u2") * 257
    data = tiff(deep.astype(f"{order}u2"), order, sample_format=1)
    assert_close(data, grey(photo))


@pytest.mark.parametrize("largest", [1.0, 255.0])
def test_float_tiff(photo: np.ndarray, encode: Encode, largest: float) -> None:
    values = grey(photo).astype(np.float32) * np.float32(largest / 255)
    assert_close(encode(values, "TIFF"), grey(photo))


def test_float_tiff_with_nan_is_no_image(photo: np.ndarray, encode: Encode) -> None:
    values = grey(photo).astype(np.float32)
    values[3, 3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        decode(encode(values, "TIFF"))


UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: np.rot90,
}
"""EXIF 2.32, 4.6.4 A: what turns the stored image upright."""


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_exif_orientation(photo: np.ndarray, encode: Encode, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    # The reference of a lossy format is what it holds without the tag.
    plain = np.asarray(decode(encode(photo, kind)))
    data = encode(photo, kind, exif=exif)
    assert_close(data, UPRIGHT[orientation](plain), tolerance=0)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist(
    photo: np.ndarray, encode: Encode, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_close(encode(photo, "PNG", exif=exif), photo, tolerance=0)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "MPO"])
def test_of_several_frames_the_first(photo: np.ndarray, encode: Encode, kind: str) -> None:
    frames = [Image.fromarray(np.roll(photo, shift, axis=0)) for shift in (0, 10, 20)]
    if kind == "GIF":
        frames = [frame.quantize(32) for frame in frames]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    single = {"MPO": "JPEG"}.get(kind, kind)
    expected = np.asarray(decode(encode(frames[0], single, **options)))
    assert_close(data, expected, tolerance=0)


def tiff(pixels: np.ndarray, order: str, *, sample_format: int) -> bytes:
    """A minimal one-strip grey TIFF, which Pillow itself does not write in big-endian order."""
    height, width = pixels.shape
    bits = pixels.dtype.itemsize * 8
    strip = pixels.tobytes()
    entries = [
        (256, 3, width), (257, 3, height), (258, 3, bits), (259, 3, 1), (262, 3, 1),
        (273, 4, 8), (277, 3, 1), (278, 3, height), (279, 4, len(strip)), (339, 3, sample_format),
    ]  # fmt: skip
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, value in entries:
        packed = struct.pack(f"{order}H" if kind == 3 else f"{order}I", value).ljust(4, b"\0")
        directory += struct.pack(f"{order}HHI", tag, kind, 1) + packed
    mark = b"II" if order == "<" else b"MM"
    return mark + struct.pack(f"{order}HI", 42, 8 + len(strip)) + strip + directory + bytes(4)
