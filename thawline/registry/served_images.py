"""Read the images of a request to the served model, as the bytes of image files.

Goes with the served model under the name `thawline_images`, as the decoder does under its own.
"""

import base64
import binascii
import io
import re
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
from PIL import Image
from thawline_decode import FORMATS, effort_px  # type: ignore[import-not-found]

_INPUT = "image"
_DATA_URI = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_URL_SAFE = str.maketrans("-_", "+/")


def listed(model_input: Any) -> list[Any]:
    """List the images of a frame, of a column by itself, or of MLflow's `inputs`."""
    if isinstance(model_input, pd.DataFrame | dict):
        named = _INPUT if _INPUT in model_input else next(iter(model_input), _INPUT)
        model_input = model_input[named]
    if isinstance(model_input, np.ndarray):
        model_input = list(model_input) if model_input.ndim in (1, 4) else [model_input]
    cells = list(model_input) if isinstance(model_input, pd.Series | list) else [model_input]
    nested = [
        list(cell)
        if isinstance(cell, list | tuple | np.ndarray) and not _is_pixels(cell)
        else [cell]
        for cell in cells
    ]
    return [image for row in nested for image in row]


def encoded(image: Any) -> bytes:
    """Convert an image to file bytes: bytes as they are, text as base64 or a data URI, or pixels.

    Raises:
        ValueError: none of them; the message says what is wrong and repeats nothing of it.
    """
    if _is_pixels(image):
        return _from_pixels(image)
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if not isinstance(image, str):
        raise ValueError(f"{type(image).__name__} where base64 text of an image file is expected")
    return _from_text(image)


def size_px(data: bytes) -> int:
    """Count an image's pixels by its header, times a factor for formats that are slow to decode.

    0 where no image can be read.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return int(effort_px(image))
    except Exception:  # whatever it is, the decoder says it better
        return 0


def _is_pixels(image: Any) -> bool:
    """Return True for one image of numbers: rows of numbers, or of lists of them."""
    for _ in range(2):
        if not isinstance(image, list | tuple | np.ndarray) or not len(image):
            return False
        image = image[0]
    if isinstance(image, list | tuple | np.ndarray):
        return len(image) > 0 and isinstance(image[0], int | float | np.number)
    return isinstance(image, int | float | np.number)


def _from_pixels(image: Any) -> bytes:
    """Encode pixels as a PNG, which loses nothing, to be handled like any other image."""
    try:
        array = np.asarray(image)
    except ValueError:
        raise ValueError("rows of pixels of different lengths") from None
    if array.dtype.kind not in "iu" or array.min() < 0 or array.max() > 255:
        raise ValueError("pixels must be whole numbers from 0 to 255")
    if array.ndim == 3 and array.shape[2] not in (1, 3):
        raise ValueError(f"pixels of shape {array.shape}; expected (H, W, 3), (H, W, 1) or (H, W)")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    buffer = io.BytesIO()
    Image.fromarray(array.astype(np.uint8)).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def _from_text(text: str) -> bytes:
    """Decode base64 of either alphabet, with or without its `=`, or a data URI with such.

    Text is nothing else: an address is never fetched.
    """
    found = _DATA_URI.match(text)
    if found:
        text = text[found.end() :]
        text = unquote(text) if "%" in text else text
    text = "".join(text.split()).rstrip("=")
    if "-" in text or "_" in text:
        text = text.translate(_URL_SAFE)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64 text of an image file; addresses are not fetched") from None
