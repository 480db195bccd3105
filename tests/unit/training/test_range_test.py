"""The rate rises evenly, the loss falls and then explodes, and the suggestion lies before that."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from thawline.errors import UserError
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.training import find_lr, lr_finder
from thawline.training.context import Machine, TrainingData
from thawline.training.lr_finder import Curve
from thawline.training.recipe import Recipe

CPU = Machine(device=torch.device("cpu"), precision="float32", workers=0, seed=0)


@pytest.mark.parametrize("trainable", ["head", "all"])
def test_a_range_test(
    small: Network,
    card: ModelConfig,
    data: TrainingData,
    recipe: Callable[..., Recipe],
    trainable: str,
) -> None:
    curve = lr_finder.run(small, card, data, recipe(trainable=trainable, layer_decay=0.9), CPU)
    steps = np.diff(np.log(curve.rates))
    assert curve.rates[0] == pytest.approx(lr_finder.LOWEST)
    assert steps == pytest.approx(np.full(len(steps), steps[0]))
    assert curve.rates[-1] <= lr_finder.HIGHEST * 1.001
    assert curve.losses.min() < curve.losses[0]
    assert 1e-5 < curve.suggestion < 1.0


def test_the_suggestion_is_a_tenth_of_the_best_rate() -> None:
    curve = Curve(rates=np.array([1e-3, 1e-2, 0.1, 1.0]), losses=np.array([3.0, 2.0, 1.0, 9.0]))
    assert curve.suggestion == 0.01


def test_a_stage_that_does_not_train(tmp_path: object) -> None:
    with pytest.raises(UserError, match="--stage: 'ingest' does not train; allowed: transfer"):
        find_lr.find("ingest", None)  # type: ignore[arg-type]


def test_inputs_that_are_not_there(
    tmp_path: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    with pytest.raises(UserError, match="is not there yet; `dvc repro fine_tune` makes it"):
        find_lr.find("fine_tune", None)  # type: ignore[arg-type]
