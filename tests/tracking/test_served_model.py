"""What the served model answers to strangers; tests/tracking/test_publish.py serves it for real."""

import base64
import importlib
import io
import json
import multiprocessing
import socket
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from struct import pack
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from tests import colours
from thawline.ingest.decoding import decode

pytestmark = [pytest.mark.slow, pytest.mark.ci, pytest.mark.filterwarnings("ignore")]


_OURS = tuple(f"thawline.registry.served_{name}" for name in ("images", "answers", "model"))


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("decode", "images", "answers"):
        monkeypatch.delitem(sys.modules, f"thawline_{name}", raising=False)
    yield classifier(colours.write(tmp_path))
    for name in (*_OURS, "thawline_decode", "thawline_images", "thawline_answers"):
        sys.modules.pop(name, None)


def classifier(folder: Path) -> Any:
    sys.modules["thawline_decode"] = decode
    for name in _OURS[:2]:
        sys.modules[f"thawline_{name.rpartition('_')[2]}"] = importlib.import_module(name)
    module = importlib.import_module(_OURS[2])
    artifacts = {"network": str(folder / "model.onnx"), "card": str(folder / "model.json")}
    made = module.ImageClassifier()
    made.load_context(SimpleNamespace(artifacts=artifacts))
    return made


def ask(served: Any, *images: Any) -> list[str]:
    frame = pd.DataFrame({"image": list(images)})
    return list(served.predict(None, frame).idxmax(axis=1))


def refusal(served: Any, *images: Any) -> str:
    with pytest.raises(Exception, match=r".") as caught:
        ask(served, *images)
    assert caught.value.get_http_status_code() == 400
    message = str(caught.value)
    assert "\n" not in message
    caught.value.message = f"Failed to predict data '{images}'"  # as MLflow's server does
    assert json.loads(caught.value.serialize_as_json())["message"] in message
    return message


