"""Every network of every family."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import nn
from torchvision import models

from tests.contract.networks import (
    NETWORKS,
    built,
    each,
    each_with_few_always,
    every,
    inputs,
    original,
    size_px,
)
from thawline.compress.export import export
from thawline.cost.flops import num_parameters
from thawline.cost.ort_session import predict, session
from thawline.ingest.decoding.decode import fit
from thawline.models import checkpoint, network
from thawline.models.auxiliary_heads import taken, within
from thawline.models.device import to_input
from thawline.params import plugins


@every
def test_it_has_as_many_parameters_as_the_library_says(family: str, name: str) -> None:
    with torch.device("meta"):
        net = network.build(family, name, num_classes=1000, dropout=0.2, seed=0)
        if name in models.list_models():
            expected = models.get_model_weights(name).DEFAULT.meta["num_params"]
        else:
            expected = num_parameters(timm.create_model(name))
    if name == "googlenet":  # torchvision counts it without
        expected += sum(num_parameters(block.auxiliary) for block in within(net))
    assert num_parameters(net) == expected


@each
def test_blocks_are_named_and_end_with_the_head(family: str, name: str) -> None:
    names = [block for block, _ in built(family, name).named_children()]
    assert len(names) >= (2 if family == "timm" else 3)
    assert names[-1] == "head"
    assert all(block.isidentifier() for block in names)
    layers = [m for m in built(family, name)[-1].modules() if list(m.parameters(recurse=False))]
    assert len(layers) == 1, "the head is the classifier alone: the rest is pretrained"
    assert isinstance(layers[0], (nn.Linear, nn.Conv2d))
    assert len(layers[0].weight) == 3


@each
def test_it_gives_a_logit_for_each_class(family: str, name: str) -> None:
    with torch.inference_mode():
        logits = built(family, name)(inputs(family, name))
    assert logits.shape == (2, 3)
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


@each
@pytest.mark.parametrize("training", [False, True])
def test_blocks_compute_what_the_library_s_network_does(
    family: str, name: str, training: bool
) -> None:
    theirs = original(family, name)
    if hasattr(theirs, "head_dropout"):  # which the library's network does not have
        theirs.head_dropout.p = 0.0
    net = nn.Sequential(
        *(block for _, block in plugins.load(plugins.FAMILY, family).blocks(theirs))
    )
    results = []
    for candidate in (theirs, net):
        torch.manual_seed(5)  # of dropout and stochastic depth
        with torch.inference_mode():
            found = candidate.train(training)(inputs(family, name))
        results.append(found if isinstance(found, torch.Tensor) else found.logits)
    assert torch.equal(results[0], results[1])


@each
def test_every_tensor_of_the_library_s_network_is_in_a_block(family: str, name: str) -> None:
    module = plugins.load(plugins.FAMILY, family)
    theirs = original(family, name)
    blocks = [block for _, block in module.blocks(theirs)]
    owned = {id(t) for block in blocks for t in (*block.parameters(), *block.buffers())}
    assert {id(t) for t in (*theirs.parameters(), *theirs.buffers())} == owned


@each
def test_seeds_decide_the_weights(family: str, name: str) -> None:
    def digest(seed: int) -> str:
        net = network.build(family, name, num_classes=3, dropout=0.2, seed=seed)
        return hashlib.sha256(
            b"".join(p.detach().numpy().tobytes() for p in net.parameters())
        ).hexdigest()

    assert digest(0) == digest(0) != digest(1)


def card(family: str, name: str) -> checkpoint.ModelConfig:
    described = network.describe(family, name)
    return checkpoint.ModelConfig(
        family=family,
        name=name,
        dropout=0.2,
        classes=("a", "b", "c"),
        image_size_px=size_px(family, name),
        fit="letterbox",
        background=(0, 0, 0),
        mean=described.mean,
        std=described.std,
    )


@each
def test_every_weight_that_the_output_depends_on_has_a_gradient(family: str, name: str) -> None:
    net = network.build(family, name, num_classes=3, dropout=0.0, seed=0).train()
    loss = torch.nn.functional.cross_entropy(net(inputs(family, name, 3)), torch.arange(3))
    loss = loss + sum(logits.sum() for logits, _ in taken(net))
    loss.backward()
    without = [key for key, p in net.named_parameters() if p.grad is None]
    assert without == []
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


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
        assert torch.equal(net(inputs(family, name)), loaded(inputs(family, name)))


@each_with_few_always
def test_onnx_gives_the_same_probabilities(family: str, name: str, tmp_path: Path) -> None:
    described = network.describe(family, name)
    numbers = {"mean": described.mean, "std": described.std}
    size = size_px(family, name)
    images = np.random.default_rng(0).integers(0, 256, (4, size, size, 3), dtype=np.uint8)
    file = tmp_path / "model.onnx"
    export(built(family, name), file, image_size_px=size, opset=18, **numbers)
    with torch.inference_mode():
        expected = built(family, name)(to_input(images, **numbers)).softmax(dim=1).numpy()
    assert np.abs(predict(session(file, threads=1), images) - expected).max() < 1e-4


@every
def test_the_description_fits_images(family: str, name: str) -> None:
    described = network.describe(family, name)
    assert 16 <= described.image_size_px <= 1024
    assert all(0 <= value <= 1 for value in described.mean)
    assert all(0 < value <= 1 for value in described.std)


WITH_WEIGHTS = [
    (family, name)
    for family, name in NETWORKS
    if plugins.load(plugins.FAMILY, family).imagenet_weights(name) is not None
]


@pytest.mark.parametrize(("family", "name"), WITH_WEIGHTS)
def test_imagenet_weights_know_a_daisy_and_a_palace(family: str, name: str) -> None:
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


@pytest.mark.parametrize(("family", "name"), WITH_WEIGHTS)
def test_a_new_head_is_random_and_the_trunk_pretrained(family: str, name: str) -> None:
    options = {"num_classes": 1000, "dropout": 0.2}
    nets = [network.build_pretrained(family, name, seed=seed, **options) for seed in (0, 1)]
    nets.append(network.build_pretrained(family, name, seed=0, keep_head=True, **options))
    trunk = nets[0][:-1].state_dict()
    for net in nets[1:]:
        assert all(torch.equal(value, trunk[key]) for key, value in net[:-1].state_dict().items())
    heads = [next(net[-1].parameters()) for net in nets]
    assert not torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
