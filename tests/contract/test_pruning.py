"""Every importance criterion, and every kind of network that can be pruned."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.contract.networks import built, each_with_few_always, inputs, size_px
from tests.contract.plugin import untouched_randomness
from thawline.compress.prune import prune
from thawline.cost.flops import num_macs, num_parameters
from thawline.errors import UserError
from thawline.models import checkpoint
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network, build
from thawline.models.surgery.channels import counts, narrow
from thawline.params import plugins

SIZE = 32
METHODS = plugins.names(plugins.CRITERION)
each_method = pytest.mark.parametrize("method", METHODS)
scopes = pytest.mark.parametrize("scope", ["global", "layer"])


class Block(nn.Module):
    """Residual, so that three layers lose a channel together."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.wide = nn.Conv2d(channels, 2 * channels, 1)
        self.norm = nn.BatchNorm2d(2 * channels)
        self.narrow = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.narrow(
            torch.relu(self.norm(self.wide(self.depthwise(images))))
        )
        return images + outputs


def small() -> Network:
    torch.manual_seed(0)
    stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.PReLU(16))
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = nn.Sequential(stem, Block(16), Block(16), pool, nn.Linear(16, 3))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.2, 2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


def images(count: int = 4) -> torch.Tensor:
    return torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def backward(network: Network) -> None:
    network(images()).square().sum().backward()


def pruned(
    network: Network,
    method: str,
    *,
    ratio: float = 0.5,
    scope: str = "layer",
    iterations: int = 1,
    round_to: int = 2,
    size: int = SIZE,
    seed: int = 0,
    recover: Callable[[Network], None] = lambda network: None,
) -> tuple[Network, dict[str, tuple[int, int]]]:
    return prune(
        network, ratio=ratio, method=method, scope=scope, iterations=iterations,
        round_to=round_to, image_size_px=size, seed=seed, backward=backward, recover=recover,
    )  # fmt: skip


@each_method
@scopes
def test_channels_are_gone_and_the_classes_stay(method: str, scope: str) -> None:
    network = small()
    with untouched_randomness():
        smaller, channels = pruned(network, method, scope=scope)
    assert num_parameters(smaller) < 0.75 * num_parameters(network)
    assert num_macs(smaller, SIZE) < 0.75 * num_macs(network, SIZE)
    assert smaller(images()).shape == (4, 3)
    assert counts(smaller)["4"][1] == 3
    assert channels == {k: v for k, v in counts(smaller).items() if v != counts(network)[k]}
    assert not smaller.training


@each_method
def test_the_network_given_stays_as_it_was(method: str) -> None:
    network, before = small(), small().state_dict()
    pruned(network, method)
    state = network.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in before.items())
    assert all(p.grad is None for p in network.parameters())


@each_method
def test_equal_arguments_give_equal_bits(method: str) -> None:
    first, second = (pruned(small(), method)[0].state_dict() for _ in range(2))
    assert all(torch.equal(first[name], tensor) for name, tensor in second.items())


@each_method
def test_channels_are_left_in_multiples(method: str) -> None:
    _, channels = pruned(small(), method, round_to=4, ratio=0.3)
    assert channels
    assert all(count % 4 == 0 or count == 3 for pair in channels.values() for count in pair)


@each_method
def test_a_network_of_its_kind_and_the_numbers_take_the_weights(method: str) -> None:
    smaller, channels = pruned(small(), method, scope="global")
    again = small()
    narrow(again, channels)
    again.load_state_dict(smaller.state_dict())
    with torch.inference_mode():
        assert torch.equal(again.eval()(images()), smaller(images()))


def test_each_step_is_followed_by_recovery_and_the_last_reaches_the_ratio() -> None:
    widths = []
    pruned(
        small(), "magnitude_l2", iterations=2, round_to=1,
        recover=lambda network: widths.append(counts(network)["0.0"][1]),
    )  # fmt: skip
    assert widths == [12, 8]


def test_magnitude_keeps_what_is_large() -> None:
    network = small()
    with torch.no_grad():
        network[1].wide.weight[::2] *= 1e-3
        network[1].narrow.weight[:, ::2] *= 1e-3
        network[1].norm.weight[::2] *= 1e-3
        network[1].norm.bias.copy_(torch.arange(32))  # tells the channels apart
    for method in ("magnitude_l1", "magnitude_l2", "batch_norm_scale", "lamp"):
        smaller, _ = pruned(network, method, round_to=1)
        assert (smaller[1].norm.bias % 2 == 1).all(), method


def test_another_seed_draws_other_channels() -> None:
    first, second = (pruned(small(), "random", seed=seed)[0] for seed in (0, 1))
    assert not torch.equal(first[0][0].weight, second[0][0].weight)


def test_a_criterion_that_fits_no_layer_is_refused() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)
    )
    with pytest.raises(UserError, match=r"compress\.prune\.ratio: 0\.5 removes no channel with"):
        pruned(network, "batch_norm_scale")


class Picks(nn.Module):
    """Takes channels by fixed positions, which no tracing sees."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.reshape(len(images), 16, -1)[:, :, 0]


def test_the_layer_where_it_fails_is_named() -> None:
    network = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), Picks(), nn.Linear(16, 3))
    with pytest.raises(UserError, match=r"compress\.prune\.ratio: 0\.5.*'3' cannot be pruned"):
        pruned(network, "magnitude_l2")


def test_binary_layers_are_refused() -> None:
    from thawline.models.surgery.binary import BinaryConv2d

    network = small()
    network[0][0] = BinaryConv2d(network[0][0], scale_inputs=False)
    with pytest.raises(UserError, match=r"'0\.0' has binary weights"):
        pruned(network, "magnitude_l2")


def test_a_shuffle_of_channels_that_the_library_cannot_follow_is_named() -> None:
    network = build("shufflenet", "shufflenet_v2_x0_5", num_classes=3, dropout=0.0, seed=0).eval()
    with pytest.raises(UserError, match=r"ratio: 0\.3: 'stage1' cannot be pruned: integer div"):
        pruned(network, "magnitude_l2", ratio=0.3, size=64)


@pytest.mark.slow
@each_with_few_always
def test_networks_are_pruned_and_loaded_again(family: str, name: str, tmp_path: Path) -> None:
    if family == "shufflenet":
        pytest.skip("torch-pruning cannot follow its shuffle of channels")
    network = copy.deepcopy(built(family, name))
    size = size_px(family, name)
    smaller, channels = pruned(network, "magnitude_l2", ratio=0.3, round_to=4, size=size)
    assert num_macs(smaller, size) < 0.9 * num_macs(network, size)
    card = ModelConfig(
        family=family, name=name, dropout=0.2, channels=channels, classes=("a", "b", "c"),
        image_size_px=size, fit="letterbox", background=(0, 0, 0), mean=(0.5,) * 3, std=(0.5,) * 3,
    )  # fmt: skip
    checkpoint.save(tmp_path, smaller, card)
    loaded, read = checkpoint.load(tmp_path)
    assert read == card
    with torch.inference_mode():
        assert torch.equal(loaded(inputs(family, name)), smaller(inputs(family, name)))
