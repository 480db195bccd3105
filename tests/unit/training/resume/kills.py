"""A training that dies somewhere and is run again, as so many processes would do it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.training import fingerprint, resume
from thawline.training.context import Machine, TrainingData
from thawline.training.history import Epoch, History
from thawline.training.recipe import Recipe
from thawline.training.resume import Resume
from thawline.training.train import train
from thawline.training.train_step import Steps

Change = Callable[..., Recipe]
CPU = Machine(device=torch.device("cpu"), precision="float32", workers=0, seed=0)
EPOCHS = 4
BATCHES = 4
HARD = {"optimizer": "adamw", "learning_rate": 0.01, "trainable": "last_blocks", "num_blocks": 2}


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


class Training:
    """The same training again and again, as so many processes would do it."""

    def __init__(
        self, network: Network, card: ModelConfig, data: TrainingData, recipe: Recipe, folder: Path
    ) -> None:
        self.network, self.card, self.data, self.recipe = network, card, data, recipe
        self.folder = folder
        self._start = {name: value.clone() for name, value in network.state_dict().items()}
        self.seen: list[int] = []
        self.dies_in: int | None = None

    def kept(self, recipe: Recipe, minutes: float = 0.0) -> Resume:
        self.restart()
        known_by = fingerprint.describe_training(self.network, self.card, self.data, recipe, CPU)
        return Resume("fine_tune", known_by, minutes=minutes, folder=self.folder)

    def run(
        self,
        *,
        die_after: int | None = None,
        monkeypatch: pytest.MonkeyPatch | None = None,
        minutes: float = 0.0,
        recipe: Recipe | None = None,
    ) -> tuple[History, dict[str, torch.Tensor]]:
        """From the first weights; ended after a number of steps, if one is given."""
        self.seen = []
        torch.manual_seed(5)  # of dropout
        chosen = recipe or self.recipe
        kept = self.kept(chosen, minutes)
        if die_after is not None:
            assert monkeypatch is not None
            monkeypatch.setattr(Steps, "step", dying(die_after))
        try:
            history = train(self.network, self.card, self.data, chosen, CPU, self._note, kept)
        finally:
            if monkeypatch is not None:
                monkeypatch.undo()
                monkeypatch.setattr(resume, "SHORTEST_S", 0.0)
        return history, {name: value.clone() for name, value in self.network.state_dict().items()}

    def restart(self) -> None:
        """Give the network its first weights."""
        self.network.load_state_dict(self._start)

    def forget(self) -> None:
        self.kept(self.recipe).finish()

    def _note(self, number: int, epoch: Epoch) -> None:
        self.seen.append(number)
        if number == self.dies_in:
            raise Killed


def dying(steps: int) -> Callable[..., torch.Tensor]:
    original, done = Steps.step, 0

    def step(self: Steps, *batch: torch.Tensor) -> torch.Tensor:
        nonlocal done
        if done == steps:
            raise Killed
        done += 1
        return original(self, *batch)

    return step


def same(one: tuple[History, dict[str, torch.Tensor]], other: object) -> bool:
    assert isinstance(other, tuple)
    history, state = one
    equal = all(torch.equal(value, other[1][name]) for name, value in state.items())
    return equal and history.epochs == other[0].epochs and history.best_epoch == other[0].best_epoch
