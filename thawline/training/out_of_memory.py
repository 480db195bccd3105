"""Report too little memory in one line that names the params that decide how much is taken."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from thawline.errors import UserError
from thawline.training.recipe import Recipe

_OF_CPU = "can't allocate memory"


@contextmanager
def translate_errors(recipe: Recipe, device: torch.device) -> Iterator[None]:
    """Turn the out-of-memory errors of PyTorch and NumPy into a message.

    Raises:
        UserError: memory ran out within the block.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_shortage(error):
            raise
        raise UserError(
            f"params.yaml: training.batch_size: {recipe.batch_size} images at a time do not fit "
            f"into the memory of {device}; try {max(2, recipe.batch_size // 2)} with twice the "
            f"{recipe.stage}.accumulate, or smaller images"
        ) from error


def is_shortage(error: Exception) -> bool:
    """Tell whether an error of PyTorch or NumPy says that memory ran out."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or _OF_CPU in str(error)
