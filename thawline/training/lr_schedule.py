"""Build learning-rate schedules by step and by epoch, from PyTorch's."""

import math
from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from thawline.training.recipe import Recipe


class Schedule:
    """Learning-rate schedule of a recipe around an optimiser."""

    def __init__(
        self, optimizer: Optimizer, recipe: Recipe, *, steps_per_epoch: int, done: int = 0
    ) -> None:
        """Build the schedule of `recipe.schedule`.

        Args:
            optimizer: with the highest rate of each group.
            recipe: schedule, warm-up, decay and epochs.
            steps_per_epoch: steps of the optimiser, not batches.
            done: steps made already; for an optimiser that takes another's place.
        """
        num_steps = recipe.epochs * steps_per_epoch
        self._warmup = recipe.warmup_ratio * num_steps
        self._done = done
        self._by_step: LRScheduler
        if recipe.schedule == "one_cycle":
            self._by_step = _one_cycle(optimizer, num_steps, recipe.warmup_ratio)
        else:
            self._by_step = by_step(
                optimizer,
                recipe.schedule,
                num_steps=num_steps,
                warmup_ratio=recipe.warmup_ratio,
                decay_steps=recipe.decay_every * steps_per_epoch,
                decay_factor=recipe.decay_factor,
                done=done,
            )
        self._plateau = _plateau(optimizer, recipe) if recipe.schedule == "plateau" else None

    def step(self) -> None:
        """Advance by one step of the optimiser."""
        self._done += 1
        # Past the warm-up it would set back what the plateau took away.
        if self._plateau is None or self._done < self._warmup:
            self._by_step.step()

    def after_epoch(self, macro_f1: float) -> None:
        """Lower the rate of a `plateau` schedule if macro-F1 has not risen for some epochs."""
        if self._plateau is not None and self._done >= self._warmup:
            self._plateau.step(macro_f1)

    def state_dict(self) -> dict[str, Any]:
        plateau = None if self._plateau is None else self._plateau.state_dict()
        return {"done": self._done, "by_step": self._by_step.state_dict(), "plateau": plateau}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._done = state["done"]
        self._by_step.load_state_dict(state["by_step"])
        if self._plateau is not None:
            self._plateau.load_state_dict(state["plateau"])


def by_step(
    optimizer: Optimizer,
    name: str,
    *,
    num_steps: int,
    warmup_ratio: float,
    decay_steps: int = 1,
    decay_factor: float = 1.0,
    done: int = 0,
) -> LambdaLR:
    """Build a linear warm-up, then a cosine to zero, a fall in steps, or a constant rate.

    Source of the cosine: I. Loshchilov and F. Hutter, 2017, "SGDR: stochastic gradient descent with
    warm restarts".
    """
    warmup = warmup_ratio * num_steps

    def factor(step: int) -> float:
        rise = min(1.0, (step + 1) / warmup) if warmup >= 1 else 1.0
        if name == "step":
            return rise * decay_factor ** (step // decay_steps)
        fall = 0.5 + 0.5 * math.cos(math.pi * step / num_steps) if name == "cosine" else 1.0
        return rise * fall

    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return LambdaLR(optimizer, factor, last_epoch=done - 1)


def _one_cycle(optimizer: Optimizer, num_steps: int, rising: float) -> OneCycleLR:
    """Build a schedule up to the highest rate and down to nothing, momentum the other way round.

    Source: L. Smith and N. Topin, 2018, "Super-convergence: very fast training of neural networks
    using large learning rates".
    """
    highest = [group["lr"] for group in optimizer.param_groups]
    momentum = "betas" in optimizer.defaults or bool(optimizer.defaults.get("momentum"))
    return OneCycleLR(
        optimizer, highest, total_steps=num_steps, pct_start=rising, cycle_momentum=momentum
    )


def _plateau(optimizer: Optimizer, recipe: Recipe) -> ReduceLROnPlateau:
    return ReduceLROnPlateau(
        optimizer,
        mode="max",
        factor=recipe.decay_factor,
        patience=recipe.decay_every - 1,
        threshold=0.0,
        threshold_mode="abs",
    )
