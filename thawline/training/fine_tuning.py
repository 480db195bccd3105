"""Fine-tune from a solved head: plan it, end what collapses, accept only what is better."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from thawline.cost.flops import num_macs
from thawline.models.checkpoint import ModelConfig
from thawline.models.inference import images_at_once, probabilities
from thawline.models.network import Network
from thawline.params.schema import recipes
from thawline.runtime.progress import log
from thawline.training import acceptance, auto_recipe
from thawline.training import resume as resuming
from thawline.training.collapse import COLLAPSE, DAMAGE, CollapseError
from thawline.training.context import TrainingData
from thawline.training.history import History
from thawline.training.recipe import Recipe
from thawline.training.refit import Refit
from thawline.training.time_plan import DENSE, DEPTHWISE

FEWEST_ROWS = 10
"""Training images of a class, below which the first answer is kept."""
FEWEST_JUDGES = 100
"""Validation images, below which the standard error of a difference is above some three points."""
Train = Callable[[Recipe], History]


@dataclass(frozen=True, kw_only=True)
class FineTuningPlan:
    """Plan of a fine-tuning, made before it starts.

    Attributes:
        values: values of the training section, without any `auto`.
        rates: learning rates to try, each after the one before collapsed.
        stands: reason for keeping the start without training; empty where there is training.
    """

    values: Mapping[str, Any]
    rates: tuple[float, ...]
    stands: str

    def ends_below(self, rate: float) -> tuple[float, float] | None:
        """Return `ends_below` of `fit` for a rate; None where params fix the rate."""
        if len(self.rates) == 1:
            return None
        return COLLAPSE, COLLAPSE if rate == self.rates[-1] else DAMAGE


def plan(
    section: recipes.RecipeSection,
    network: Network,
    card: ModelConfig,
    data: TrainingData,
    *,
    batch_size: int,
    threads: int,
    max_minutes: float | None,
    last: Refit | None = None,
) -> FineTuningPlan:
    """Plan a fine-tuning by counts and by the start's accuracy on the validation rows.

    Values of `section` that are not `auto` are kept. `network` has the solved head; `last` is the
    head that ships where training finds nothing better.
    """
    from thawline.models.precision import has_depthwise

    macs = num_macs(network, card.image_size_px)
    left = auto_recipe.minutes_left(
        max_minutes, num_images=len(data.manifest), macs=macs, threads=threads
    )
    epochs = auto_recipe.planned_epochs(
        len(data.indices), batch_size, macs=macs, threads=threads, max_minutes=left,
        rates=DEPTHWISE if has_depthwise(network) else DENSE,
    )  # fmt: skip
    stands = ""
    if section.epochs == auto_recipe.AUTO:
        stands = _stands(network, card, data, last) or (
            "" if epochs else "not one epoch fits into budget.max_minutes"
        )
    return FineTuningPlan(
        values=auto_recipe.resolved(section, from_scratch=False, epochs=max(1, epochs)),
        rates=auto_recipe.learning_rates(section, from_scratch=False),
        stands=stands,
    )


def tune(
    network: Network,
    card: ModelConfig,
    data: TrainingData,
    recipe: Recipe,
    rates: tuple[float, ...],
    train: Train,
    *,
    last: Refit | None = None,
) -> tuple[History, str]:
    """Train with the first rate that does not collapse, then keep what is better than the start.

    Every rate begins with the same random numbers: one that is tried after a collapse gives what it
    gives where params name it. `network` is left with the weights that are kept.

    Args:
        network: with the solved head.
        card: configuration of the network.
        data: rows to train on and to validate by.
        recipe: values of the training; its learning rate is replaced.
        rates: learning rates to try.
        train: trains the network by a recipe, in place.
        last: head that ships instead of the start where nothing better is found.

    Returns:
        The history of the training, and its outcome in one line.
    """
    start, random = copy.deepcopy(network.state_dict()), resuming.random_state()
    predict = partial(_predict, card=card, data=data)
    labels = data.manifest.labels[data.manifest.rows("val")]
    collapsed = []
    for rate in rates:
        try:
            history = train(replace(recipe, learning_rate=rate))
        except CollapseError as collapse:
            log(f"{recipe.stage}: learning_rate {rate:g}: {collapse}; ended")
            collapsed.append(f"{rate:g}")
            network.cpu().eval().load_state_dict(start)
            resuming.set_random_state(random)
            continue
        verdict = acceptance.settle(
            network, start, predict, labels,
            may_mix=recipe.norm_statistics == "keep",
            others=[history.good[number] for number in history.best_first()[1:]],
            refitted=None if last is None else last.validation,
        )  # fmt: skip
        history.settled = verdict.judged
        if not verdict.accepted:
            history.best_epoch = -1
        before = f" after {', '.join(collapsed)} collapsed" if collapsed else ""
        return history, f"learning_rate {rate:g}{before}; {verdict}"
    return untrained(network, predict, labels), (
        f"keeps the start: training collapsed with every learning rate ({', '.join(collapsed)})"
    )


def untrained(
    network: Network, predict: Callable[[Network], np.ndarray], labels: np.ndarray
) -> History:
    """Judge a start that is kept without training."""
    judged = acceptance.judge(predict(network), labels)
    return History(start=judged)


def kept_start(network: Network, card: ModelConfig, data: TrainingData) -> History:
    """Judge a start that is kept without training, on the validation rows of the data."""
    labels = data.manifest.labels[data.manifest.rows("val")]
    return untrained(network, partial(_predict, card=card, data=data), labels)


def too_few(data: TrainingData) -> str:
    """Say why there are too few images to fine-tune; empty where there are enough."""
    counts = np.bincount(data.manifest.labels[data.manifest.rows("train")])
    rarest = int(counts[counts > 0].min())
    if rarest < FEWEST_ROWS:
        return f"a class has {rarest} training images; below {FEWEST_ROWS} it is only memorised"
    judges = len(data.manifest.rows("val"))
    if judges < FEWEST_JUDGES:
        return (
            f"{judges} validation images are too few to tell a gain from chance; at least "
            f"{FEWEST_JUDGES} are needed"
        )
    return ""


def _stands(network: Network, card: ModelConfig, data: TrainingData, last: Refit | None) -> str:
    if few := too_few(data):
        return few
    labels = data.manifest.labels[data.manifest.rows("val")]
    said = _predict(network, card=card, data=data) if last is None else last.validation
    wrong = int((said.argmax(axis=1) != labels).sum())
    if wrong <= 1:
        return f"{wrong} of {len(labels)} validation images is wrong: no gain could be measured"
    return ""


def _predict(network: Network, *, card: ModelConfig, data: TrainingData) -> np.ndarray:
    rows = data.manifest.rows("val")
    batches = data.store.batches(rows, images_at_once(card.image_size_px))
    return probabilities(network.eval(), batches, card)
