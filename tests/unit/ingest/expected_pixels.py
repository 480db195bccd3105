"""What decoded pixels are compared with."""

import numpy as np

from thawline.ingest.decoding.decode import decode

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
