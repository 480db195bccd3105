"""Files are known by their first bytes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from thawline.ingest.decoding import decode, file_format

Encode = Callable[..., bytes]


@pytest.mark.parametrize("kind", sorted(file_format.READ))
def test_every_format_that_is_read_is_recognised(encode: Encode, kind: str) -> None:
    data = encode(np.zeros((9, 9, 3), np.uint8), kind)
    assert file_format.image_format(data[: file_format.HEAD_BYTES]) == kind
    assert file_format.unread("a.txt", data[: file_format.HEAD_BYTES]) is None
    assert decode.decode(data).size == (9, 9)


def test_a_tiff_of_64_bits_is_recognised(tmp_path: Path) -> None:
    Image.new("L", (9, 9)).save(tmp_path / "a.tif", big_tiff=True)
    data = (tmp_path / "a.tif").read_bytes()
    assert data[:4] == b"II+\0"
    assert file_format.image_format(data) == "TIFF"
    assert decode.decode(data).size == (9, 9)


def test_the_formats_are_those_of_the_decoder() -> None:
    assert set(file_format.READ) == set(decode.FORMATS)
    registered = Image.registered_extensions()
    for kind, suffixes in file_format.READ.items():
        unknown = {
            s for s in suffixes if s in registered and registered[s] not in (kind, "MPO", "DIB")
        }
        assert unknown == set()


UNREAD = {
    b"\0\0\0\x18ftypheic\0\0\0\0mif1heic": "a HEIC file, which is not read",
    b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic": "a HEIC file, which is not read",
    b"\0\0\0\x18ftypcrx \0\0\0\1crx isom": "a camera raw file, which is not read",
    b"\0\0\0\x18ftypisom\0\0\2\0isomiso2": "a video, not an image",
    b"\xff\x0a\0\0\0\0": "a JPEG XL file, which is not read",
    b"\0\0\0\x0cJXL \r\n\x87\n": "a JPEG XL file, which is not read",
    b"\0\0\0\x0cjP  \r\n\x87\n": "a JPEG 2000 file, which is not read",
    bytes(128) + b"DICM": "a DICOM file, which is not read",
    b"II*\0\x10\0\0\0CR\2\0": "a camera raw file, which is not read",
    b"version https://git-lfs.github.com/spec/v1\noid": "a Git LFS pointer; run `git lfs pull`",
    b"/annex/objects/SHA256E-s12--ab.png\n": "a git-annex pointer; run `git annex get`",
    b"\xef\xbb\xbf\n <!DOCTYPE html><html>": "a web page, not an image",
    b"<HTML><head>404": "a web page, not an image",
    b'<?xml version="1.0"?><Error>': "an XML text, not an image",
    b'{"message": "not found"}': "a JSON text, not an image",
    b"%PDF-1.7": "a PDF file, not an image",
}


@pytest.mark.parametrize(("head", "said"), UNREAD.items())
def test_what_is_not_read_is_named(head: bytes, said: str) -> None:
    assert file_format.unread("a.jpg", head) == said


def test_a_raw_file_is_not_taken_for_its_thumbnail(encode: Encode) -> None:
    head = encode(np.zeros((9, 9, 3), np.uint8), "TIFF")[:64]
    assert file_format.unread("a.NEF", head) == "a camera raw file (.nef), which is not read"
    assert file_format.unread("a.tif", head) is None


@pytest.mark.parametrize(
    "head",
    [b"", b"BMW is a maker of cars.", b"P1: a headline", b"text", b"\0" * 64, b"PNG", b"RIFF"],
)
def test_a_text_is_no_image(head: bytes) -> None:
    assert file_format.image_format(head) is None


def test_a_name_says_what_the_bytes_do_not() -> None:
    assert file_format.unread("a.heic", b"x" * 64) == "a HEIC file, which is not read (by its name)"
    assert file_format.unread("a.png", b"x" * 64) is None
    assert file_format.unread("a.heic", b"") is None  # empty is what is wrong with it
