"""Each kind of image comes out as the sRGB pixels that an independent calculation gives."""

import struct
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from thawline.data.decode import decode

Encode = Callable[..., bytes]
LUMA = np.array([299, 587, 114]) / 1000
"""ITU-R 601, what Pillow and OpenCV turn colour into grey with."""


def assert_close(data: bytes, expected: np.ndarray, *, tolerance: int = 2) -> None:
    image = decode(data)
    assert image.mode == "RGB"
    got = np.asarray(image).astype(int)
    assert got.shape == (*expected.shape[:2], 3)
    difference = np.abs(got - np.broadcast_to(grey_to_rgb(expected), got.shape))
    assert difference.max() <= tolerance


def grey_to_rgb(image: np.ndarray) -> np.ndarray:
    return np.rint(image[..., None] if image.ndim == 2 else image).astype(int)


def grey(photo: np.ndarray) -> np.ndarray:
    return np.rint(photo @ LUMA).astype(np.uint8)


def muted(photo: np.ndarray) -> np.ndarray:
    """Inside sRGB also after a conversion: outside of it clipping is a matter of taste."""
    return (100 + photo * (60 / 255)).astype(np.uint8)


def over(rgb: np.ndarray, alpha: np.ndarray, background: tuple[int, int, int]) -> np.ndarray:
    share = alpha[..., None] / 255
    return rgb * share + np.array(background) * (1 - share)


@pytest.fixture(scope="session")
def alpha(photo: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.linspace(0, 255, photo.shape[1]).round(), photo.shape[:2]).astype(
        np.uint8
    )


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


def test_lab_tiff(photo: np.ndarray, encode: Encode) -> None:
    a, b = (np.full(photo.shape[:2], value, np.int8) for value in (12, -18))
    lab = np.dstack([muted(grey(photo)), a.view(np.uint8), b.view(np.uint8)])
    data = encode(Image.fromarray(lab, "LAB"), "TIFF")
    assert_close(data, lab_to_srgb(lab[..., 0] * (100 / 255), 12, -18))


def lab_to_srgb(lightness: np.ndarray, a: float, b: float) -> np.ndarray:
    """CIE 15: L*a*b* of white D50, adapted to D65 after Bradford, to sRGB of IEC 61966-2-1."""
    fy = (lightness + 16) / 116
    f = np.stack([fy + a / 500, fy, fy - b / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * (0.96422, 1, 0.82521)
    return 255 * srgb_curve(xyz @ np.linalg.inv(SRGB_D50).T)


SRGB_D50 = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)
"""Linear sRGB to XYZ of white D50."""
ADOBE_D50 = np.array(
    [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
)
"""The same of Adobe RGB (1998)."""


def srgb_curve(linear: np.ndarray) -> np.ndarray:
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def wide_gamut_profile() -> bytes:
    """A version 2 ICC profile of Adobe RGB (1998): three primaries, gamma 563/256."""

    def fixed(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def xyz(values: np.ndarray) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, 563) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"wide\0" + bytes(78)
    white = xyz(np.array([0.96422, 1, 0.82521]))
    tags = {b"desc": text, b"cprt": b"text\0\0\0\0none\0", b"wtpt": white}
    for index, name in enumerate((b"r", b"g", b"b")):
        tags |= {name + b"XYZ": xyz(ADOBE_D50[:, index]), name + b"TRC": curve}
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = start + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28)
    header += fixed(0.96422) + fixed(1) + fixed(0.82521)
    return header + bytes(128 - len(header)) + table + body


def adobe_to_srgb(image: np.ndarray) -> np.ndarray:
    xyz = (image / 255) ** (563 / 256) @ ADOBE_D50.T
    return 255 * srgb_curve(xyz @ np.linalg.inv(SRGB_D50).T)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_wide_gamut_becomes_srgb(photo: np.ndarray, encode: Encode, kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    colours = muted(photo)
    expected = adobe_to_srgb(colours)
    assert np.abs(expected - colours).max() > 5, "the profile makes no difference"
    data = encode(colours, kind, icc_profile=wide_gamut_profile(), **options)
    assert_close(data, expected)


def test_a_wide_gamut_with_alpha(photo: np.ndarray, alpha: np.ndarray, encode: Encode) -> None:
    data = encode(np.dstack([muted(photo), alpha]), "PNG", icc_profile=wide_gamut_profile())
    assert_close(data, over(adobe_to_srgb(muted(photo)), alpha, (0, 0, 0)))


def test_a_wide_gamut_palette(photo: np.ndarray, encode: Encode) -> None:
    indexed = Image.fromarray(muted(photo)).quantize(64)
    expected = adobe_to_srgb(np.asarray(indexed.convert("RGB")))
    assert_close(encode(indexed, "PNG", icc_profile=wide_gamut_profile()), expected)


def test_a_wide_gamut_with_a_transparent_colour(photo: np.ndarray, encode: Encode) -> None:
    colours = muted(photo)
    corner = tuple(int(value) for value in colours[0, 0])
    data = encode(colours, "PNG", icc_profile=wide_gamut_profile(), transparency=corner)
    got = np.asarray(decode(data, background=(1, 2, 3))).astype(int)
    assert (got[:12, :16] == (1, 2, 3)).all()
    assert np.abs(got - adobe_to_srgb(colours))[12:, 16:].max() <= 2


def test_a_profile_for_srgb_changes_nothing(photo: np.ndarray, encode: Encode) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert_close(encode(photo, "PNG", icc_profile=profile), photo)


@pytest.mark.parametrize("profile", [b"rubbish", bytes(200), wide_gamut_profile()[:150]])
def test_a_broken_profile_leaves_the_pixels(
    photo: np.ndarray, encode: Encode, profile: bytes
) -> None:
    assert_close(encode(photo, "PNG", icc_profile=profile), photo, tolerance=0)


def test_a_profile_of_other_channels_leaves_the_pixels(photo: np.ndarray, encode: Encode) -> None:
    data = encode(grey(photo), "PNG", icc_profile=wide_gamut_profile())
    assert_close(data, grey(photo), tolerance=0)


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
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
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
