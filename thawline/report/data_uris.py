"""Embed pictures in a page, so that there is only one file to send."""

import base64
import io
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

MAX_BYTES = 4_500_000
"""Bytes of all pictures as text; the page is to stay below 5 MB."""
_QUALITY = 80


def data_uris(pictures: Mapping[str, Path], max_bytes: int = MAX_BYTES) -> dict[str, str]:
    """Encode each picture as a `data:` URI, by its name.

    Unchanged where they fit; else the largest are made smaller until all of them do.
    """
    contents = {name: path.read_bytes() for name, path in pictures.items()}
    pixels = [name for name, content in contents.items() if not _is_drawing(content)]
    while _as_text(contents) > max_bytes and pixels:
        largest = max(pixels, key=lambda name: len(contents[name]))
        smaller = _smaller(contents[largest])
        if len(smaller) >= len(contents[largest]):
            break
        contents[largest] = smaller
    return {name: _data_uri(content) for name, content in contents.items()}


def _as_text(contents: Mapping[str, bytes]) -> int:
    return sum(4 * -(-len(content) // 3) for content in contents.values())


def _smaller(content: bytes) -> bytes:
    """Compress a picture to lossy WebP; one that is WebP already shrinks to 0.7 of its side."""
    with Image.open(io.BytesIO(content)) as image:
        again, picture = image.format == "WEBP", image.convert("RGB")
    if again:
        picture = picture.resize(
            (max(1, picture.width * 7 // 10), max(1, picture.height * 7 // 10))
        )
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=_QUALITY)
    return buffer.getvalue()


def _is_drawing(content: bytes) -> bool:
    """Tell an SVG file, which is small and stays as it is."""
    return content.startswith(b"<svg")


def _data_uri(content: bytes) -> str:
    bitmap = "webp" if content[8:12] == b"WEBP" else "png"
    kind = "svg+xml" if _is_drawing(content) else bitmap
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
