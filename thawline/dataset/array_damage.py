"""Exceptions of NumPy and zipfile where a file of arrays is damaged.

The header of an array is a Python literal, and NumPy lets through what its parser meets.
"""

import struct
import zlib
from tokenize import TokenError
from zipfile import BadZipFile

PARSER = (ValueError, SyntaxError, TypeError, TokenError, RecursionError)
"""Exceptions of the parser, whose messages say what is wrong."""
OTHERS = (
    MemoryError, OverflowError, AttributeError, LookupError, EOFError, struct.error,
)  # fmt: skip
HEADER = (*PARSER, *OTHERS)
"""Exceptions of an array's header."""
ARCHIVE = (BadZipFile, zlib.error, EOFError, RuntimeError)
"""Exceptions of the zip around arrays; the last where one is encrypted or packed in another way."""
