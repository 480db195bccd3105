"""Every family: a head in closed form on its blocks, and the network that is cut after them."""

import copy
import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.contract.networks import FIRSTS, LARGE, built, each_with_few_always, size_px
from tests.contract.plugin import untouched_randomness
from thawline.compress.export import export
from thawline.cost.flops import num_parameters
from thawline.cost.ort_session import predict, session
from thawline.dataset.image_store import ImageStore, StoreWriter
from thawline.dataset.manifest import Manifest
from thawline.dataset.rows import Rows
from thawline.features.level_choice import candidates
from thawline.features.levels import TRUNK, extract, joined
from thawline.models import checkpoint, network
from thawline.models.inference import probabilities
from thawline.training.context import Machine, TrainingData
from thawline.training.linear_head import Fitted, fit_head

CPU = torch.device("cpu")
CLASSES = ("a", "b", "c")
COUNT = 24
LIGHT = {"alexnet", "densenet"}
"""Of the large families, those whose first network is tested always."""
families = pytest.mark.parametrize(
    ("family", "name"),
    [
        pytest.param(family, name, marks=pytest.mark.slow if family in LARGE - LIGHT else ())
        for family, name in FIRSTS.items()
    ],
)


@functools.cache
def data(size: int) -> TrainingData:
    """Noise that is brighter in one channel, which is the class."""
    folder = Path(tempfile.mkdtemp())
    rng, labels = np.random.default_rng(0), np.arange(COUNT) % 3
    with StoreWriter(folder, size) as writer:
        for label in labels:
            image = rng.integers(0, 150, (size, size, 3), dtype=np.uint8)
            image[..., label] += 100
            writer.append(image)
    manifest = Manifest(
        classes=CLASSES, labels=labels, splits=np.array(["train"] * 18 + ["val"] * 6),
        sha256=("",) * COUNT, names=("",) * COUNT, groups=(None,) * COUNT,
        widths=np.full(COUNT, size), heights=np.full(COUNT, size),
    )  # fmt: skip
    return TrainingData(
        manifest=manifest,
        store=ImageStore(folder),
        rows=Rows(indices=manifest.rows("train"), class_weights=np.ones(3)),
        policy=[],
        num_views=1,
        extra_labels=np.empty(0, np.int64),
    )


def card(family: str, name: str) -> checkpoint.ModelConfig:
    described = network.describe(family, name)
    return checkpoint.ModelConfig(
        family=family, name=name, dropout=0.2, classes=CLASSES,
        image_size_px=size_px(family, name), fit="letterbox", background=(0, 0, 0),
        mean=described.mean, std=described.std,
    )  # fmt: skip


@functools.lru_cache(maxsize=2)
def fitted(family: str, name: str, *, last_only: bool = False) -> Fitted:
    found = data(size_px(family, name))
    machine = Machine(device=CPU, precision="float32", workers=0, seed=0)
    whole = built(family, name)
    with untouched_randomness():
        return fit_head(
            whole, card(family, name), found, machine, precision="float32",
            groups=found.manifest.groups, last_only=last_only, refits=True,
        )  # fmt: skip


def images(family: str, name: str) -> np.ndarray:
    taken: np.ndarray = data(size_px(family, name)).store.take(np.arange(COUNT))
    return taken


