"""Read JSON that a disk, a kill or somebody else may have damaged."""

import json
from typing import Any


def loads(text: str | bytes) -> Any:
    """Parse JSON; whatever is wrong with it is a ValueError.

    Raises:
        ValueError: not JSON, not UTF-8, or nested more deeply than Python's parser goes.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
