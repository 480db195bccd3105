"""Lab, and colour profiles: what comes out is sRGB."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.unit.ingest.expected_pixels import assert_close, grey, muted, over
from thawline.ingest.decoding.decode import decode

Encode = Callable[..., bytes]


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
