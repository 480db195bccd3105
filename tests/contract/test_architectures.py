"""Every network of every family."""

import functools
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import nn

from thawline import checkpoint, network, plugins
from thawline.compress.export import export
from thawline.compress.session import predict, session
from thawline.data.decode import fit
from thawline.network import Network
from thawline.training.device import to_input

NETWORKS = [
    (family, name)
    for family in plugins.names(plugins.FAMILY)
    for name in plugins.load(plugins.FAMILY, family).NAMES
]
FIRSTS = {family: plugins.load(plugins.FAMILY, family).NAMES[0] for family, _ in NETWORKS}
SIZE = 64
each = pytest.mark.parametrize(
    ("family", "name"),
    [
        pytest.param(family, name, marks=() if name == FIRSTS[family] else pytest.mark.slow)
        for family, name in NETWORKS
    ],
)
"""The first of each family always; the others, built by the same code, among the slow tests."""


@functools.cache
def built(family: str, name: str, seed: int = 0) -> Network:
    """Random weights, but statistics that are not the neutral ones."""
    net = network.build(family, name, num_classes=3, dropout=0.2, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.8, 1.2, generator=generator)
    return net.eval()


def inputs(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


@each
def test_blocks_are_named_and_end_with_the_head(family: str, name: str) -> None:
    names = [block for block, _ in built(family, name).named_children()]
    assert len(names) >= 3
    assert names[-1] == "head"
    assert all(block.isidentifier() for block in names)
    head = built(family, name)[-1]
    assert isinstance(list(head.modules())[-1], nn.Linear)


@each
def test_it_gives_a_logit_for_each_class(family: str, name: str) -> None:
    with torch.inference_mode():
        logits = built(family, name)(inputs())
    assert logits.shape == (2, 3)
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


@each
@pytest.mark.parametrize("training", [False, True])
def test_blocks_compute_what_the_library_s_network_does(
    family: str, name: str, training: bool
) -> None:
    module = plugins.load(plugins.FAMILY, family)
    torch.manual_seed(0)
    original = module.build(name, num_classes=3, dropout=0.2)
    net = network.build(family, name, num_classes=3, dropout=0.2, seed=0)
    results = []
    for candidate in (original, net):
        torch.manual_seed(5)  # of dropout
        with torch.inference_mode():
            results.append(candidate.train(training)(inputs()))
    assert torch.equal(results[0], results[1])


@each
def test_every_tensor_of_the_library_s_network_is_in_a_block(family: str, name: str) -> None:
    module = plugins.load(plugins.FAMILY, family)
    original = module.build(name, num_classes=3, dropout=0.2)
    blocks = [block for _, block in module.blocks(original)]
    owned = {id(t) for block in blocks for t in (*block.parameters(), *block.buffers())}
    assert {id(t) for t in (*original.parameters(), *original.buffers())} == owned


@each
def test_seeds_decide_the_weights(family: str, name: str) -> None:
    def digest(seed: int) -> str:
        net = network.build(family, name, num_classes=3, dropout=0.2, seed=seed)
        return hashlib.sha256(
            b"".join(p.detach().numpy().tobytes() for p in net.parameters())
        ).hexdigest()

    assert digest(0) == digest(0) != digest(1)


def card(family: str, name: str) -> checkpoint.ModelCard:
    described = network.describe(family, name)
    return checkpoint.ModelCard(
        family=family,
        name=name,
        dropout=0.2,
        classes=("a", "b", "c"),
        image_size_px=SIZE,
        fit="letterbox",
        background=(0, 0, 0),
        mean=described.mean,
        std=described.std,
    )


@each
def test_a_checkpoint_gives_back_every_bit(family: str, name: str, tmp_path: Path) -> None:
    net = built(family, name)
    checkpoint.save(tmp_path, net, card(family, name))
    loaded, read = checkpoint.load(tmp_path)
    assert read == card(family, name)
    assert not loaded.training
    state, again = net.state_dict(), loaded.state_dict()
    assert state.keys() == again.keys()
    assert all(torch.equal(state[key], again[key]) for key in state)
    with torch.inference_mode():
        assert torch.equal(net(inputs()), loaded(inputs()))


@each
def test_onnx_gives_the_same_probabilities(family: str, name: str, tmp_path: Path) -> None:
    described = network.describe(family, name)
    numbers = {"mean": described.mean, "std": described.std}
    images = np.random.default_rng(0).integers(0, 256, (8, SIZE, SIZE, 3), dtype=np.uint8)
    file = tmp_path / "model.onnx"
    export(built(family, name), file, image_size_px=SIZE, opset=18, **numbers)
    with torch.inference_mode():
        expected = built(family, name)(to_input(images, **numbers)).softmax(dim=1).numpy()
    assert np.abs(predict(session(file, threads=1), images) - expected).max() < 1e-4


@pytest.mark.parametrize(("family", "name"), NETWORKS)
def test_the_description_fits_images(family: str, name: str) -> None:
    described = network.describe(family, name)
    assert 16 <= described.image_size_px <= 1024
    assert all(0 <= value <= 1 for value in described.mean)
    assert all(0 < value <= 1 for value in described.std)


@pytest.mark.parametrize(("family", "name"), NETWORKS)
def test_imagenet_weights_know_a_daisy_and_a_palace(family: str, name: str) -> None:
    if plugins.load(plugins.FAMILY, family).imagenet_weights(name) is None:
        pytest.skip(f"the package with the weights of {name} is not installed")
    net = network.build_pretrained(
        family, name, num_classes=1000, dropout=0.0, seed=0, keep_head=True
    ).eval()
    described = network.describe(family, name)
    photos = [load_sample_image(file) for file in ("flower.jpg", "china.jpg")]
    images = np.stack([fit(Image.fromarray(p), described.image_size_px, "crop") for p in photos])
    with torch.inference_mode():
        logits = net(to_input(images, mean=described.mean, std=described.std))
    flower, china = logits.argmax(dim=1).tolist()
    assert flower == 985, "not a daisy"
    assert china in (442, 497, 663, 698, 832), "not a bell cote, church, monastery, palace or stupa"


@pytest.mark.parametrize(("family", "name"), NETWORKS)
def test_a_new_head_is_random_and_the_trunk_pretrained(family: str, name: str) -> None:
    if plugins.load(plugins.FAMILY, family).imagenet_weights(name) is None:
        pytest.skip(f"the package with the weights of {name} is not installed")
    options = {"num_classes": 1000, "dropout": 0.2}
    nets = [network.build_pretrained(family, name, seed=seed, **options) for seed in (0, 1)]
    nets.append(network.build_pretrained(family, name, seed=0, keep_head=True, **options))
    trunk = nets[0][:-1].state_dict()
    for net in nets[1:]:
        assert all(torch.equal(value, trunk[key]) for key, value in net[:-1].state_dict().items())
    heads = [next(net[-1].parameters()) for net in nets]
    assert not torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
