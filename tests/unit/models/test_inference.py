"""How many images go through a network at a time."""

import pytest

from thawline.models.inference import images_at_once


@pytest.mark.parametrize(
    ("side", "images"), [(8, 256), (64, 256), (96, 113), (128, 64), (224, 64), (4096, 64)]
)
def test_small_images_go_in_larger_batches(side: int, images: int) -> None:
    assert images_at_once(side) == images
