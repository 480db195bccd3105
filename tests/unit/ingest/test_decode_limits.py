"""What one image may cost: large ones are averaged in strips, and what costs more is refused."""

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.unit.ingest.test_bit_depth import deep, tiff
from thawline.ingest.decoding import limits, strips
from thawline.ingest.decoding.decode import DecodeError, picture

Encode = Callable[..., bytes]
MOST_RSS_BYTES = 700_000_000
MOST_CPU_S = 3.0
_MEASURED = """
import sys, resource
from thawline.ingest.decoding.preprocess import Geometry, content
data = open(sys.argv[1], "rb").read()
began = resource.getrusage(resource.RUSAGE_SELF)
content("a", data, Geometry(image_size_px=224, fit="letterbox", background=(0, 0, 0)))
ended = resource.getrusage(resource.RUSAGE_SELF)
cpu = ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
status = open("/proc/self/status").read()
print(int(status.split("VmHWM:")[1].split()[0]) * 1024, cpu)
"""
"""VmHWM: ru_maxrss of a child begins with what its parent had."""


def modes(photo: np.ndarray, alpha: np.ndarray, encode: Encode) -> dict[str, bytes]:
    """An image of each way in which pixels are converted, 64 x 48."""
    grey = photo[..., 0]
    indexed = Image.fromarray(photo).quantize(32)
    cmyk = Image.fromarray(np.dstack([photo, grey]), "CMYK")
    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "rgb": encode(photo, "PNG"),
        "turned": encode(photo, "PNG", exif=exif),
        "grey": encode(grey, "PNG"),
        "alpha": encode(np.dstack([photo, alpha]), "PNG"),
        "palette": encode(indexed, "GIF"),
        "palette with alpha": encode(indexed, "PNG", transparency=bytes(range(0, 256, 8))),
        "16 bits": deep(grey.astype(np.uint16) * 257),
        "16 bits colour": deep(photo.astype(np.uint16) * 257),
        "float": encode(grey.astype(np.float32), "TIFF"),
        "32 bits": tiff(grey.astype(np.int32), form=2),
        "cmyk": encode(cmyk, "TIFF"),
        "webp": encode(photo, "WEBP", lossless=True),
    }


@pytest.mark.parametrize("mode", [
    "rgb", "turned", "grey", "alpha", "palette", "palette with alpha", "16 bits",
    "16 bits colour", "float", "32 bits", "cmyk", "webp",
])  # fmt: skip
def test_a_large_image_is_averaged_over_blocks(
    photo: np.ndarray, alpha: np.ndarray, encode: Encode, mode: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    data = modes(photo, alpha, encode)[mode]
    whole = picture(data, 16, "letterbox")
    monkeypatch.setattr(strips, "LARGE_PIXELS", 64 * 48 // 9 + 1)
    monkeypatch.setattr(strips, "_STRIP_PIXELS", 64 * 7)
    small = picture(data, 16, "letterbox")
    assert (small.width, small.height) == (whole.width, whole.height)
    assert small.known_by.mode == whole.known_by.mode
    expected = whole.known_by.reduce(3)
    assert small.known_by.size == expected.size
    assert np.abs(np.asarray(small.known_by).astype(int) - np.asarray(expected)).max() <= 1


@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (2, 1500)])
def test_a_long_strip_is_averaged_too(
    encode: Encode, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strips, "LARGE_PIXELS", 300)
    monkeypatch.setattr(strips, "_STRIP_PIXELS", 100)
    image = np.full((*shape, 3), 90, dtype=np.uint8)
    found = picture(encode(image, "PNG"), 16, "letterbox")
    assert (found.height, found.width) == shape
    assert (np.asarray(found.image) == 90).all()
    assert np.prod(found.image.size) < 3000


@pytest.mark.parametrize(
    ("kind", "options", "per_pixel"),
    [("PNG", {}, 4), ("BMP", {}, 4), ("WEBP", {}, 16), ("TIFF", {}, 4), ("GIF", {}, 1),
     ("TIFF", {"compression": "tiff_lzw"}, 4 + 3), ("JPEG", {"progressive": True}, 4 + 3),
     ("JPEG", {"progressive": True, "subsampling": 0}, 4 + 6)],
)  # fmt: skip
def test_memory_is_counted_by_what_decodes(
    photo: np.ndarray, encode: Encode, kind: str, options: dict[str, object], per_pixel: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    data = encode(photo, kind, **options)
    held = len(data) + 64 * 48 * per_pixel
    monkeypatch.setattr(limits, "MAX_HELD_BYTES", held)
    picture(data, 64, "letterbox")
    monkeypatch.setattr(limits, "MAX_HELD_BYTES", held - 1)
    with pytest.raises(DecodeError, match="64 x 48 px of"):
        picture(data, 64, "letterbox")


def run_length_bmp(width: int, height: int) -> bytes:
    body = (bytes([1, 7]) * width + b"\0\0") * height + b"\0\1"
    palette = b"".join(bytes((i, i, i, 0)) for i in range(256))
    start = 14 + 40 + len(palette)
    head = struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start)
    sizes = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0)
    return head + sizes + palette + body


