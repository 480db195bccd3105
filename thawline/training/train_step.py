"""Make one step of training: forward, backward, optimiser, schedule and average."""

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, cast

import torch
from torch import nn

from thawline.models import auxiliary_heads
from thawline.models.device import numerics
from thawline.models.network import Network
from thawline.runtime.progress import log
from thawline.training import norm_momentum, optimizers, swats
from thawline.training.cpu import quick
from thawline.training.distillation import Teacher
from thawline.training.distributed import ALONE, Group
from thawline.training.examples import Batch
from thawline.training.freezing import Frozen
from thawline.training.gradual_unfreezing import Thawing
from thawline.training.losses import Loss
from thawline.training.lr_schedule import Schedule
from thawline.training.recipe import Recipe
from thawline.training.swats import Switch

ToInput = Callable[[torch.Tensor], torch.Tensor]


class Steps:
    """Training steps of a network, with its optimiser, schedule and weight average."""

    def __init__(
        self,
        network: Network,
        frozen: Frozen,
        recipe: Recipe,
        num_examples: int,
        to_input: ToInput,
        *,
        loss: Loss,
        device: torch.device,
        precision: str,
        teacher: Teacher | None = None,
        group: Group = ALONE,
        compiled: bool = False,
    ) -> None:
        self._network, self._frozen, self._recipe = network, frozen, recipe
        self._group, self._compiled = group, compiled
        self._run: ToInput | None = None
        self._thawing = Thawing(network, frozen, recipe.unfreeze_every)
        self._to_input, self._loss, self._teacher = to_input, loss, teacher
        self._device, self._precision = device, precision
        # A compiled network is made of other kernels, and knows no such mode.
        self._quick = nullcontext() if compiled else quick.convolutions(device, precision)
        num_batches = math.ceil(num_examples / recipe.batch_size)
        self._steps_per_epoch = math.ceil(num_batches / recipe.accumulate)
        norm_momentum.fit_to(network, recipe.epochs * num_batches)
        groups = optimizers.parameter_groups(network, recipe.learning_rate, recipe.layer_decay)
        self._parameters = [p for group in groups for p in group["params"]]
        self._switch = Switch(recipe) if recipe.optimizer == swats.OPTIMIZER else None
        self._switched: float | None = None
        name = "adam" if self._switch else recipe.optimizer
        self._done = 0
        self._use(
            optimizers.optimizer(
                name, groups, momentum=recipe.momentum, weight_decay=recipe.weight_decay
            )
        )
        self._average = optimizers.averaged(network, recipe.ema_decay) if recipe.ema_decay else None

    def begin(self, epoch: int) -> bool:
        """Set what trains in an epoch; return whether more trains than in the one before."""
        self._frozen = self._thawing.start(epoch)
        thaws = self._thawing.thaws(epoch)
        if self._run is None or thaws:
            network = self._network
            self._run = self._group.wrap(
                cast(Network, torch.compile(network)) if self._compiled else network
            )
        return thaws

    def step(self, batches: Sequence[Batch]) -> torch.Tensor:
        """Train one step on the batches together; return their mean loss before it, a scalar."""
        self._frozen.train_mode(self._network)
        self._group.seed(self._done)
        self._optimizer.zero_grad(set_to_none=True)
        total = sum(len(labels) for _, labels in batches)
        losses = []
        for images, labels in batches:
            loss = self._loss_of(images, labels.to(self._device)) * (len(labels) / total)
            loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        if self._recipe.clip_norm:
            nn.utils.clip_grad_norm_(self._parameters, self._recipe.clip_norm)
        learning_rate = self._move()
        self._done += 1
        self._schedule.step()
        self._switch_to(learning_rate)
        if self._average is not None:
            self._average.update_parameters(self._network)
        return torch.stack(losses).sum()

    def after_epoch(self, number: int, macro_f1: float) -> None:
        """Pass the validation macro-F1 of an epoch to the schedule and the optimiser switch."""
        self._schedule.after_epoch(macro_f1)
        if self._switch is not None and self._switched is None:
            self._switch_to(self._switch.after_epoch(number, macro_f1))

    def evaluated(self) -> Network:
        """Return the network that is judged and kept (the average, if any), in evaluation mode."""
        chosen: nn.Module = self._average.module if self._average is not None else self._network
        assert isinstance(chosen, nn.Sequential)
        return chosen.eval()

    def trained(self) -> Network:
        """Return the trained network, not its average, in evaluation mode until the next step."""
        return self._network.eval()

    def learning_rate(self) -> float:
        """Return the learning rate of the first group of parameters, the head's."""
        return float(self._optimizer.param_groups[0]["lr"])

    def state(self) -> dict[str, Any]:
        """Return all that later steps depend on, except examples and random generators."""
        return {
            "network": self._network.state_dict(),
            "done": self._done,
            "switched": self._switched,
            "switch": self._switch.state_dict() if self._switch is not None else None,
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "average": self._average.state_dict() if self._average is not None else None,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Load what `state` returned.

        Raises:
            KeyError, ValueError, RuntimeError: the state is of another network or recipe.
        """
        self._network.load_state_dict(state["network"])
        if self._switch is not None:
            self._switch.load_state_dict(state["switch"])
            self._switch_to(state["switched"])
        self._done = state["done"]
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])

    def _loss_of(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        assert self._run is not None, "an epoch has begun"
        inputs = self._to_input(images)
        with numerics(self._precision, self._device), self._quick, self._group.norms():
            logits = self._run(inputs)
        own = self._loss
        if self._teacher is not None:
            own = self._teacher.loss(own, self._whole(self._teacher.logits(images), labels))
        loss = own(self._whole(logits, labels), labels)
        for extra, weight in auxiliary_heads.taken(self._network):
            loss = loss + weight * self._loss(self._whole(extra, labels), labels)
        return loss

    def _whole(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self._group.whole(logits.float(), len(labels))

    def _move(self) -> float | None:
        """Step the optimiser; return the learning rate for SGD once it is to take over."""
        switch = self._switch if self._switched is None else None
        if switch is None or not switch.watches_steps:
            self._optimizer.step()
            return None
        moving = [p for p in self._parameters if p.grad is not None]
        before = [p.detach().clone() for p in moving]
        self._optimizer.step()
        moves = [p.detach() - old for p, old in zip(moving, before, strict=True)]
        return switch.after_step(moves, [p.grad for p in moving if p.grad is not None])

    def _switch_to(self, learning_rate: float | None) -> None:
        """Replace the optimiser by SGD at this rate, on the same parameters and schedule."""
        if learning_rate is None:
            return
        if self._switched is None:
            log(f"{self._recipe.stage}: SGD takes over at a learning rate of {learning_rate:.3g}")
        self._switched = learning_rate
        groups = [
            {
                "params": group["params"],
                "lr": learning_rate * group["initial_lr"] / self._recipe.learning_rate,
            }
            for group in self._optimizer.param_groups
        ]
        found = self._recipe.switch == "swats"
        self._use(
            optimizers.optimizer(
                "sgd",
                groups,
                momentum=swats.MOMENTUM if found else self._recipe.momentum,
                weight_decay=self._recipe.weight_decay,
                nesterov=not found,
            )
        )

    def _use(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        per_epoch = self._steps_per_epoch
        self._schedule = Schedule(
            optimizer, self._recipe, steps_per_epoch=per_epoch, done=self._done
        )
