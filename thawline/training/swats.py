"""Switch from Adam to SGD during training (SWATS), or after a fixed number of epochs.

Source: N. Keskar and R. Socher, 2017, "Improving generalization performance by switching from Adam
to SGD", algorithm 1.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from thawline.training.recipe import Recipe

OPTIMIZER = "adam_then_sgd"
MOMENTUM = 0.9
"""Momentum of SGD after SWATS: Adam's first beta."""
_BETA = 0.999
_TOLERANCE = 1e-9


class Switch:
    """Observer of Adam's steps and scores that gives SGD's learning rate once it is time."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._average, self._steps = 0.0, 0
        self._best, self._waited = -1.0, 0

    @property
    def watches_steps(self) -> bool:
        """True for `swats`, which needs `after_step`."""
        return self._recipe.switch == "swats"

    def after_step(
        self, moves: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor]
    ) -> float | None:
        """Return SGD's learning rate once its estimate is stable, else None.

        The estimate is the rate at which SGD's step projects onto Adam's. `moves` is what Adam
        added to each parameter, `gradients` are those of the same parameters.
        """
        pairs = zip(moves, gradients, strict=True)
        slope = sum(float((move.double() * gradient).sum()) for move, gradient in pairs)
        if slope == 0:
            return None
        rate = sum(float(move.double().square().sum()) for move in moves) / -slope
        self._steps += 1
        self._average = _BETA * self._average + (1 - _BETA) * rate
        settled = self._average / (1 - _BETA**self._steps)
        near = self._steps > 1 and abs(settled - rate) < _TOLERANCE
        # The paper's momentum buffer is scaled by what Adam's average of gradients is.
        return (1 - MOMENTUM) * settled if near and settled > 0 else None

    def after_epoch(self, number: int, macro_f1: float) -> float | None:
        """Return SGD's rate after a fixed epoch, or after epochs without a better score."""
        recipe = self._recipe
        self._waited = 0 if macro_f1 > self._best else self._waited + 1
        self._best = max(self._best, macro_f1)
        reached = {"fixed": number + 1, "plateau": self._waited}.get(recipe.switch, 0)
        return recipe.switch_learning_rate if reached >= recipe.switch_epochs else None

    def state_dict(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k != "_recipe"}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for key in self.state_dict():
            setattr(self, key, state[key])
