"""The numbers by which pictures are compared."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageFilter

from thawline.ingest.decoding.image_stats import Looks, is_one_colour, measure


def scene(seed: int, width: int = 300, height: int = 220) -> Image.Image:
    """Smooth random light and shade, as in a photograph."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def apart(one: Looks, other: Looks) -> int:
    assert one.dhash is not None
    assert other.dhash is not None
    return (one.dhash ^ other.dhash).bit_count()


def recompressed(image: Image.Image) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=40)
    return Image.open(out).convert("RGB")


@pytest.mark.parametrize("seed", range(5))
def test_a_copy_is_near_and_another_picture_is_not(seed: int) -> None:
    image = scene(seed)
    copies = [
        recompressed(image),
        image.resize((150, 110)),
        image.resize((900, 660), Image.Resampling.BICUBIC),
        ImageEnhance.Brightness(image).enhance(0.9),
    ]
    assert max(apart(measure(image), measure(copy)) for copy in copies) <= 4
    assert apart(measure(image), measure(scene(seed + 100))) > 8
    assert apart(measure(image), measure(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))) > 8


def test_a_page_with_little_on_it_has_no_hash() -> None:
    blank = Image.new("RGB", (200, 200), "white")
    assert measure(blank).dhash is None
    blank.paste((0, 0, 0), (95, 95, 105, 105))
    assert measure(blank).dhash is None


def test_brightness_and_contrast_are_those_of_the_pixels() -> None:
    pixels = np.zeros((10, 10, 3), np.uint8)
    pixels[:5] = 200
    looks = measure(Image.fromarray(pixels))
    assert (looks.brightness, looks.contrast) == (100, 100)


def test_a_blurred_picture_is_less_sharp() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    blurred = image.filter(ImageFilter.GaussianBlur(3))
    assert measure(blurred).sharpness < measure(image).sharpness / 50


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8)
    g = grey.astype(float)
    laplacian = g[:-2, 1:-1] + g[2:, 1:-1] + g[1:-1, :-2] + g[1:-1, 2:] - 4 * g[1:-1, 1:-1]
    image = Image.fromarray(np.dstack([grey] * 3))
    assert measure(image).sharpness == pytest.approx(laplacian.var())


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (2, 2), (20_000, 20), (257, 3)])
def test_extreme_shapes_are_measured(size: tuple[int, int]) -> None:
    looks = measure(Image.new("RGB", size, (10, 10, 10)))
    assert looks == Looks(dhash=None, brightness=10, contrast=0, sharpness=0, one_colour=True)


@given(
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.lists(st.integers(0, 255), min_size=3, max_size=3),
    st.integers(0, 24),
    st.integers(0, 2**32 - 1),
)
def test_contrast_spares_no_picture_of_one_colour_a_look(
    size: tuple[int, int], colour: list[int], span: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    ends = rng.integers(0, 2, (*size, 1)) * span  # the most contrast that a span can have
    pixels = (np.array(colour) + ends).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(pixels)
    assert measure(image).one_colour == is_one_colour(image)
