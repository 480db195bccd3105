"""Training through torch.compile."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from thawline.errors import UserError
from thawline.models import device
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.training.context import Machine, TrainingData
from thawline.training.recipe import Recipe
from thawline.training.train import train

CPU = Machine(device=torch.device("cpu"), precision="float32", workers=0, seed=0)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_compiled_network_learns_the_same(
    small: Network, card: ModelConfig, data: TrainingData, recipe: Callable[..., Recipe]
) -> None:
    device.check_compiler(wanted=True)
    start = {name: value.clone() for name, value in small.state_dict().items()}
    found = []
    for machine in (CPU, replace(CPU, compiled=True)):
        small.load_state_dict(start)
        small[-1][0].p = 0.0
        chosen = recipe(trainable="all", learning_rate=0.02)
        found.append(train(small, card, data, chosen, machine, lambda *_: None).epochs)
    for plain, compiled in zip(*found, strict=True):
        assert compiled == pytest.approx(plain, rel=1e-3)


def test_no_compiler_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    device.check_compiler(wanted=False)
    with pytest.raises(UserError, match=r"training.compile: true needs .*'no-such-compiler'"):
        device.check_compiler(wanted=True)
