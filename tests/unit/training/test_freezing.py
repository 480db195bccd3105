"""What is frozen is bit-identical after real training: parameters and statistics."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.training.context import Machine, TrainingData
from thawline.training.freezing import freeze, trainable_blocks
from thawline.training.recipe import Recipe
from thawline.training.train import train

CPU = Machine(device=torch.device("cpu"), precision="float32", workers=0, seed=0)
Change = Callable[..., Recipe]


def changed_by_training(
    network: Network, card: ModelConfig, data: TrainingData, recipe: Recipe, machine: Machine = CPU
) -> set[str]:
    """Names of the tensors that are no longer what they were, to the bit."""
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train(network, card, data, recipe, machine, lambda *_: None)
    after = network.state_dict()
    assert before.keys() == after.keys()
    return {name for name in before if not torch.equal(before[name], after[name])}


def tensors(network: Network, *blocks: str) -> set[str]:
    return {name for name in network.state_dict() if name.split(".")[0] in blocks}


def of_norms(network: Network, kinds: tuple[str, ...]) -> set[str]:
    return {
        f"{path}.{kind}"
        for path, module in network.named_modules()
        if isinstance(module, nn.BatchNorm2d)
        for kind in kinds
    }


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
@pytest.mark.parametrize(
    ("trainable", "num_blocks", "blocks"),
    [
        ("head", 0, ["head"]),
        ("last_blocks", 0, ["head"]),
        ("last_blocks", 1, ["tail", "head"]),
        ("last_blocks", 2, ["middle", "tail", "head"]),
        ("first_blocks", 1, ["stem", "head"]),
        ("all", 0, ["stem", "middle", "tail", "head"]),
        ("last_blocks", 99, ["stem", "middle", "tail", "head"]),
    ],
)
def test_whole_blocks(
    small: Network,
    card: ModelConfig,
    data: TrainingData,
    recipe: Change,
    trainable: str,
    num_blocks: int,
    blocks: list[str],
    ema_decay: float,
) -> None:
    chosen = recipe(trainable=trainable, num_blocks=num_blocks, ema_decay=ema_decay)
    assert changed_by_training(small, card, data, chosen) == tensors(small, *blocks)


def test_statistics_can_be_kept_where_weights_train(
    small: Network, card: ModelConfig, data: TrainingData, recipe: Change
) -> None:
    chosen = recipe(trainable="all", norm_statistics="keep")
    kept = of_norms(small, ("running_mean", "running_var", "num_batches_tracked"))
    assert changed_by_training(small, card, data, chosen) == {*small.state_dict()} - kept


def test_only_the_norms(
    small: Network, card: ModelConfig, data: TrainingData, recipe: Change
) -> None:
    """Their statistics follow: they belong to what the scale and shift are trained for."""
    kinds = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    changed = changed_by_training(small, card, data, recipe(trainable="norm"))
    assert changed == of_norms(small, kinds) | tensors(small, "head")


def test_only_the_biases(
    small: Network, card: ModelConfig, data: TrainingData, recipe: Change
) -> None:
    changed = changed_by_training(small, card, data, recipe(trainable="bias"))
    biases = {name for name in small.state_dict() if name.endswith(".bias")}
    # With fixed statistics the bias of a convolution has a gradient too.
    assert changed == biases | tensors(small, "head")


@pytest.mark.parametrize(
    ("trainable", "num_blocks"), [("head", 0), ("last_blocks", 1), ("norm", 0), ("bias", 0)]
)
def test_a_real_network(
    lite0: Network,
    card: ModelConfig,
    data: TrainingData,
    recipe: Change,
    trainable: str,
    num_blocks: int,
) -> None:
    chosen = recipe(trainable=trainable, num_blocks=num_blocks, epochs=1, learning_rate=0.01)
    changed = changed_by_training(lite0, card, data, chosen)
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    allowed = {
        "head": set(),
        "last_blocks": tensors(lite0, "tail"),
        "norm": of_norms(lite0, ("weight", "bias", *statistics)),
        "bias": of_norms(lite0, ("bias",)),
    }[trainable]
    assert changed <= allowed | tensors(lite0, "head")
    assert changed >= tensors(lite0, "head")
    assert (changed & allowed) or trainable == "head"


def test_bfloat16_keeps_frozen_bits_too(
    small: Network, card: ModelConfig, data: TrainingData, recipe: Change
) -> None:
    machine = Machine(device=torch.device("cpu"), precision="bfloat16", workers=0, seed=0)
    chosen = recipe(trainable="last_blocks", num_blocks=1)
    assert changed_by_training(small, card, data, chosen, machine) == tensors(small, "tail", "head")


def test_the_cut_is_before_the_first_block_that_trains(small: Network) -> None:
    assert freeze(small, "head").cut == 4
    assert freeze(small, "last_blocks", 1).cut == 2
    assert freeze(small, "first_blocks", 1).cut == 0
    assert freeze(small, "all").cut == 0
    assert freeze(small, "last_blocks", 1).after_cut().trained == {0, 2}


def test_freezing_again_starts_afresh(small: Network) -> None:
    freeze(small, "all")
    freeze(small, "head")
    assert {n.split(".")[0] for n, p in small.named_parameters() if p.requires_grad} == {"head"}


def test_blocks_without_parameters_do_not_count(small: Network) -> None:
    assert trainable_blocks(small) == [0, 1, 2]
