"""One step of training: forward, backward, optimiser, schedule and average."""

import math
from typing import Any

import torch
from torch import nn

from thawline import auxiliary
from thawline.network import Network
from thawline.training import depthwise, optimizers
from thawline.training.device import numerics
from thawline.training.freezing import Frozen
from thawline.training.losses import Loss
from thawline.training.recipe import Recipe
from thawline.training.thawing import Thawing


class Steps:
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
        """The loss before the step, a scalar."""
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

    def state(self) -> dict[str, Any]:
        """All that a later step follows from, beside the examples and the random generators."""
        return {
            "network": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "average": self._average.state_dict() if self._average is not None else None,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            KeyError, ValueError, RuntimeError: the state of something else.
        """
        self._network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