@pytest.mark.parametrize(
    "data",
    [b"P3 10 10 255\n" + b"7 " * 300, b"P5 10 10 4095\n" + bytes(200),
     b"P6 10 10 65535\n" + bytes(600), run_length_bmp(10, 10)],
)  # fmt: skip
def test_what_is_decoded_in_python_may_have_few_pixels(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_SLOW_PIXELS", 100)
    picture(data, 16, "letterbox")
    monkeypatch.setattr(limits, "MAX_SLOW_PIXELS", 99)
    with pytest.raises(DecodeError, match="10 x 10 px of a"):
        picture(data, 16, "letterbox")


def test_scans_and_sides_are_limited(
    photo: np.ndarray, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encode(photo, "JPEG", progressive=True)
    monkeypatch.setattr(limits, "MAX_SCANS", data.count(b"\xff\xda"))
    picture(data, 16, "letterbox")
    monkeypatch.setattr(limits, "MAX_SCANS", data.count(b"\xff\xda") - 1)
    with pytest.raises(DecodeError, match="scans"):
        picture(data, 16, "letterbox")
    picture(encode(photo, "JPEG"), 16, "letterbox")
    monkeypatch.setattr(limits, "MAX_SIDE_PX", 63)
    with pytest.raises(DecodeError, match="a side has at most 63"):
        picture(encode(photo, "PNG"), 16, "letterbox")


def _largest(mode: str, file: Path) -> None:
    """Write an image of nearly the size that is allowed."""
    tile = (np.random.default_rng(0).integers(0, 256, (100, 100, 4)) // 16 * 16).astype(np.uint8)

    def image(side: int, channels: int) -> np.ndarray:
        times = -(-side // 100)
        return np.tile(tile[..., :channels], (times, times, 1))[:side, :side]

    def grey(side: int) -> np.ndarray:
        return np.tile(tile[..., 0], (-(-side // 100),) * 2)[:side, :side]

    if mode == "palette with alpha":
        indexed = Image.fromarray(grey(13_300)).convert("P")
        indexed.putpalette(list(range(256)) * 3)
        indexed.save(file, "PNG", compress_level=1, transparency=bytes(range(256)))
    elif mode == "grey":
        Image.fromarray(grey(13_300)).save(file, "PNG", compress_level=1)
    elif mode == "16 bits":
        Image.fromarray(grey(13_000).astype(np.uint16) * 257).save(file, "PNG", compress_level=1)
    elif mode == "float":
        Image.fromarray(grey(7_500).astype(np.float32)).save(file, "TIFF")
    elif mode == "cmyk":
        Image.fromarray(image(7_500, 4), "CMYK").save(file, "TIFF")
    elif mode == "alpha":
        Image.fromarray(image(9_500, 4)).save(file, "PNG", compress_level=1)
    elif mode == "webp":
        Image.fromarray(image(5_200, 3)).save(file, "WEBP", quality=50, method=0)
    elif mode == "progressive jpeg":
        smooth = Image.fromarray(image(1_000, 3)).resize((11_500, 11_500))
        smooth.save(file, "JPEG", quality=50, progressive=True)
    elif mode == "jpeg":
        smooth = Image.fromarray(image(1_000, 3)).resize((13_300, 13_300))
        smooth.save(file, "JPEG", quality=50)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [
    "palette with alpha", "grey", "16 bits", "float", "cmyk", "alpha", "webp",
    "progressive jpeg", "jpeg",
])  # fmt: skip
def test_the_largest_image_takes_bounded_memory_and_time(tmp_path: Path, mode: str) -> None:
    _largest(mode, tmp_path / "a")
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(tmp_path / "a")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rss, cpu = map(float, done.stdout.split())
    print(
        f"{mode}: {rss / 1e6:.0f} MB, {cpu:.2f} s, {(tmp_path / 'a').stat().st_size / 1e6:.0f} MB"
    )
    assert rss < MOST_RSS_BYTES
    assert cpu < MOST_CPU_S
