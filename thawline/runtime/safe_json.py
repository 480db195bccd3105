"""JSON that a disk, a kill or somebody else may have damaged."""

import json
from typing import Any


def loads(text: str | bytes) -> Any:
    """Parse it; whatever is wrong with it is a ValueError.

    Raises:
        ValueError: no JSON, no UTF-8, or nested more deeply than Python's parser goes.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
