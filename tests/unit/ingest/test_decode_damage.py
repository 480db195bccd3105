"""What is damaged is refused with a reason; nothing crashes, nothing comes out half grey."""

import random
import struct
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thawline.ingest.decoding import limits
from thawline.ingest.decoding.decode import DecodeError, decode

Encode = Callable[..., bytes]
KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "jpeg": ("JPEG", {"quality": 90}),
    "progressive jpeg": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {}),
    "lossless webp": ("WEBP", {"lossless": True}),
    "bmp": ("BMP", {}),
    "gif": ("GIF", {}),
    "tiff": ("TIFF", {}),
    "lzw tiff": ("TIFF", {"compression": "tiff_lzw"}),
    "jpeg tiff": ("TIFF", {"compression": "jpeg"}),
    "ppm": ("PPM", {}),
    "avif": ("AVIF", {}),
}


@pytest.fixture(params=KINDS)
def file(request: pytest.FixtureRequest, photo: np.ndarray, encode: Encode) -> bytes:
    kind, options = KINDS[request.param]
    noise = np.random.default_rng(0).integers(-20, 20, photo.shape)
    return encode(np.clip(photo + noise, 0, 255).astype(np.uint8), kind, **options)


def reason(data: bytes) -> str | None:
    """Why the bytes are refused, None when they are not."""
    try:
        image = decode(data)
    except DecodeError as error:
        text = str(error)
        assert text.isprintable()
        assert 0 < len(text) < 200
        return text
    assert image.mode == "RGB"
    assert np.asarray(image).dtype == np.uint8
    return None


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(file: bytes, share: float) -> None:
    assert reason(file[: int(len(file) * share)])


def test_wherever_a_file_is_cut_it_is_refused_or_whole(file: bytes) -> None:
    whole = np.asarray(decode(file))
    for cut in range(1, len(file), max(1, len(file) // 60)):
        data = file[:cut]
        assert reason(data) or np.array_equal(np.asarray(decode(data)), whole)
    for missing in range(1, 40):
        data = file[:-missing]
        assert reason(data) or np.array_equal(np.asarray(decode(data)), whole)


def test_flipped_bits_do_no_harm(file: bytes) -> None:
    chance = random.Random(0)
    for _ in range(60):
        data = bytearray(file)
        bit = chance.randrange(len(data) * 8)
        data[bit // 8] ^= 1 << (bit % 8)
        reason(bytes(data))


@pytest.mark.slow
def test_many_damaged_files_do_no_harm(file: bytes) -> None:
    chance = random.Random(1)
    for _ in range(2000):
        data = bytearray(file)
        for _ in range(chance.randrange(1, 9)):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 127, 128, 255))
        reason(bytes(data))


def test_every_flipped_bit_of_png_pixels_is_noticed(photo: np.ndarray, encode: Encode) -> None:
    file = encode(photo, "PNG")
    start, end = file.index(b"IDAT") + 4, file.index(b"IEND") - 8
    for position in range(start, end, 3):
        data = bytearray(file)
        data[position] ^= 1 << (position % 8)
        assert reason(bytes(data))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty"),
        (b"this is no image\n" * 50, "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (b"\x00" * 1000, "not an image"),
        (b"\xff\xd8\xff", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"GIF89a", None),
        (b"II*\x00\x08\x00\x00\x00", None),
        (b"P6 3 3 255\n", None),
    ],
)
def test_what_is_no_image_is_refused(data: bytes, expected: str | None) -> None:
    text = reason(data)
    assert text
    assert expected is None or expected in text


@settings(max_examples=200, deadline=None)
@given(
    start=st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF",
                           b"BM", b"II*\x00", b"MM\x00*", b"P6 ", b"P4 "]),
    rest=st.binary(max_size=300),
)  # fmt: skip
def test_random_bytes_do_no_harm(start: bytes, rest: bytes) -> None:
    reason(start + rest)


def chunk(name: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum


def png(width: int, height: int, data: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [14_000, 30_000, 2**31 - 1])
def test_a_bomb_is_refused_by_its_header(side: int) -> None:
    data = png(side, side, zlib.compress(bytes(20_000_000)))
    assert len(data) < 100_000
    tracemalloc.start()
    try:
        text = reason(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert text
    assert "178956970" in text or "damaged" in text
    assert peak < 10 * 2**20


def test_a_large_avif_is_refused_by_its_header(
    encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_AVIF_PIXELS", 400)
    grey = np.full((21, 20, 3), 90, np.uint8)
    assert reason(encode(grey, "AVIF")) == "20 x 21 px is more than 400 pixels of an AVIF file"
    assert reason(encode(grey[:20], "AVIF")) is None
    assert reason(encode(grey, "PNG")) is None


def tiff_directory(width: int, height: int) -> bytes:
    entries = [struct.pack("<HHII", tag, 4, 1, side) for tag, side in ((256, width), (257, height))]
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + b"".join(entries) + bytes(4)


@pytest.mark.parametrize(
    "data",
    [
        b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0, 0, 0) + b",",
        b"BM" + struct.pack("<IHHIIiiHH", 99, 0, 0, 54, 40, 30_000, 30_000, 1, 24) + bytes(24),
        b"P6 30000 30000 255\n" + bytes(100),
        tiff_directory(30_000, 30_000),
    ],
)
def test_a_bomb_of_another_kind(data: bytes) -> None:
    assert reason(data)


def test_a_bomb_in_metadata(photo: np.ndarray, encode: Encode) -> None:
    file = encode(photo, "PNG")
    text = b"note\0\0" + zlib.compress(bytes(50_000_000))
    data = file[:33] + chunk(b"zTXt", text) + file[33:]
    assert len(data) < 300_000
    reason(data)  # refused or ignored, with bounded memory


def test_a_long_strip_is_no_bomb() -> None:
    assert reason(png(100_000, 1, zlib.compress(bytes(300_001)))) is None
