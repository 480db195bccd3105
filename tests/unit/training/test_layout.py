"""Fused optimisers trust that gradients and state lie in memory as their parameters do."""

import pytest
import torch

from thawline.models.network import Network
from thawline.training import state_file
from thawline.training.cpu import quick
from thawline.training.freezing import freeze
from thawline.training.optimizers import optimizer, parameter_groups

CPU = torch.device("cpu")


def layout(tensor: torch.Tensor) -> list[int]:
    """Strides of the sides longer than one: of the others any stride is right."""
    sides = zip(tensor.shape, tensor.stride(), strict=True)
    return [stride for size, stride in sides if size > 1]


def check(chosen: torch.optim.Optimizer) -> int:
    """How many tensors lie in another order than as PyTorch lays them down by itself."""
    turned = 0
    for parameter in (p for group in chosen.param_groups for p in group["params"]):
        assert parameter.grad is not None
        state = [v for v in chosen.state[parameter].values() if v.shape == parameter.shape]
        assert state, "SGD's momentum, Adam's moments"
        for tensor in (parameter.grad, *state):
            assert layout(tensor) == layout(parameter)
        turned += layout(parameter) != layout(torch.empty(parameter.shape))
    return turned


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_gradients_and_state_lie_as_parameters_do(lite0: Network, name: str) -> None:
    network = lite0.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    freeze(network, "all")
    chosen = optimizer(name, parameter_groups(network, 1e-3, 1.0), momentum=0.9, weight_decay=0.01)
    images = torch.randn(4, 3, 48, 48).contiguous(memory_format=torch.channels_last)
    with quick.convolutions(CPU, "float32"):
        network(images).square().sum().backward()
    chosen.step()
    assert check(chosen)
    chosen.load_state_dict(state_file.loads(state_file.dumps(chosen.state_dict())))
    assert check(chosen)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_the_fused_form_does_what_the_plain_one_does(name: str) -> None:
    found = []
    for fused in (True, False):
        torch.manual_seed(3)
        weight = torch.nn.Parameter(
            torch.randn(8, 4, 3, 3).contiguous(memory_format=torch.channels_last)
        )
        groups = [{"params": [weight], "lr": 0.1}]
        chosen = optimizer(name, groups, momentum=0.9, weight_decay=0.01)
        assert chosen.defaults["fused"] is True
        if not fused:
            chosen.param_groups[0]["fused"] = False
        for _ in range(4):
            chosen.zero_grad()
            weight.grad = torch.randn_like(weight)
            chosen.step()
        found.append(weight.detach())
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-6)
