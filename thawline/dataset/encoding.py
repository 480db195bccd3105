"""Encode and decode one packed image: its pixels as they are, or as JPEG."""

import cv2
import numpy as np

QUALITY = 95
"""Quality of JPEG, with colour at full resolution (4:4:4): photographs of 256 px take about a fifth
of their pixels' bytes, and pixels differ by 1 of 255 on average."""
_OPTIONS = (
    cv2.IMWRITE_JPEG_QUALITY,
    QUALITY,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)


def encode(image: np.ndarray, encoding: str) -> np.ndarray:
    """Encode an image.

    Args:
        image: RGB, uint8 (S, S, 3).
        encoding: raw or jpeg.

    Returns:
        The image itself, or the bytes of a JPEG file, uint8 (L,). Equal images give equal bytes.
    """
    if encoding == "raw":
        return image
    done, encoded = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), _OPTIONS)
    assert done, "OpenCV encodes any uint8 image"
    return np.asarray(encoded).reshape(-1)


def decode(encoded: np.ndarray) -> np.ndarray | None:
    """Decode the bytes of a JPEG file by `encode`, uint8 (L,), to RGB, uint8 (S, S, 3).

    None where OpenCV finds no image. It decodes half a file to a half grey image: compare a
    checksum first.
    """
    # Turning BGR round in NumPy cost as much as half of the decoding.
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)
