"""Gradual unfreezing: what waits is bit-identical, what trains keeps the optimiser's state."""

from collections.abc import Callable

import pytest
import torch

from tests.unit.training.test_freezing import CPU, changed_by_training, tensors
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.training import optimizers
from thawline.training.context import TrainingData
from thawline.training.freezing import freeze
from thawline.training.gradual_unfreezing import Thawing
from thawline.training.history import Epoch
from thawline.training.recipe import Recipe
from thawline.training.train import train

Change = Callable[..., Recipe]
ORDER = ("head", "tail", "middle", "stem")


def moved(state: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in state if not torch.equal(state[name], other[name])}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_each_phase_moves_its_blocks_and_no_other_bit(
    small: Network,
    card: ModelConfig,
    data: TrainingData,
    recipe: Change,
    optimizer: str,
    ema_decay: float,
) -> None:
    states = [_copy(small)]
    chosen = recipe(
        trainable="all", unfreeze_every=2, epochs=7, optimizer=optimizer, learning_rate=0.01
    )

    def keep(number: int, epoch: Epoch) -> None:
        states.append(_copy(small))

    train(small, card, data, chosen, CPU, keep)
    for number in range(7):
        blocks = ORDER[: 1 + number // 2]
        assert moved(states[number], states[number + 1]) == tensors(small, *blocks), number


def _copy(network: Network) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.mark.parametrize(
    ("trainable", "num_blocks", "blocks"),
    [
        ("last_blocks", 1, ["tail", "head"]),
        ("first_blocks", 1, ["stem", "head"]),
        ("first_blocks", 2, ["stem", "middle", "head"]),
        ("head", 0, ["head"]),
    ],
)
def test_no_more_is_thawed_than_may_train(
    small: Network,
    card: ModelConfig,
    data: TrainingData,
    recipe: Change,
    trainable: str,
    num_blocks: int,
    blocks: list[str],
) -> None:
    chosen = recipe(trainable=trainable, num_blocks=num_blocks, unfreeze_every=1, epochs=4)
    assert changed_by_training(small, card, data, chosen) <= tensors(small, *blocks)
    assert {n.split(".")[0] for n, p in small.named_parameters() if p.requires_grad} == set(blocks)


@pytest.mark.parametrize("trainable", ["norm", "bias"])
def test_parts_of_blocks_are_thawed_in_order_too(small: Network, trainable: str) -> None:
    whole = freeze(small, trainable)
    expected = {name for name, p in small.named_parameters() if p.requires_grad}
    thawing = Thawing(small, whole, every=1)
    for epoch in range(5):
        thawing.start(epoch)
        trains = {name for name, p in small.named_parameters() if p.requires_grad}
        allowed = ORDER[: 1 + epoch]
        assert trains == {name for name in expected if name.split(".")[0] in allowed}


def test_modes_follow(small: Network) -> None:
    thawing = Thawing(small, freeze(small, "last_blocks", 2), every=3)
    assert [thawing.start(epoch).trained for epoch in (0, 2, 3, 5, 6, 99)] == [
        {4}, {4}, {2, 4}, {2, 4}, {1, 2, 4}, {1, 2, 4}
    ]  # fmt: skip
    assert [epoch for epoch in range(20) if thawing.thaws(epoch)] == [3, 6]


def test_without_it_all_train_at_once(small: Network) -> None:
    frozen = freeze(small, "all")
    thawing = Thawing(small, frozen, every=0)
    assert thawing.start(0) == frozen
    assert not any(thawing.thaws(epoch) for epoch in range(9))


def test_the_state_of_what_trains_is_kept(small: Network) -> None:
    thawing = Thawing(small, freeze(small, "all"), every=1)
    groups = optimizers.parameter_groups(small, 0.01, 1.0)
    adam = optimizers.optimizer("adam", groups, momentum=0.0, weight_decay=0.1)
    steps = []
    for epoch in range(3):
        thawing.start(epoch).train_mode(small)
        adam.zero_grad(set_to_none=True)
        small(torch.randn(4, 3, 32, 32)).square().mean().backward()
        adam.step()
        states = [adam.state[next(block.parameters())] for block in (small[4], small[2], small[1])]
        steps.append([int(state["step"]) if state else 0 for state in states])
    assert steps == [[1, 0, 0], [2, 1, 0], [3, 2, 1]]


def test_a_thawed_block_starts_the_patience_anew(
    small: Network, card: ModelConfig, data: TrainingData, recipe: Change
) -> None:
    numbers: list[int] = []
    # Biases at so small a rate change no prediction: the first epoch stays the best.
    how = {"trainable": "bias", "learning_rate": 1e-9, "patience": 3, "epochs": 20}
    train(small, card, data, recipe(**how), CPU, lambda n, _: numbers.append(n))
    assert len(numbers) == 4
    numbers.clear()
    gradual = recipe(**how, unfreeze_every=2)
    train(small, card, data, gradual, CPU, lambda n, _: numbers.append(n))
    assert len(numbers) == 9


def test_it_is_deterministic(
    small: Network, card: ModelConfig, data: TrainingData, recipe: Change
) -> None:
    start = _copy(small)
    found = []
    for _ in range(2):
        small.load_state_dict(start)
        torch.manual_seed(0)  # of the dropout
        train(small, card, data, recipe(trainable="all", unfreeze_every=1), CPU, lambda *_: None)
        found.append(_copy(small))
    assert not moved(*found)