def png(colour: tuple[int, int, int], size: tuple[int, int] = (30, 20)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def empty_png(side_px: int) -> bytes:
    """White, 1 bit a pixel: some kilobytes, however large."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = pack(">I", zlib.crc32(kind + content))
        return pack(">I", len(content)) + kind + content + checksum

    deflate = zlib.compressobj(9)
    line = b"\0" + b"\xff" * (-(-side_px // 8))
    rows = b"".join(deflate.compress(line) for _ in range(side_px)) + deflate.flush()
    header = pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_bytes_and_base64_with_blanks_are_images(served: Any) -> None:
    red, blue = png((250, 9, 9)), png((9, 9, 250))
    text = base64.encodebytes(blue).decode()
    assert "\n" in text
    spaced = " ".join(text.strip())
    assert ask(served, red, text, spaced, bytearray(red)) == ["red", "blue", "blue", "red"]


@pytest.mark.parametrize("width", [21, 22, 23, 24])  # ends of all kinds, and both odd characters
def test_spellings_of_base64_are_images(served: Any, width: int) -> None:
    noise = np.random.default_rng(width).integers(0, 99, (20, width, 3), dtype=np.uint8)
    noise[..., 2] = 250
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    text, safe = (
        encode(buffer.getvalue()).decode()
        for encode in (base64.b64encode, base64.urlsafe_b64encode)
    )
    assert "+" in text
    assert "_" in safe
    spellings = [
        safe, text.rstrip("="), safe.rstrip("="), f"data:image/png;base64,{text}",
        f"DATA:;Base64,{safe.rstrip('=')}", f"data:image/png;charset=x;base64,{quote(text, '')}",
    ]  # fmt: skip
    assert ask(served, *spellings) == ["blue"] * len(spellings)


@pytest.mark.parametrize(
    "text",
    ["data:image/png,abc", "data:image/png;base64", "data:;base64,%%%", "A", "a=b=", "\u00fc"],
)
def test_other_text_is_one_message(served: Any, text: str) -> None:
    assert "not base64 text of an image file" in refusal(served, text)


def test_arrays_of_pixels_are_images(served: Any) -> None:
    blue = np.zeros((5, 7, 3), dtype=np.uint8)
    blue[..., 2] = 250
    assert ask(served, blue, blue.tolist(), blue.astype(np.int64)) == ["blue"] * 3
    assert ask(served, png((250, 9, 9)), blue) == ["red", "blue"]
    for given in (blue, blue[None], [blue.tolist()], {"image": [blue.tolist()]}):
        assert list(served.predict(None, given).idxmax(axis=1)) == ["blue"]
    grey = np.full((4, 4), 7, dtype=np.uint8)
    for given in (grey, grey[..., None], grey[..., None].tolist()):
        assert served.predict(None, {"image": [given]}).equals(served.predict(None, grey))
    assert len(served.predict(None, np.stack([grey[..., None]] * 3))) == 3


@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        (np.full((4, 4, 3), 0.5), "whole numbers from 0 to 255"),
        (np.full((4, 4, 3), 300), "whole numbers from 0 to 255"),
        ([[[0, 0, 0], [0, 0]]], "different lengths"),
        (np.zeros((4, 4, 5), dtype=np.uint8), r"shape (4, 4, 5)"),
        (np.zeros((4, 4, 2), dtype=np.uint8), r"expected (H, W, 3), (H, W, 1) or (H, W)"),
    ],
)
def test_other_arrays_are_one_message(served: Any, pixels: Any, says: str) -> None:
    message = refusal(served, png((250, 9, 9)), pixels)
    assert "image 1: " in message
    assert says in message


@pytest.mark.parametrize(
    "image", [b"hello", "aGVsbG8=", b"", "", png((1, 2, 3))[:60], None, 5, [], {"b64": ""}]
)
def test_what_is_no_image_is_one_message_with_its_row(served: Any, image: Any) -> None:
    good = png((250, 9, 9))
    message = refusal(served, good, image) if image != [] else refusal(served, [])
    assert "image 1: " in message or "0 images" in message
    assert ask(served, good) == ["red"]


@pytest.mark.parametrize("number", [0, 1001])
def test_too_few_and_too_many_images_are_refused(served: Any, number: int) -> None:
    assert f"{number} images; between 1 and 1000" in refusal(served, *[png((1, 1, 9))] * number)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/a.png", "file:///etc/passwd", "/etc/passwd", "s3://a/b.png"]
)
def test_an_address_is_never_fetched(
    served: Any, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    def fetched(*_: object, **__: object) -> None:
        raise AssertionError("a connection, or a file")

    monkeypatch.setattr(socket, "socket", fetched)
    monkeypatch.setattr("builtins.open", fetched)
    # The path is base64 too, of something that is no image.
    with pytest.raises(
        Exception, match=r"addresses are not fetched|not an image of a known format"
    ):
        ask(served, address)


def test_the_images_of_a_request_have_a_sum(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit lowered: at the real one a test would decode for seconds."""
    monkeypatch.setattr(sys.modules[_OURS[2]], "_MAX_PIXELS", 100 * 100 * 3)
    image = png((250, 9, 9), (100, 100))
    assert ask(served, image, image, image) == ["red"] * 3
    pixels = np.zeros((100, 100, 3), dtype=np.uint8)
    for last in (png((1, 1, 1), (1, 1)), pixels, base64.b64encode(image).decode()):
        said = refusal(served, image, image, image, last)
        assert "image 3: with it the request has more than 30000 pixels; send fewer" in said
    assert ask(served, image, image, image) == ["red"] * 3


def test_images_that_are_slow_to_decode_count_for_more(
    served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[_OURS[2]], "_MAX_PIXELS", 100 * 100 * 3)
    text = b"P3\n30 20 255\n" + b"250 9 9 " * 600
    assert ask(served, text, png((9, 250, 9))) == ["red", "green"]
    assert "image 1: with it the request has more than 30000 pixels" in refusal(served, text, text)


def test_a_fault_of_ours_is_no_refusal(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("/a/path/of/the/server")

    monkeypatch.setattr(sys.modules[_OURS[2]], "fit", broken)
    with pytest.raises(Exception, match=r"the model failed \(RuntimeError\); see the") as caught:
        ask(served, png((1, 2, 3)))
    assert caught.value.get_http_status_code() == 500
    assert "/a/path" not in str(caught.value)


def test_a_bomb_is_refused(served: Any) -> None:
    bomb = empty_png(30_000)
    assert len(bomb) < 200_000
    assert "image 0: more than 178956970 pixels" in refusal(served, bomb)


def test_a_huge_image_leaves_no_memory_behind(tmp_path: Path) -> None:
    """In a process that never trained: one that did keeps what it frees."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(growth, (colours.write(tmp_path),)) < 150 * 2**20


def growth(folder: Path) -> int:
    """Bytes that two huge images leave in the process of a served model."""
    served, huge = classifier(folder), empty_png(10_000)
    ask(served, png((255, 0, 0)))
    before = psutil.Process().memory_info().rss
    assert len(ask(served, huge, huge)) == 2
    return psutil.Process().memory_info().rss - before
