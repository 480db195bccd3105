"""Find a learning rate: measure the loss while the rate rises from step to step.

Source: L. Smith, 2017, "Cyclical learning rates for training neural networks", section 3.3.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from thawline.errors import UserError
from thawline.models import precision
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.runtime.progress import track
from thawline.training import swats
from thawline.training.context import Machine, TrainingData
from thawline.training.cut_inputs import CutNetwork
from thawline.training.examples import Batch, Examples
from thawline.training.freezing import freeze
from thawline.training.recipe import Recipe
from thawline.training.train import loss_of
from thawline.training.train_step import Steps

LOWEST, HIGHEST = 1e-6, 10.0
NUM_STEPS = 100
_SMOOTHING = 0.95
_DIVERGED = 4.0


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Loss by learning rate.

    Attributes:
        rates: float64 (K,), ascending.
        losses: losses of the batches at those rates, smoothed, float64 (K,).
    """

    rates: np.ndarray
    losses: np.ndarray

    @property
    def suggestion(self) -> float:
        """Learning rate to use: a tenth of that with the lowest loss.

        There the loss still falls, at some distance from where it diverges.
        """
        return float(f"{self.rates[int(np.argmin(self.losses))] / 10:.2g}")


def run(
    network: Network, card: ModelConfig, data: TrainingData, recipe: Recipe, machine: Machine
) -> Curve:
    """Train some steps at rates that rise evenly in their logarithm; this spoils the network.

    Ends early where the loss is four times its lowest. For adam_then_sgd, Adam is tried.

    Raises:
        UserError: the loss is not finite at any rate.
    """
    network.to(machine.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    frozen = freeze(
        network,
        recipe.trainable,
        recipe.num_blocks,
        keep_statistics=recipe.norm_statistics == "keep",
    )
    chosen = precision.choose(machine.precision, network, machine.device)
    parts = CutNetwork(network, frozen, card, data, recipe, machine, chosen)
    examples, to_input, _ = parts.cached() if parts.head_alone else parts.from_images()
    rising = _rising(recipe)
    after, tail = frozen.after_cut(), network[frozen.cut :]
    # As if an epoch were one step: the rate then rises with each.
    steps = Steps(
        tail, after, rising, 1, to_input,
        loss=loss_of(recipe, data, machine.device), device=machine.device,
        precision=chosen.training,
    )  # fmt: skip
    steps.begin(0)
    rates, losses = [], []
    for batch in track(_batches(examples), "rates", NUM_STEPS):
        rates.append(steps.learning_rate())
        losses.append(float(steps.step([batch])))
        if not np.isfinite(losses[-1]) or losses[-1] > _DIVERGED * min(losses):
            break
    return _curve(rates, losses, recipe)


def _rising(recipe: Recipe) -> Recipe:
    adam_first = recipe.optimizer == swats.OPTIMIZER
    return replace(
        recipe,
        optimizer="adam" if adam_first else recipe.optimizer,
        learning_rate=LOWEST,
        schedule="step",
        decay_every=1,
        decay_factor=(HIGHEST / LOWEST) ** (1 / (NUM_STEPS - 1)),
        warmup_ratio=0.0,
        epochs=NUM_STEPS,
        unfreeze_every=0,
        ema_decay=0.0,
        accumulate=1,
    )


def _batches(examples: Examples) -> Iterator[Batch]:
    done, epoch = 0, 0
    while True:
        for batch in examples.epoch(epoch):
            yield batch
            done += 1
            if done == NUM_STEPS:
                return
        epoch += 1


def _curve(rates: list[float], losses: list[float], recipe: Recipe) -> Curve:
    finite = np.isfinite(losses)
    if not finite.any():
        raise UserError(
            f"{recipe.stage}.learning_rate: the loss is not finite even at {LOWEST:g}; look at the "
            "images and the loss first"
        )
    values, average, smoothed = np.asarray(losses)[finite], 0.0, []
    for number, value in enumerate(values, start=1):
        average = _SMOOTHING * average + (1 - _SMOOTHING) * value
        smoothed.append(average / (1 - _SMOOTHING**number))
    return Curve(rates=np.asarray(rates)[finite], losses=np.asarray(smoothed))
