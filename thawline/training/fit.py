"""The training loop: epochs over examples, validation after each, best weights kept."""

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from thawline import auxiliary
from thawline.errors import UserError
from thawline.evaluation.accuracy import score
from thawline.network import Network
from thawline.progress import log, track
from thawline.training import depthwise, optimizers
from thawline.training.device import numerics
from thawline.training.examples import Examples
from thawline.training.freezing import Frozen
from thawline.training.losses import Loss
from thawline.training.recipe import Recipe
from thawline.training.thawing import Thawing

Epoch = Mapping[str, float]
ToInput = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Where a network is judged between epochs.

    Attributes:
        logits: of the given network on the validation rows, float32 (V, num_classes).
        labels: int64 (V,).
    """

    logits: Callable[[Network], torch.Tensor]
    labels: torch.Tensor


@dataclass
class History:
    """Per epoch what was measured, and which one was kept."""

    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int = -1
    best_state: dict[str, torch.Tensor] = field(default_factory=dict)


def fit(
    network: Network,
    frozen: Frozen,
    examples: Examples,
    to_input: ToInput,
    validation: Validation,
    recipe: Recipe,
    *,
    loss: Loss,
    device: torch.device,
    precision: str,
    on_epoch: Callable[[int, Epoch], None],
) -> History:
    """Train in place and leave the weights of the best epoch in the network.

    The best epoch has the highest validation macro-F1, the lower validation loss among equals.
    Training stops after recipe.patience epochs without a better macro-F1; a block that begins to
    train (recipe.unfreeze_every) starts the count anew.

    Args:
        frozen: what trains in the end.
        to_input: turns a batch of the examples into what `network` takes.
        loss: of float32 logits and labels, both on the device.
        on_epoch: called with the number and the measurements of each epoch.

    Raises:
        UserError: the loss is no longer finite.
    """
    steps = _Steps(network, frozen, recipe, len(examples), loss, device, precision)
    history = History()
    best, waited = (-1.0, -math.inf), 0
    for number in range(recipe.epochs):
        waited = 0 if steps.begin(number) else waited
        losses = [
            steps.step(to_input(inputs), labels.to(device))
            for inputs, labels in track(examples.epoch(number), f"epoch {number + 1}")
        ]
        judged = {
            "train_loss": _mean(losses, recipe),
            **_judge(steps.evaluated(), validation, recipe),
        }
        judged["learning_rate"] = steps.learning_rate()
        history.epochs.append(judged)
        on_epoch(number, judged)
        log(_line(number, recipe.epochs, judged))
        improved = judged["val_macro_f1"] > best[0]
        score = (judged["val_macro_f1"], -judged["val_loss"])
        waited = 0 if improved else waited + 1
        if score > best:
            best, history.best_epoch = score, number
            history.best_state = copy.deepcopy(steps.evaluated().state_dict())
        if waited >= recipe.patience:
            break
    network.load_state_dict(history.best_state)
    network.eval()
    return history


class _Steps:
    """Optimiser, schedule and average around a network."""

    def __init__(
        self,
        network: Network,
        frozen: Frozen,
        recipe: Recipe,
        num_examples: int,
        loss: Loss,
        device: torch.device,
        precision: str,
    ) -> None:
        self._network, self._frozen, self._recipe = network, frozen, recipe
        self._thawing = Thawing(network, frozen, recipe.unfreeze_every)
        self._loss = loss
        self._device, self._precision = device, precision
        self._quick = depthwise.quick(device, precision)
        groups = optimizers.parameter_groups(network, recipe.learning_rate, recipe.layer_decay)
        self._optimizer = optimizers.optimizer(
            recipe.optimizer, groups, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
        self._schedule = optimizers.schedule(
            self._optimizer,
            recipe.schedule,
            num_steps=recipe.epochs * math.ceil(num_examples / recipe.batch_size),
            warmup_ratio=recipe.warmup_ratio,
        )
        self._average = optimizers.averaged(network, recipe.ema_decay) if recipe.ema_decay else None

    def begin(self, epoch: int) -> bool:
        """Set what trains in an epoch; whether that is more than in the one before."""
        self._frozen = self._thawing.start(epoch)
        return self._thawing.thaws(epoch)

    def step(self, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        self._frozen.train_mode(self._network)
        with numerics(self._precision, self._device), self._quick:
            logits = self._network(inputs)
        loss = self._loss(logits.float(), labels)
        for extra, weight in auxiliary.taken(self._network):
            loss = loss + weight * self._loss(extra.float(), labels)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._schedule.step()
        if self._average is not None:
            self._average.update_parameters(self._network)
        return loss.detach()

    def evaluated(self) -> Network:
        """The network that is judged and kept, in evaluation mode."""
        chosen: nn.Module = self._average.module if self._average is not None else self._network
        assert isinstance(chosen, nn.Sequential)
        return chosen.eval()

    def learning_rate(self) -> float:
        return float(self._optimizer.param_groups[0]["lr"])


def _judge(network: Network, validation: Validation, recipe: Recipe) -> dict[str, float]:
    with torch.inference_mode():
        logits = validation.logits(network).double()
    # The last step of an epoch can spoil the weights after a loss that was still finite.
    _check_finite(float(logits.abs().max()), "a validation output", recipe)
    probabilities = torch.softmax(logits, dim=1)
    scores = score(probabilities.numpy(), validation.labels.numpy())
    return {
        "val_loss": scores.nll,
        "val_accuracy": scores.accuracy,
        "val_macro_f1": scores.macro_f1,
    }


def _mean(losses: list[torch.Tensor], recipe: Recipe) -> float:
    mean = float(torch.stack(losses).double().mean())
    _check_finite(mean, "the loss", recipe)
    return mean


def _check_finite(value: float, what: str, recipe: Recipe) -> None:
    if not math.isfinite(value):
        raise UserError(
            f"{recipe.stage}.learning_rate: {recipe.learning_rate:g} made {what} {value}; "
            "try a tenth of it"
        )


def _line(number: int, epochs: int, judged: Epoch) -> str:
    return (
        f"epoch {number + 1:>3}/{epochs}  train loss {judged['train_loss']:.4f}  "
        f"val loss {judged['val_loss']:.4f}  val accuracy {judged['val_accuracy']:.4f}  "
        f"val macro-F1 {judged['val_macro_f1']:.4f}"
    )
