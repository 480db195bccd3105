"""Rates by block and by step."""

import pytest
import torch
from torch import nn

from thawline.models.network import Network
from thawline.training.freezing import freeze
from thawline.training.lr_schedule import by_step
from thawline.training.optimizers import averaged, optimizer, parameter_groups


def rates(network: Network, layer_decay: float) -> dict[str, float]:
    """Learning rate of each block that trains, for a rate of 1 at the head."""
    names = {id(p): n.split(".")[0] for n, p in network.named_parameters()}
    groups = parameter_groups(network, 1.0, layer_decay)
    return {names[id(p)]: group["lr"] for group in groups for p in group["params"]}  # type: ignore[attr-defined, misc]


def test_rates_fall_from_the_head_to_the_input(small: Network) -> None:
    freeze(small, "all")
    expected = {"head": 1.0, "tail": 0.5, "middle": 0.25, "stem": 0.125}
    assert rates(small, 0.5) == pytest.approx(expected)
    assert set(rates(small, 1.0).values()) == {1.0}


def test_frozen_blocks_count_for_the_distance_and_have_no_group(small: Network) -> None:
    freeze(small, "first_blocks", 1)
    assert rates(small, 0.5) == pytest.approx({"head": 1.0, "stem": 0.125})


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "adagrad", "adadelta"])
def test_only_what_trains_is_in_a_group(small: Network, name: str) -> None:
    freeze(small, "last_blocks", 1)
    chosen = optimizer(name, parameter_groups(small, 0.1, 0.9), momentum=0.0, weight_decay=0.01)
    inside = {id(p) for group in chosen.param_groups for p in group["params"]}
    assert inside == {id(p) for p in small.parameters() if p.requires_grad}
    assert {group["weight_decay"] for group in chosen.param_groups} == {0.01}


def test_sgd_has_nesterov_s_momentum_when_there_is_momentum(small: Network) -> None:
    groups = parameter_groups(small, 0.1, 1.0)
    for momentum in (0.0, 0.9):
        chosen = optimizer("sgd", groups, momentum=momentum, weight_decay=0.0)
        assert chosen.defaults["momentum"] == momentum
        assert chosen.defaults["nesterov"] is (momentum > 0)


def course(name: str, warmup_ratio: float, num_steps: int = 100) -> torch.Tensor:
    parameter = nn.Parameter(torch.zeros(1))
    chosen = torch.optim.SGD([parameter], lr=2.0)
    steps = by_step(chosen, name, num_steps=num_steps, warmup_ratio=warmup_ratio)
    found = []
    for _ in range(num_steps):
        found.append(chosen.param_groups[0]["lr"])
        chosen.step()
        steps.step()
    return torch.tensor(found)


def test_cosine_falls_to_nothing() -> None:
    rate = course("cosine", 0.0)
    assert rate[0] == 2.0
    assert (rate.diff() < 0).all()
    assert rate[50] == pytest.approx(1.0, abs=1e-6)
    assert rate[-1] < 0.01


def test_warm_up_rises_in_even_steps() -> None:
    rate = course("constant", 0.25)
    assert rate[:25].tolist() == pytest.approx([2 * (step + 1) / 25 for step in range(25)])
    assert (rate[25:] == 2.0).all()


def test_a_warm_up_shorter_than_a_step_is_none() -> None:
    assert (course("constant", 0.001) == 2.0).all()


@pytest.mark.parametrize("name", ["cosine", "constant"])
@pytest.mark.parametrize("warmup_ratio", [0.0, 0.3, 0.99])
@pytest.mark.parametrize("num_steps", [1, 2, 33])
def test_rates_are_never_negative_nor_above_the_highest(
    name: str, warmup_ratio: float, num_steps: int
) -> None:
    rate = course(name, warmup_ratio, num_steps)
    assert (rate >= 0).all()
    assert (rate <= 2.0).all()
    assert rate.max() > 0


def test_the_average_is_exponential_and_includes_statistics() -> None:
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    average = averaged(network, 0.15)
    expected = None
    for step, value in enumerate((4.0, 0.0, 2.0)):
        decay = min(0.15, (1 + step) / (10 + step))
        with torch.no_grad():
            network[0].weight.fill_(value)
            network[1].running_mean.fill_(value)
        average.update_parameters(network)
        expected = value if expected is None else decay * expected + (1 - decay) * value
    assert average.module[0].weight.item() == pytest.approx(expected)
    assert average.module[1].running_mean.item() == pytest.approx(expected)
