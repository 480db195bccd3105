"""Values of more than 8 bits keep their meaning: scaled by what they are, clipped or refused."""

import io
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.unit.ingest.test_decode_damage import chunk
from thawline.ingest.decoding.decode import DecodeError, decode, picture
from thawline.ingest.decoding.preprocess import Geometry, content
from thawline.ingest.decoding.unused_bits import sentence

Encode = Callable[..., bytes]
RAMP = np.linspace(0, 1, 256 * 4, dtype=np.float32).reshape(32, 32)


def tiff(
    pixels: np.ndarray, order: str = "<", *, form: int = 1, photometric: int = 1,
    planar: int = 1, bits: int | None = None, pack: bool = False,
) -> bytes:  # fmt: skip
    """A TIFF of one strip, (H, W) or (H, W, C), of any kind of values."""
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    bits = bits or pixels.dtype.itemsize * 8
    raw = pixels if bits % 8 else pixels.astype(pixels.dtype.newbyteorder(order))
    strip = zlib.compress(raw.tobytes()) if pack else raw.tobytes()
    entries = [
        (256, 3, (width,)), (257, 3, (height,)), (258, 3, (bits,) * channels),
        (259, 3, (8 if pack else 1,)), (262, 3, (photometric,)), (273, 4, (8,)),
        (277, 3, (channels,)), (278, 3, (height,)), (279, 4, (len(strip),)), (284, 3, (planar,)),
        (339, 3, (form,) * channels),
    ]  # fmt: skip
    at = 8 + len(strip) + 2 + 12 * len(entries) + 4
    directory, more = struct.pack(f"{order}H", len(entries)), b""
    for tag, kind, values in entries:
        packed = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(packed) > 4:
            packed, more = struct.pack(f"{order}I", at + len(more)), more + packed
        directory += struct.pack(f"{order}HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    mark = b"II" if order == "<" else b"MM"
    return (
        mark + struct.pack(f"{order}HI", 42, 8 + len(strip)) + strip + directory + bytes(4) + more
    )


def grey(data: bytes) -> np.ndarray:
    return np.asarray(decode(data))[..., 0].astype(int)


def deep(values: np.ndarray) -> bytes:
    """A PNG of 16 bits, (H, W), (H, W, 3) or (H, W, 4), RGB."""
    order = [2, 1, 0, 3][: values.shape[2]] if values.ndim == 3 else slice(None)
    return cv2.imencode(".png", values[..., order].astype(np.uint16))[1].tobytes()


@pytest.mark.parametrize("value", [1.02, -0.01])
def test_one_float_beside_the_scale_changes_one_pixel(encode: Encode, value: float) -> None:
    overshot = RAMP.copy()
    overshot[0, 0] = value
    found = picture(encode(overshot, "TIFF"), 32, "letterbox")
    expected = grey(encode(RAMP, "TIFF"))
    expected[0, 0] = 255 if value > 1 else 0
    assert np.array_equal(np.asarray(found.image)[..., 0], expected)
    assert found.remark is not None
    assert "clipped" in found.remark


def test_what_was_clipped_is_noted(encode: Encode) -> None:
    geometry = Geometry(image_size_px=16, fit="letterbox", background=(0, 0, 0))
    noted = content("a.tif", encode(RAMP * np.float32(1.02), "TIFF"), geometry).note
    assert noted is not None
    assert "clipped" in noted
    assert content("a.tif", encode(RAMP, "TIFF"), geometry).note is None


@pytest.mark.parametrize(
    ("low", "high"), [(-1, 1), (0, 4095), (-1024, 3000), (0, 5), (0, 400), (-40, 255)]
)
def test_floats_of_another_scale_are_refused_with_their_values(
    encode: Encode, low: float, high: float
) -> None:
    values = (low + RAMP * (high - low)).astype(np.float32)
    with pytest.raises(DecodeError, match=rf"from {low} to {high}; expected 0 to 1 or 0 to 255"):
        decode(encode(values, "TIFF"))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize(
    ("dtype", "form", "white"),
    [("u1", 1, 255), ("u2", 1, 65535), ("f4", 3, 1), ("f4", 3, 255), ("i2", 2, 255),
     ("i4", 2, 65535), ("u4", 1, 65535), ("u4", 1, 255)],
)  # fmt: skip
def test_white_is_zero_at_every_depth(
    order: str, pack: bool, dtype: str, form: int, white: float
) -> None:
    values = (RAMP.astype(np.float64) * white).astype(dtype)
    expected = np.rint(values.astype(np.float64) * 255 / white)
    for photometric, shown in ((1, expected), (0, 255 - expected)):
        data = tiff(values, order, form=form, photometric=photometric, pack=pack)
        assert np.abs(grey(data) - shown).max() <= 1, photometric


def test_twelve_bits_by_the_header_are_twelve_bits() -> None:
    values = np.tile([0, 4095], (4, 2)).astype(np.uint32)
    pairs = values.reshape(-1, 2)
    packed = np.stack(
        [pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], axis=1
    ).astype(np.uint8)
    for photometric, expected in ((1, [0, 255]), (0, [255, 0])):
        data = tiff(packed.reshape(4, 6), bits=12, photometric=photometric)
        data = data.replace(
            struct.pack("<HHI2H", 256, 3, 1, 6, 0), struct.pack("<HHI2H", 256, 3, 1, 4, 0)
        )
        assert grey(data)[0].tolist() == expected * 2
        assert picture(data, 4, "stretch").bits == 0


@pytest.mark.parametrize("values", [(-1024, 3000), (0, 3000), (0, 100_000)])
def test_whole_numbers_of_an_unknown_scale_are_refused(values: tuple[int, int]) -> None:
    image = np.full((4, 4), values[0], dtype=np.int32)
    image[0, 0] = values[1]
    data = tiff(image, form=2)
    with pytest.raises(DecodeError, match=f"from {values[0]} to {values[1]}; expected 0 to 255"):
        decode(data)


def test_one_whole_number_above_the_scale_changes_one_pixel() -> None:
    image = np.tile(np.arange(256, dtype=np.int32), (2, 1))
    assert np.array_equal(grey(tiff(image, form=2)), image)
    image[0, 255] = 260
    assert np.array_equal(grey(tiff(image, form=2)), np.minimum(image, 255))


def test_signed_values_of_twelve_bits_can_be_scaled() -> None:
    image = np.tile(np.array([0, 2048, 4095], dtype=np.int16), (3, 1))
    with pytest.raises(DecodeError, match=r"ingest\.bit_depth"):
        decode(tiff(image, form=2))
    scaled = picture(tiff(image, form=2), 3, "stretch", bit_depth=12).image
    assert np.asarray(scaled)[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_fewer_bits_in_a_file_of_sixteen_are_scaled(channels: int, bits: int) -> None:
    white = 2**bits - 1
    values = np.rint(RAMP * white).astype(np.uint16)
    values = values if channels == 1 else np.dstack([values, white - values, values, values])
    values = values[..., :channels] if channels > 1 else values
    values = np.where(np.arange(channels) == 3, 65535, values) if channels == 4 else values
    found = picture(deep(values), 32, "letterbox", bit_depth=bits)
    got = np.asarray(found.image).astype(int)
    expected = np.rint(values.reshape(32, 32, -1) * 255.0 / white)[..., :3]
    assert np.abs(got - expected).max() <= 1
    assert len(np.unique(got)) > 200
    assert found.bits == bits


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("pack", [False, True])
def test_fewer_bits_of_a_colour_tiff_are_scaled(order: str, pack: bool) -> None:
    values = np.dstack([np.rint(RAMP * 4095)] * 3).astype(np.uint16)
    data = tiff(values, order, photometric=2, pack=pack)
    got = np.asarray(picture(data, 32, "letterbox", bit_depth=12).image).astype(int)
    assert np.abs(got - np.rint(values * (255 / 4095))).max() <= 1


@pytest.mark.parametrize("colour", [False, True])
def test_values_beyond_the_stated_bits_are_refused(colour: bool) -> None:
    values = np.full((4, 4, 3) if colour else (4, 4), 5000)
    with pytest.raises(DecodeError, match=r"5000.*bit_depth 12"):
        picture(deep(values), 16, "letterbox", bit_depth=12)


def test_eight_bits_care_nothing_for_the_stated_depth(encode: Encode, photo: np.ndarray) -> None:
    for image in (photo, photo[..., 0]):
        data = encode(image, "PNG")
        plain, other = (picture(data, 64, "stretch", bit_depth=bits) for bits in (16, 12))
        assert plain.image.tobytes() == other.image.tobytes()
        assert plain.bits == other.bits == 0


def test_a_transparent_value_of_sixteen_bits_is_transparent() -> None:
    values = np.full((4, 4), 3000, dtype=np.uint16)
    values[0] = 60000
    out = io.BytesIO()
    Image.fromarray(values).save(out, "PNG", transparency=3000)
    got = np.asarray(decode(out.getvalue(), background=(9, 8, 7)))
    assert (got[1:] == (9, 8, 7)).all()
    assert (got[0] == 233).all()


def test_a_transparent_colour_of_sixteen_bits_is_told() -> None:
    data = deep(np.full((4, 4, 3), 3000))
    at = data.index(b"IDAT") - 4
    data = data[:at] + chunk(b"tRNS", struct.pack(">3H", 3000, 3000, 3000)) + data[at:]
    assert "transparent colour" in str(picture(data, 16, "stretch").remark)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (tiff(np.zeros((4, 4, 13), np.uint8), photometric=1), "13 channels; 1, 3 or 4 are read"),
        (tiff(np.zeros((4, 4, 13), np.uint16), ">", photometric=1), "13 channels; 1, 3 or 4"),
        (tiff(np.zeros((4, 4, 3), np.float32), form=3, photometric=2), "3 channels of floats"),
        (tiff(np.zeros((4, 4), np.float64), form=3), "1 channel of floats of 64 bits"),
        (tiff(np.zeros((4, 4), np.complex64), form=6), "1 channel of complex numbers"),
        (tiff(np.zeros((4, 4), np.int8), form=2), "signed 8-bit"),
        (tiff(np.zeros((4, 4, 3), np.uint16), photometric=2, planar=2), "channels apart"),
    ],
)  # fmt: skip
def test_a_tiff_that_is_not_read_says_what_it_is(data: bytes, expected: str) -> None:
    with pytest.raises(DecodeError, match=expected):
        decode(data)


def test_wherever_a_tiff_that_is_not_read_is_cut_it_is_refused_in_a_line() -> None:
    data = tiff(np.zeros((4, 4, 13), np.uint8))
    for cut in range(len(data)):
        with pytest.raises(DecodeError) as refused:
            decode(data[:cut])
        assert len(str(refused.value)) < 200


def bits(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_a_set_that_uses_few_of_its_bits_is_named() -> None:
    said = sentence(bits(12, 11, 12, 0), 16)
    assert said is not None
    assert said.startswith("3 of 3 images of 16 bits use at most 12 bits, 1/16")
    assert "ingest.bit_depth: 12" in said
    assert "ingest.bit_depth: 10" in str(sentence(bits(10, 9), 12))


def test_a_set_that_uses_them_is_not() -> None:
    for given in (bits(), bits(0, 0), bits(16, 16, 9), bits(15)):
        assert sentence(given, 16) is None
    assert sentence(bits(12, 12), 12) is None


def test_dark_images_beside_others_are_named_without_a_way_to_scale_them() -> None:
    said = str(sentence(bits(12, 12, 16), 16))
    assert said.startswith("2 of 3 images")
    assert "ingest.bit_depth: " not in said
