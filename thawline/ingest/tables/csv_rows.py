"""Read rows of untrusted CSV text, one at a time, each of bounded length."""

import csv
from collections.abc import Iterator
from functools import partial
from typing import TextIO

MAX_ROW_CHARACTERS = 2**20
"""A row is held whole, with some 60 bytes for each of its cells."""


def read(text: TextIO, delimiter: str = ",", *, strict: bool = False) -> Iterator[list[str]]:
    """Yield the cells of each row.

    Raises:
        csv.Error: a row of more than MAX_ROW_CHARACTERS, or what `csv.reader` refuses.
        UnicodeDecodeError: the text is not in the file's encoding.
    """
    held = [0]
    for row in csv.reader(_lines(text, held), delimiter=delimiter, strict=strict):
        held[0] = 0
        yield row


def _lines(text: TextIO, held: list[int]) -> Iterator[str]:
    """Yield lines for the reader, which joins those that a quoted cell spans.

    Args:
        text: the CSV text.
        held: characters since the last row, a list of one number.
    """
    for line in iter(partial(text.readline, MAX_ROW_CHARACTERS + 1), ""):
        held[0] += len(line)
        if held[0] > MAX_ROW_CHARACTERS:
            raise csv.Error(f"a row of more than {MAX_ROW_CHARACTERS} characters")
        yield line
