"""Fine-tuning from a solved head: the next rate after a collapse, the start if none is better."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tests.unit.training.resume.kills import CPU
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.training import acceptance, fine_tuning
from thawline.training.collapse import CollapseError
from thawline.training.context import TrainingData
from thawline.training.history import History
from thawline.training.recipe import Recipe
from thawline.training.train import train

RATES = (0.5, 0.1, 0.02)
EPOCH = {"val_macro_f1": 0.5, "val_loss": 1.0, "val_accuracy": 0.5}


class Train:
    """Collapses with all rates above one; each training starts from what it finds."""

    def __init__(self, network: Network, highest: float, change: float = 0.0) -> None:
        self.network, self.highest, self.change = network, highest, change
        self.starts: list[dict[str, torch.Tensor]] = []
        self.tried: list[float] = []

    def __call__(self, recipe: Recipe) -> History:
        self.starts.append(copy.deepcopy(self.network.state_dict()))
        self.tried.append(recipe.learning_rate)
        for parameter in self.network.parameters():
            parameter.data.add_(self.change)
        if recipe.learning_rate > self.highest:
            for parameter in self.network.train().parameters():
                parameter.data.fill_(float("nan"))
            raise CollapseError("training made the loss nan")
        return History(epochs=[EPOCH], best_epoch=0, start=EPOCH)


def tuned(
    network: Network, card: ModelConfig, data: TrainingData, recipe: Recipe, train: Train
) -> tuple[History, str]:
    return fine_tuning.tune(network, card, data, recipe, RATES, train)


def test_the_next_rate_starts_where_the_first_did(
    small: Network, card: ModelConfig, data: TrainingData, recipe: Callable[..., Recipe]
) -> None:
    before = copy.deepcopy(small.state_dict())
    train = Train(small, highest=0.1)
    _, outcome = tuned(small, card, data, recipe(norm_statistics="keep"), train)
    assert train.tried == [0.5, 0.1]
    for state in train.starts:
        assert all(torch.equal(before[key], value) for key, value in state.items())
    assert outcome.startswith("learning_rate 0.1 after 0.5 collapsed; keeps the start")


@pytest.mark.parametrize("change", [0.0, 0.1])
def test_what_is_no_better_leaves_the_start(
    small: Network,
    card: ModelConfig,
    data: TrainingData,
    recipe: Callable[..., Recipe],
    monkeypatch: pytest.MonkeyPatch,
    change: float,
) -> None:
    before = copy.deepcopy(small.state_dict())
    monkeypatch.setattr(fine_tuning, "_predict", lambda net, **_: np.eye(3)[np.zeros(20, int)])
    history, _ = tuned(small, card, data, recipe(), Train(small, 1.0, change))
    assert history.best_epoch == -1
    assert history.settled is not None
    assert history.kept() is history.settled
    assert all(torch.equal(before[key], value) for key, value in small.state_dict().items())


@pytest.mark.parametrize(("norm_statistics", "may_mix"), [("keep", True), ("update", False)])
def test_only_kept_statistics_let_weights_be_mixed(
    small: Network,
    card: ModelConfig,
    data: TrainingData,
    recipe: Callable[..., Recipe],
    monkeypatch: pytest.MonkeyPatch,
    norm_statistics: str,
    may_mix: bool,
) -> None:
    asked: dict[str, Any] = {}
    settle = acceptance.settle

    def noted(*args: Any, **options: Any) -> acceptance.Acceptance:
        asked.update(options)
        return settle(*args, **options)

    monkeypatch.setattr(acceptance, "settle", noted)
    tuned(small, card, data, recipe(norm_statistics=norm_statistics), Train(small, 1.0))
    assert asked["may_mix"] == may_mix


def test_the_start_stands_where_every_rate_collapses(
    small: Network, card: ModelConfig, data: TrainingData, recipe: Callable[..., Recipe]
) -> None:
    before = copy.deepcopy(small.state_dict())
    train = Train(small, highest=0.0)
    history, outcome = tuned(small, card, data, recipe(), train)
    assert train.tried == list(RATES)
    assert history.epochs == []
    assert history.kept() == history.start == fine_tuning.kept_start(small, card, data).start
    assert outcome == (
        "keeps the start: training collapsed with every learning rate (0.5, 0.1, 0.02)"
    )
    assert all(torch.equal(before[key], value) for key, value in small.state_dict().items())


@pytest.mark.parametrize(
    ("trainable", "num_blocks"), [("head", 0), ("last_blocks", 1), ("all", 0), ("norm", 0)]
)
def test_epochs_of_any_blocks_can_be_averaged(
    small: Network,
    card: ModelConfig,
    data: TrainingData,
    recipe: Callable[..., Recipe],
    trainable: str,
    num_blocks: int,
) -> None:
    """What stays frozen is not in the states that the epochs leave."""
    chosen = recipe(
        trainable=trainable, num_blocks=num_blocks, norm_statistics="keep",
        epochs=3, patience=9, learning_rate=0.05,
    )  # fmt: skip

    def train_by(recipe: Recipe) -> History:
        return train(
            small, card, data, recipe, CPU, lambda *_: None,
            may_keep_start=True, start_competes=False, num_good=acceptance.MOST_EPOCHS,
        )  # fmt: skip

    history, outcome = fine_tuning.tune(small, card, data, chosen, (0.05,), train_by)
    assert len(history.good) == 3
    assert "on validation images" in outcome
