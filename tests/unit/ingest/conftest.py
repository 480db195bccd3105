"""Real images, small."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

Encode = Callable[..., bytes]


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """Smooth colours with a corner of their own each, so that a wrong turn or channel shows."""
    y, x = np.mgrid[0:1:48j, 0:1:64j]
    channels = [255 * x, 255 * y, 120 + 100 * np.sin(5 * x) * np.cos(4 * y)]
    image = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    image[:12, :16] = (250, 20, 20)
    return image


@pytest.fixture(scope="session")
def encode() -> Encode:
    def encoded(image: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
        out = io.BytesIO()
        picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
        picture.save(out, kind, **options)
        return out.getvalue()

    return encoded


@pytest.fixture(scope="session")
def alpha(photo: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.linspace(0, 255, photo.shape[1]).round(), photo.shape[:2]).astype(
        np.uint8
    )
