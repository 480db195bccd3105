"""How one packed image is kept: its pixels as they are, or as JPEG."""

import cv2
import numpy as np

QUALITY = 95
"""With colour at full resolution (4:4:4); photographs of 256 px take about a fifth of their pixels,
which differ by 1 of 255 on average."""
_OPTIONS = (
    cv2.IMWRITE_JPEG_QUALITY,
    QUALITY,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)


def encode(image: np.ndarray, encoding: str) -> np.ndarray:
    """Args:
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
    """Bytes of a JPEG file that `encode` made, uint8 (L,), to RGB, uint8 (S, S, 3).

    None where OpenCV finds no image. Half a file it decodes to a half grey one: compare a checksum
    first.
    """
    # Turning BGR round in NumPy cost as much as half of the decoding.
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)
