"""A fine-tuning that dies with its second learning rate goes on with that one."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from tests.unit.training.resume.kills import BATCHES, CPU, Killed, Training, dying
from thawline.training import fine_tuning, fingerprint
from thawline.training.collapse import COLLAPSE
from thawline.training.history import History
from thawline.training.recipe import Recipe
from thawline.training.resume import Resume
from thawline.training.train import train
from thawline.training.train_step import Steps

RATES = (1e12, 0.01)
"""The first makes the weights infinite in its first step."""
Tuned = tuple[History, str, dict[str, torch.Tensor]]


def _tune(one: Training, rates: tuple[float, ...] = RATES) -> Tuned:
    one.restart()
    torch.manual_seed(5)  # of dropout

    def train_by(recipe: Recipe) -> History:
        known_by = fingerprint.describe_training(one.network, one.card, one.data, recipe, CPU)
        beside = [known_by | {"fine_tune.learning_rate": str(rate)} for rate in RATES]
        kept = Resume("fine_tune", known_by, minutes=1e-9, folder=one.folder, beside=beside)
        return train(
            one.network, one.card, one.data, recipe, CPU, lambda *_: None, kept,
            may_keep_start=True, start_competes=False, ends_below=(COLLAPSE, COLLAPSE), num_good=2,
        )  # fmt: skip

    recipe = replace(one.recipe, optimizer="sgd", clip_norm=0.0)
    history, outcome = fine_tuning.tune(one.network, one.card, one.data, recipe, rates, train_by)
    return history, outcome, {k: v.clone() for k, v in one.network.state_dict().items()}


def _same(one: Tuned, other: Tuned) -> bool:
    equal = all(torch.equal(value, other[2][name]) for name, value in one[2].items())
    return equal and one[0].epochs == other[0].epochs and one[0].settled == other[0].settled


def test_the_second_rate_goes_on(
    training: Callable[..., Training],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = training()
    undisturbed = _tune(one)
    assert "after 1e+12 collapsed" in undisturbed[1]
    for file in one.folder.iterdir():
        file.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Steps, "step", dying(1 + 2 * BATCHES))
        with pytest.raises(Killed):
            _tune(one)
    capsys.readouterr()
    assert _same(_tune(one), undisturbed)
    said = capsys.readouterr().err
    assert "fine_tune: resumes after epoch" in said
    assert "starts anew" not in said


def test_a_rate_gives_the_same_after_a_collapse_as_by_itself(
    training: Callable[..., Training],
) -> None:
    one = training()
    after = _tune(one)
    for file in one.folder.iterdir():
        file.unlink()
    assert _same(_tune(one, RATES[1:]), after)
