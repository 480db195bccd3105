"""The numerics that a network runs in, by rule."""

from collections.abc import Callable

import pytest
import torch

from thawline.models import precision
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.training.context import Machine, TrainingData
from thawline.training.recipe import Recipe
from thawline.training.train import train

CPU = torch.device("cpu")
Change = Callable[..., Recipe]


@pytest.mark.parametrize(
    ("has", "depthwise", "expected"),
    [
        ((), False, ("float32", "float32")),
        (("amx_tile",), False, ("float32", "float32")),
        (("amx_tile", "amx_bf16"), False, ("bfloat16", "bfloat16")),
        (("avx512_bf16",), False, ("bfloat16", "bfloat16")),
        (("amx_tile", "amx_bf16"), True, ("bfloat16", "float32")),
    ],
)
def test_precision_by_rule(
    small: Network,
    lite0: Network,
    monkeypatch: pytest.MonkeyPatch,
    has: tuple[str, ...],
    depthwise: bool,
    expected: tuple[str, str],
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(has, True))
    chosen = precision.choose("auto", lite0 if depthwise else small, CPU)
    assert (chosen.forward, chosen.training) == expected
    assert chosen.reason
    for word in ("float32", "bfloat16"):
        given = precision.choose(word, lite0, CPU)
        assert (given.forward, given.training, given.reason) == (word, word, "")


@pytest.mark.parametrize("trainable", ["head", "last_blocks", "first_blocks", "all"])
def test_depthwise_blocks_train_in_float32_behind_a_frozen_part_in_bfloat16(
    lite0: Network,
    card: ModelConfig,
    data: TrainingData,
    recipe: Change,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    trainable: str,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    machine = Machine(device=CPU, precision="auto", workers=0, seed=0)
    chosen = recipe(trainable=trainable, num_blocks=2, epochs=1)
    train(lite0, card, data, chosen, machine, lambda *_: None)
    assert "bfloat16 forwards, float32 to train depthwise" in capsys.readouterr().err


def test_auto_says_what_it_takes(
    small: Network,
    card: ModelConfig,
    data: TrainingData,
    recipe: Change,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine = Machine(device=CPU, precision="auto", workers=0, seed=0)
    chosen = recipe(trainable="last_blocks", num_blocks=1, epochs=1)
    train(small, card, data, chosen, machine, lambda *_: None)
    assert "fine_tune: training.precision: auto takes" in capsys.readouterr().err
