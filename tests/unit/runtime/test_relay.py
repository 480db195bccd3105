"""A child's output passed on, whoever reads it."""

import os
import threading
import time

import pytest

from thawline.runtime import relay
from thawline.runtime.output_paths import cell, uncell


def test_a_pipe_that_is_full_and_does_not_block() -> None:
    source, target = os.pipe()
    os.set_blocking(target, False)
    text = b"x" * 300_000
    found = bytearray()

    def read_slowly() -> None:
        while len(found) < len(text):
            time.sleep(0.01)
            found.extend(os.read(source, 40_000))

    reader = threading.Thread(target=read_slowly, daemon=True)
    reader.start()
    relay._write(target, text)
    reader.join(30)
    assert bytes(found) == text
    os.close(source)
    os.close(target)


@pytest.mark.parametrize("text", ["=x", "'=x", "''=x", "'", "", "a", "'a", "-5", "'-5", "-5x", "@"])
def test_cells_come_back(text: str) -> None:
    assert uncell(cell(text)) == text
    assert not cell(text).startswith(("=", "@"))


def test_cells_of_different_texts_differ() -> None:
    texts = [quotes + rest for quotes in ("", "'", "''") for rest in ("=x", "-5", "x", "\tx")]
    assert len({cell(text) for text in texts}) == len(texts)