@families
def test_every_block_with_weights_offers_features(family: str, name: str) -> None:
    trunk, shown = built(family, name)[:-1], images(family, name)[:3]
    parts = extract(
        trunk, [shown[:2], shown[2:]], card(family, name), precision="float32", device=CPU
    )
    found = joined(parts)
    blocks = [block for block, _ in trunk.named_children()]
    with_weights = [key for key, b in trunk.named_children() if any(True for _ in b.parameters())]
    offered = list(dict.fromkeys(block for block, _ in found))
    assert offered == [*with_weights, TRUNK]
    assert [blocks.index(block) for block in offered[:-1]] == sorted(
        map(blocks.index, offered[:-1])
    )
    assert all(features.shape[0] == 3 for features in found.values())
    assert all(np.isfinite(features).all() for features in found.values())
    for block in with_weights:
        if (block, 2) in found:
            assert found[block, 2].shape[1] == 4 * found[block, 1].shape[1]
    groups = candidates(list(found))
    assert all(key in found for group in groups for key in group)
    # One group alone gives what all together gave.
    group = groups[len(groups) // 2]
    again = joined(
        extract(trunk, [shown], card(family, name), group, precision="float32", device=CPU)
    )
    assert list(again) == [key for key in found if key in group]
    for key, features in again.items():
        np.testing.assert_allclose(features, found[key], rtol=1e-3, atol=1e-4)


@families
@pytest.mark.parametrize("last_only", [False, True])
def test_a_head_in_closed_form_knows_its_rows(family: str, name: str, last_only: bool) -> None:
    whole, found = built(family, name), fitted(family, name, last_only=last_only)
    read = [level.block for level in found.levels]
    own = [block for block, _ in whole.named_children()]
    names = [block for block, _ in found.network.named_children()]
    assert names == [*own[: len(names) - 1], "head"]
    assert names[-2] == (read[-1] if read else own[-2])
    assert num_parameters(found.network[:-1]) <= num_parameters(whole[:-1])
    if last_only:
        assert names == own
    said = probabilities(found.network, [images(family, name)], card(family, name))
    right = said.argmax(axis=1) == data(size_px(family, name)).manifest.labels
    assert not found.network.training
    # Of random weights the last block may say next to nothing of an image.
    assert right[:18].mean() >= (found.fit.accuracy if last_only else 0.9), "rows of the fit"
    assert right[18:].mean() > 0.6 or last_only, "other rows; a third by chance"


@families
@pytest.mark.parametrize("last_only", [False, True])
def test_a_last_fit_has_the_validation_rows_too(
    family: str, name: str, last_only: bool, tmp_path: Path
) -> None:
    found, shown = fitted(family, name, last_only=last_only), images(family, name)
    assert found.last is not None
    its_card = card(family, name).model_copy(update={"levels": found.levels})
    for folder in (tmp_path / "start", tmp_path / "kept"):
        checkpoint.save(folder, found.network, its_card)
    refitted = copy.deepcopy(found.network)
    assert found.last.apply(refitted, tmp_path / "start", tmp_path / "kept")
    labels = data(size_px(family, name)).manifest.labels
    here, there = (
        probabilities(net, [shown[18:]], its_card)[range(6), labels[18:]].mean()
        for net in (found.network, refitted)
    )
    assert there >= here - 1e-6, "what is in the fit is known no worse"
    # Without each of them it is not, and about as well as without all.
    alone = found.last.validation[range(6), labels[18:]].mean()
    assert alone <= there + 1e-6
    assert found.last.validation.sum(axis=1) == pytest.approx(np.ones(6), abs=1e-5)


@families
def test_the_cut_network_is_a_checkpoint_like_any_other(
    family: str, name: str, tmp_path: Path
) -> None:
    found = fitted(family, name)
    its_card = card(family, name).model_copy(update={"levels": found.levels})
    checkpoint.save(tmp_path, found.network, its_card)
    loaded, read = checkpoint.load(tmp_path)
    assert read == its_card
    state, again = found.network.state_dict(), loaded.state_dict()
    assert state.keys() == again.keys()
    assert all(torch.equal(state[key], again[key]) for key in state)
    shown = images(family, name)[:2]
    here, there = (probabilities(net, [shown], its_card) for net in (found.network, loaded))
    assert np.array_equal(here, there)


@each_with_few_always
def test_onnx_of_the_cut_network_gives_the_same_probabilities(
    family: str, name: str, tmp_path: Path
) -> None:
    found, its_card, shown = fitted(family, name), card(family, name), images(family, name)[:4]
    numbers: dict[str, Any] = {"mean": its_card.mean, "std": its_card.std}
    size = its_card.image_size_px
    export(found.network, tmp_path / "model.onnx", image_size_px=size, opset=18, **numbers)
    expected = probabilities(found.network, [shown], its_card)
    assert (
        np.abs(predict(session(tmp_path / "model.onnx", threads=1), shown) - expected).max() < 1e-4
    )
