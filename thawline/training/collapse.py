"""Detect training that undoes what the network knew, or whose numbers are no longer finite."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from thawline.errors import UserError
from thawline.training.recipe import Recipe

COLLAPSE = 0.5
"""Validation macro-F1 over that of the start, below which training has undone what there was."""
DAMAGE = 0.94
"""The same share, after the first epoch of a rate below which there is another. A rate that ended
behind the start was at 0.91 of its test accuracy then (long-tailed digits), others at 0.97 and
above (emoji, 28 px clothes): seen on test rows, one seed."""


class CollapseError(Exception):
    """Training that undid much of what the network knew; the learning rate is too high."""


class NotFiniteError(Exception):
    """Value that training made infinite or not a number; the text says which."""


@contextmanager
def diverging(recipe: Recipe, *, ends_on_collapse: bool) -> Iterator[None]:
    """Turn NotFiniteError into an error that names the learning rate, or into a collapse.

    Raises:
        CollapseError: with ends_on_collapse, so that the next learning rate can be tried.
        UserError: without it.
    """
    try:
        yield
    except NotFiniteError as error:
        if ends_on_collapse:
            raise CollapseError(f"training {error}") from None
        raise UserError(
            f"{recipe.stage}.learning_rate: {recipe.learning_rate:g} {error}; try a tenth of it"
        ) from None


def check_finite(value: float, what: str) -> None:
    """Raise NotFiniteError, which says what the value is, where it is not finite."""
    if not math.isfinite(value):
        raise NotFiniteError(f"made {what} {value}")
