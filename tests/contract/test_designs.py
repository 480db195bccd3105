"""Stems, depths and widths: every family that takes one builds, runs and comes back from disk."""

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.contract.networks import FIRSTS, KINDS, LARGE, is_quick
from thawline.cost.flops import num_parameters
from thawline.models import checkpoint, network
from thawline.models.network import Network
from thawline.params import plugins
from thawline.params.schema.design import ORIGINAL, Design, Stem


def takes(key: str) -> list[tuple[str, str]]:
    return [k for k in KINDS if key in plugins.input_names(plugins.FAMILY, k[0])]


def each_that_takes(key: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("family", "name"),
        [
            pytest.param(f, n, marks=() if is_quick(f, n) else pytest.mark.slow)
            for f, n in takes(key)
        ],
    )


def build(family: str, name: str, stem: Stem = "imagenet", **changes: float) -> Network:
    design = ORIGINAL.model_copy(update=changes)
    return network.build(family, name, num_classes=3, dropout=0.2, seed=0, stem=stem, design=design)


def counted(family: str, name: str, **changes: float) -> int:
    with torch.device("meta"):
        return num_parameters(build(family, name, **changes))


def output_side(block: nn.Module, size: int) -> int:
    with torch.inference_mode():
        return int(block.eval()(torch.zeros(1, 3, size, size)).shape[-1])


@each_that_takes("stem")
def test_a_small_stem_keeps_the_resolution(family: str, name: str) -> None:
    net = build(family, name, "small")
    # Inception-v3's own layers without padding cut two pixels at each side.
    assert output_side(net[0], 32) >= (13 if family == "inception" else 32)
    assert output_side(net[0], 32) > output_side(build(family, name)[0], 80) // 3


@each_that_takes("stem")
def test_a_small_stem_takes_images_of_32_px(family: str, name: str) -> None:
    net = build(family, name, "small")
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert net.eval()(images).isfinite().all()
        assert net.train()(images).shape == (2, 3)


@each_that_takes("depth")
def test_depth_changes_the_number_of_blocks(family: str, name: str) -> None:
    half, whole, double = (counted(family, name, depth=depth) for depth in (0.5, 1.0, 2.0))
    assert half < whole < double


@each_that_takes("width")
def test_width_changes_the_number_of_channels(family: str, name: str) -> None:
    half, whole, double = (counted(family, name, width=width) for width in (0.5, 1.0, 2.0))
    assert half < whole < double


@each_that_takes("depth")
def test_a_multiplier_of_one_leaves_the_network(family: str, name: str) -> None:
    """Next to one the scaling code runs, and arrives at the numbers of the family itself."""
    almost = 1 + 1e-6
    with torch.device("meta"):
        own, scaled = build(family, name), build(family, name, depth=almost, width=almost)
    shapes = [{k: v.shape for k, v in net.state_dict().items()} for net in (own, scaled)]
    if name.startswith(("tf_", "mobilenetv1")):
        assert shapes[0].keys() <= shapes[1].keys()  # timm rounds the number of blocks upwards
    else:
        assert shapes[0] == shapes[1]


@each_that_takes("depth")
def test_a_scaled_network_comes_back_from_disk(family: str, name: str, tmp_path: Path) -> None:
    stem: Stem = "small" if (family, name) in takes("stem") else "imagenet"
    design = Design(**{**ORIGINAL.model_dump(), "depth": 0.5, "width": 0.25})
    net = build(family, name, stem, depth=0.5, width=0.25).eval()
    described = network.describe(family, name)
    card = checkpoint.ModelConfig(
        family=family, name=name, dropout=0.2, stem=stem, design=design, classes=("a", "b", "c"),
        image_size_px=32, fit="crop", background=(0, 0, 0), mean=described.mean, std=described.std,
    )  # fmt: skip
    checkpoint.save(tmp_path, net, card)
    loaded, read = checkpoint.load(tmp_path)
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert read == card
    with torch.inference_mode():
        assert torch.equal(net(images), loaded(images))


LIMITS = [
    (family, name, stem, smallest)
    for family in plugins.names(plugins.FAMILY)
    for name, stems in (plugins.constant(plugins.FAMILY, family, "SMALLEST_PX") or {}).items()
    for stem, smallest in stems.items()
    if name == FIRSTS[family] or family in ("inception", "squeezenet")
]


@pytest.mark.parametrize(
    ("family", "name", "stem", "smallest"),
    [pytest.param(*one, marks=pytest.mark.slow if one[0] in LARGE else ()) for one in LIMITS],
)
def test_the_smallest_image_passes_and_the_next_smaller_one_does_not(
    family: str, name: str, stem: Stem, smallest: int
) -> None:
    with torch.device("meta"):
        net = build(family, name, stem)
        net.eval()(torch.zeros(2, 3, smallest, smallest))
        net.train()(torch.zeros(2, 3, smallest, smallest))
        if smallest > 16:  # less is refused for all
            with pytest.raises(RuntimeError):
                net(torch.zeros(2, 3, smallest - 1, smallest - 1))


@pytest.mark.parametrize("family", sorted(set(FIRSTS) - {name for name, *_ in LIMITS} - {"timm"}))
def test_a_family_without_limits_takes_images_of_16_px(family: str) -> None:
    with torch.device("meta"):
        net = build(family, FIRSTS[family])
        assert net(torch.zeros(2, 3, 16, 16)).shape == (2, 3)
