"""Any shape becomes a square by its rule."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from thawline.ingest.decoding.decode import fit

GREEN, RED = (0, 200, 0), (200, 0, 0)


def plain(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), GREEN)


@settings(max_examples=100, deadline=None)
@given(
    width=st.integers(1, 400),
    height=st.integers(1, 400),
    size=st.integers(16, 64),
    mode=st.sampled_from(["letterbox", "crop", "stretch"]),
)
def test_the_result_is_a_square_of_bytes(width: int, height: int, size: int, mode: str) -> None:
    image = fit(plain(width, height), size, mode, RED)
    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8
    green = (image == GREEN).all(axis=-1)
    assert green.any()
    if mode == "letterbox":
        assert (green | (image == RED).all(axis=-1)).all()
        shown = np.argwhere(green)
        box = shown.max(axis=0) - shown.min(axis=0) + 1
        expected = np.array([height, width]) * size / max(width, height)
        assert np.abs(box - np.maximum(1, expected)).max() <= 0.5
    else:
        assert green.all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (5000, 20), (20_000, 20)])
@pytest.mark.parametrize("mode", ["letterbox", "crop", "stretch"])
def test_extreme_shapes(shape: tuple[int, int], mode: str) -> None:
    image = fit(plain(*shape), 64, mode, RED)
    assert image.shape == (64, 64, 3)
    assert (image == GREEN).all(axis=-1).any()


@pytest.mark.parametrize("mode", ["letterbox", "crop", "stretch"])
def test_a_square_of_the_right_size_is_kept_to_the_bit(photo: np.ndarray, mode: str) -> None:
    square = np.ascontiguousarray(photo[:48, :48])
    assert np.array_equal(fit(Image.fromarray(square), 48, mode), square)


def halves() -> Image.Image:
    """Twice as wide as high: red, green, green, red quarters."""
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, 16:48] = GREEN
    pixels[:, :16] = pixels[:, 48:] = RED
    return Image.fromarray(pixels)


def test_crop_keeps_the_centre() -> None:
    image = fit(halves(), 32, "crop")
    assert (image[:, 2:-2] == GREEN).all()


def test_letterbox_keeps_the_whole_in_the_centre() -> None:
    image = fit(halves(), 64, "letterbox", (1, 2, 3))
    assert (image[:16] == (1, 2, 3)).all()
    assert (image[-16:] == (1, 2, 3)).all()
    assert np.array_equal(image[16:48], np.asarray(halves()))


def test_stretch_keeps_the_whole_from_edge_to_edge() -> None:
    image = fit(halves(), 64, "stretch")
    assert (image[:, :14] == RED).all()
    assert (image[:, 18:46] == GREEN).all()


def test_shrinking_averages_and_does_not_pick() -> None:
    stripes = np.zeros((640, 640, 3), np.uint8)
    stripes[:, ::2] = 255
    small = fit(Image.fromarray(stripes), 64, "stretch").astype(int)
    assert np.abs(small[:, 1:-1] - 127.5).max() < 3
