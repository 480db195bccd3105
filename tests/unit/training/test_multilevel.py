"""A network that was cut after a block and whose head reads several of them."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from thawline.compress.export import export
from thawline.compress.prune import prune
from thawline.cost.flops import num_macs, num_parameters
from thawline.cost.ort_session import predict, session
from thawline.errors import UserError
from thawline.evaluation import gradcam
from thawline.evaluation.network_summary import summarise
from thawline.models import checkpoint
from thawline.models.checkpoint import ModelConfig
from thawline.models.device import to_input
from thawline.models.multilevel import (
    Level,
    Standardise,
    count_features,
    map_of,
    pooled,
    read_levels,
)
from thawline.models.network import Network, build
from thawline.models.surgery.channels import narrow
from thawline.training import layer_probe
from thawline.training.context import Machine, TrainingData
from thawline.training.recipe import Recipe
from thawline.training.train import train

SIZE = 32
LEVELS = (Level(block="stem", grid=2), Level(block="tail", grid=1))
NUM_FEATURES = 4 * 8 + 16
WIDTHS = (("stem", 8), ("middle", 16), ("tail", 16))


def solved(network: Network, levels: tuple[Level, ...], num_classes: int = 3) -> Network:
    """Cut, with a head of numbers that are not neutral."""
    network = network.eval()
    cut = read_levels(
        network, levels, num_features=count_features(network, levels, SIZE),
        num_classes=num_classes,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(3)
    for tensor in (*cut[-1].parameters(), *cut[-1].buffers()):
        tensor.data.uniform_(0.1, 1.0, generator=generator)
    return cut.eval()


@pytest.fixture
def cut(small: Network) -> Network:
    return solved(small, LEVELS)


def images(count: int = 4) -> torch.Tensor:
    return torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def test_the_logits_are_those_of_a_head_on_all_levels(small: Network, cut: Network) -> None:
    stem = small.eval()[0](images())
    tail = small[2](small[1](stem))
    half = stem.shape[2] // 2
    quarters = [
        stem[:, :, rows, columns].mean(dim=(2, 3))
        for rows in (slice(None, half), slice(half, None))
        for columns in (slice(None, half), slice(half, None))
    ]
    features = torch.cat([*quarters, tail.mean(dim=(2, 3))], dim=1)
    standardise, classifier = cut[-1]
    assert isinstance(standardise, Standardise)
    rows = (features - standardise.mean) * standardise.inverse_std
    standardised = rows / rows.norm(dim=1, keepdim=True)
    expected = functional.linear(standardised, classifier.weight, classifier.bias)
    with torch.inference_mode():
        torch.testing.assert_close(cut(images()), expected)
    assert [name for name, _ in cut.named_children()] == ["stem", "middle", "tail", "head"]


def test_a_new_head_says_nothing_and_the_blocks_are_shared(small: Network) -> None:
    cut = read_levels(small.eval(), LEVELS, num_features=NUM_FEATURES, num_classes=3).eval()
    with torch.inference_mode():
        assert (cut(images()) == 0).all()
    ours = {id(parameter) for parameter in small[:3].parameters()}
    assert {id(parameter) for parameter in cut[:-1].parameters()} == ours


def test_features_are_counted_as_the_head_needs_them(small: Network) -> None:
    assert count_features(small.eval(), LEVELS, SIZE) == NUM_FEATURES
    pool = (*LEVELS, Level(block="pool", grid=1))
    assert count_features(small, pool, SIZE) == NUM_FEATURES + 16
    with torch.inference_mode():
        assert solved(small, pool)(images()).shape == (4, 3)


@pytest.mark.parametrize(
    "blocks",
    [(), ("no_such",), ("stem", "no_such"), ("tail", "stem"), ("stem", "stem"), ("head",)],
    ids=str,
)
def test_levels_that_cannot_be_are_refused(small: Network, blocks: tuple[str, ...]) -> None:
    levels = [Level(block=block, grid=1) for block in blocks]
    with pytest.raises(ValueError, match="expected some of stem, middle, tail, pool, in this"):
        read_levels(small, levels, num_features=8, num_classes=3)


@pytest.mark.parametrize(("height", "width"), [(6, 6), (7, 7), (2, 5), (7, 2)])
def test_quarters_cover_the_map_and_mirror_with_it(height: int, width: int) -> None:
    maps = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    top_left, top_right, bottom_left, bottom_right = pooled(maps, 2).split(3, dim=1)
    mirrored = torch.cat([top_right, top_left, bottom_right, bottom_left], dim=1)
    torch.testing.assert_close(pooled(maps.flip(3), 2), mirrored)
    flipped = torch.cat([bottom_left, bottom_right, top_left, top_right], dim=1)
    torch.testing.assert_close(pooled(maps.flip(2), 2), flipped)
    if height % 2 == width % 2 == 0:
        mean = pooled(maps, 2).unflatten(1, (4, 3)).mean(dim=1)
        torch.testing.assert_close(mean, pooled(maps, 1))


@pytest.mark.parametrize("grid", [2, 3, 4])
@pytest.mark.parametrize("side", [4, 7, 8, 14, 16])
def test_parts_of_any_grid_cover_the_map_and_are_of_one_size(grid: Any, side: int) -> None:
    """Each place of the map shows in a part, and none in one that does not hold it."""
    single = torch.eye(side * side).unflatten(1, (side, side)).unsqueeze(1)
    shows = pooled(single, grid) > 0
    assert shows.shape == (side * side, grid**2)
    assert shows.any(dim=1).all()
    assert len(set(shows.sum(dim=0).tolist())) == 1
    if side % grid == 0:
        assert (shows.sum(dim=1) == 1).all()


@pytest.mark.parametrize("grid", [1, 2, 3, 4])
def test_means_of_short_floats_are_taken_in_float32(grid: int) -> None:
    maps = torch.rand(1, 2, 64, 64, generator=torch.Generator().manual_seed(0)).bfloat16()
    found = pooled(maps, grid)  # type: ignore[arg-type]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, pooled(maps.float(), grid))  # type: ignore[arg-type]


# A checkpoint of such a network


REAL = (Level(block="stage1", grid=2), Level(block="stage2", grid=2), Level(block="stage3", grid=1))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, card: ModelConfig) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    whole = build(card.family, card.name, num_classes=3, dropout=0.0, seed=0)
    names = [name for name, _ in whole.named_children()]
    assert {level.block for level in REAL} <= set(names)
    checkpoint.save(folder, solved(whole, REAL), card.model_copy(update={"levels": REAL}))
    return folder


def test_a_checkpoint_gives_back_every_bit(saved: Path, card: ModelConfig, lite0: Network) -> None:
    network, read = checkpoint.load(saved)
    assert read.levels == REAL
    assert not network.training
    again = solved(lite0, REAL)
    assert again.state_dict().keys() == network.state_dict().keys()
    assert torch.equal(again[-1][1].weight, network[-1][1].weight)
    with torch.inference_mode():
        assert torch.equal(network(images()), again(images()))
    assert num_parameters(network) < num_parameters(lite0)


@pytest.mark.parametrize(
    ("levels", "reason"),
    [
        ([{"block": "no_such", "grid": 1}], "levels no_such: expected some of stem, stage1"),
        ([{"block": "\u202e" * 500, "grid": 1}], "levels"),
        ([{"block": "head", "grid": 1}], "levels head: expected"),
        ([{"block": "stage2", "grid": 1}, {"block": "stage1", "grid": 1}], "in this order"),
        ([{"block": "stage1", "grid": 1}] * 2, "levels stage1, stage1: expected"),
        ([{"block": "stage1", "grid": 5}], "levels.0.grid"),
        ([{"block": "stage1", "grid": "1"}], "levels.0.grid"),
        ([{"block": "stage1"}], "levels.0.grid"),
        ([{"block": 1, "grid": 1}], "levels.0.block"),
        ([{"block": "stage1", "grid": 1, "x": 1}], "levels.0.x"),
        ("stage1", "levels"),
        (None, "levels"),
        # Levels of another network than the weights are of:
        ([{"block": "stage1", "grid": 1}], "not the weights of tf_efficientnet_lite0"),
        ([], "not the weights of tf_efficientnet_lite0"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_card_with_other_levels_is_refused(
    saved: Path, tmp_path: Path, levels: object, reason: str
) -> None:
    raw = json.loads((saved / checkpoint.CARD).read_text()) | {"levels": levels}
    (tmp_path / checkpoint.CARD).write_text(json.dumps(raw))
    (tmp_path / checkpoint.WEIGHTS).write_bytes((saved / checkpoint.WEIGHTS).read_bytes())
    with pytest.raises(UserError) as refused:
        checkpoint.load(tmp_path)
    assert reason in str(refused.value)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 600


def test_images_too_small_for_the_network_are_refused(tmp_path: Path, card: ModelConfig) -> None:
    levels = (Level(block="features", grid=1),)
    tiny = card.model_copy(
        update={"family": "alexnet", "name": "alexnet", "image_size_px": 1, "levels": levels}
    )
    checkpoint.write_card(tmp_path, tiny)
    with pytest.raises(UserError, match=r"model\.json: levels: "):
        checkpoint.load(tmp_path)


# What else is done to a network


def test_onnx_gives_the_same_probabilities(cut: Network, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)
    numbers = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4)}
    with torch.inference_mode():
        expected = cut(to_input(pixels, **numbers)).softmax(dim=1).numpy()
    assert np.ptp(expected, axis=0).max() > 1e-3, "a case that tells images apart"
    export(cut, tmp_path / "model.onnx", image_size_px=SIZE, opset=18, **numbers)
    found = predict(session(tmp_path / "model.onnx", threads=1), pixels)
    assert np.abs(found - expected).max() < 1e-4


def test_the_summary_is_of_all_blocks(cut: Network) -> None:
    found = summarise(cut, SIZE)
    assert [block.name for block in found] == ["stem", "middle", "tail", "head"]
    assert sum(block.macs for block in found) == num_macs(cut, SIZE)
    assert sum(block.parameters for block in found) == num_parameters(cut)
    assert found[-1].shape == (3,)
    fields = [block.receptive_field_px for block in found]
    assert fields[:2] == [3, 7]


def test_grad_cam_looks_where_the_class_is_told(card: ModelConfig) -> None:
    """A head that reads the brightness of two blocks."""

    def bright() -> nn.Conv2d:
        block = nn.Conv2d(3, 3, 3, padding=1, stride=2, bias=False)
        nn.init.constant_(block.weight, 1 / 27)
        return block

    whole = nn.Sequential()
    for name in ("first", "second"):
        whole.add_module(name, bright())
    whole.add_module("head", nn.Linear(3, 2))
    cut = solved(
        whole, (Level(block="first", grid=1), Level(block="second", grid=1)), num_classes=2
    )
    cut[-1][1].weight.data[0], cut[-1][1].weight.data[1] = -1.0, 1.0
    pixels = np.zeros((2, SIZE, SIZE, 3), np.uint8)
    pixels[0, 4:12, 4:12] = 255
    pixels[1, 20:28, 20:28] = 255
    heat = gradcam.grad_cam(cut.requires_grad_(False), pixels, np.array([1, 1]), card)
    assert heat.shape == (2, SIZE, SIZE)
    assert heat[0, :16, :16].sum() > 0.8 * heat[0].sum() > 0
    assert heat[1, 16:, 16:].sum() > 0.8 * heat[1].sum() > 0


def test_every_block_can_be_measured(cut: Network, card: ModelConfig, data: TrainingData) -> None:
    found = layer_probe.measure(
        cut, card, data.store, data.manifest, split="train", seed=0, device=torch.device("cpu")
    )
    assert [score.block for score in found.scores] == ["stem", "middle", "tail"]
    assert [score.num_features for score in found.scores][:2] == [8, 16]


def test_between_blocks_the_map_can_be_had(small: Network, cut: Network) -> None:
    carried, plain = images(), images()
    with torch.inference_mode():
        for block, own in zip(cut[:2], small.eval()[:2], strict=True):
            carried, plain = block(carried), own(plain)
            assert torch.equal(map_of(carried), plain)


# Training and pruning it


THREE = (
    Level(block="stem", grid=2), Level(block="middle", grid=2), Level(block="tail", grid=1),
)  # fmt: skip
CPU = Machine(device=torch.device("cpu"), precision="float32", workers=0, seed=0)


@pytest.mark.parametrize(
    ("changes", "blocks"),
    [
        ({"trainable": "head"}, ["head"]),
        ({"trainable": "last_blocks", "num_blocks": 1}, ["tail", "head"]),
        (
            {"trainable": "last_blocks", "num_blocks": 2, "cache": "views"},
            ["middle", "tail", "head"],
        ),
        ({"trainable": "last_blocks", "num_blocks": 1, "mixup_alpha": 0.2}, ["tail", "head"]),
        ({"trainable": "first_blocks", "num_blocks": 1}, ["stem", "head"]),
        ({"trainable": "all"}, ["stem", "middle", "tail", "head"]),
        ({"trainable": "all", "unfreeze_every": 1}, ["tail", "head"]),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_any_of_its_blocks_may_train(
    small: Network, card: ModelConfig, data: TrainingData, recipe: Callable[..., Recipe],
    changes: dict[str, Any], blocks: list[str], precision: str,
) -> None:  # fmt: skip
    network = solved(small, THREE)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    chosen = recipe(learning_rate=0.001, **changes)
    train(network, card, data, chosen, replace(CPU, precision=precision), lambda *_: None)
    changed = {
        name.split(".")[0] for name, value in network.state_dict().items()
        if not torch.equal(before[name], value)
    }  # fmt: skip
    assert changed == set(blocks)
    for name in ("head.0.mean", "head.0.inverse_std"):
        assert torch.equal(before[name], network.state_dict()[name]), "what is fixed stays"


@pytest.mark.parametrize("method", ["magnitude_l2", "taylor", "batch_norm_scale"])
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_channels_go_with_what_the_head_reads_of_them(
    small: Network, method: str, scope: Literal["global", "layer"]
) -> None:
    network = solved(small, THREE)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.2, 2)
    smaller, channels = prune(
        network, ratio=0.5, method=method, scope=scope, iterations=1, round_to=2,
        image_size_px=SIZE, seed=0,
        backward=lambda net: net(images()).square().sum().backward(), recover=lambda net: None,
    )  # fmt: skip
    assert num_macs(smaller, SIZE) < 0.8 * num_macs(network, SIZE)
    read = [channels.get(f"{name}.block.0", (0, width))[1] for name, width in WIDTHS]
    num_features = 4 * read[0] + 4 * read[1] + read[2]
    assert len(smaller[-1][0].mean) == smaller[-1][1].in_features == num_features
    again = copy.deepcopy(network)
    narrow(again, channels)
    again.load_state_dict(smaller.state_dict())
    with torch.inference_mode():
        assert torch.equal(again.eval()(images()), smaller(images()))


def test_channels_that_say_nothing_cost_nothing(small: Network) -> None:
    """Each channel goes with its own part of the head: what is left reads what it read before."""
    network = solved(small, THREE)
    conv, norm, _ = network[2].block
    dead = torch.arange(16) % 2 == 1
    norm.weight.data[dead], norm.bias.data[dead] = 0.0, 0.0
    conv.weight.data[dead] = 0.0
    network[-1][0].mean[-16:][dead] = 0.0
    for block in (network[0], network[1]):
        block.block[1].weight.data.add_(10.0)
    before = network(images()).detach()
    smaller, channels = prune(
        network, ratio=0.2, method="batch_norm_scale", scope="global", iterations=1, round_to=1,
        image_size_px=SIZE, seed=0, backward=lambda net: None, recover=lambda net: None,
    )  # fmt: skip
    assert channels["tail.block.0"][1] == 8
    torch.testing.assert_close(smaller(images()).detach(), before)
