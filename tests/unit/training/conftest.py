"""A small set of real digits, packed as ingest packs it, and networks to train on it."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from thawline.dataset.image_store import ImageStore, StoreWriter
from thawline.dataset.manifest import Manifest
from thawline.dataset.rows import Rows
from thawline.models import network as networks
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.training.context import TrainingData
from thawline.training.recipe import Recipe

SIZE = 32
CLASSES = ("zero", "one", "two")
POLICY = [
    {"name": "HorizontalFlip", "p": 0.5},
    {"name": "Affine", "rotate": [-10, 10], "p": 1.0},
]


@pytest.fixture(scope="session")
def card() -> ModelConfig:
    return card_of_digits()


def card_of_digits() -> ModelConfig:
    return ModelConfig(
        family="efficientnet",
        name="tf_efficientnet_lite0",
        dropout=0.0,
        classes=CLASSES,
        image_size_px=SIZE,
        fit="letterbox",
        background=(0, 0, 0),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    )


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    return packed(tmp_path_factory.mktemp("packed"))


def packed(folder: Path) -> TrainingData:
    """90 digits of three classes; the first training row is repeated, as oversampling does."""
    digits = load_digits(n_class=3)
    images = (digits.images[:90] * 15.9).astype(np.uint8).repeat(4, 1).repeat(4, 2)
    with StoreWriter(folder, SIZE) as writer:
        for image in images:
            writer.append(image[..., None].repeat(3, axis=-1))
    count = len(images)
    manifest = Manifest(
        classes=CLASSES,
        labels=digits.target[:90].astype(np.int64),
        splits=np.array(["train"] * 60 + ["val"] * 20 + ["test"] * 10),
        sha256=("",) * count,
        names=("",) * count,
        groups=(None,) * count,
        widths=np.full(count, 8),
        heights=np.full(count, 8),
    )
    indices = np.sort(np.append(manifest.rows("train"), [0, 0]))
    return TrainingData(
        manifest=manifest,
        store=ImageStore(folder),
        rows=Rows(indices=indices, class_weights=np.ones(3)),
        policy=POLICY,
        num_views=2,
        extra_labels=np.empty(0, np.int64),
    )


@pytest.fixture
def small() -> Network:
    return small_network()


def small_network(dropout: float = 0.1) -> Network:
    """Convolutions with bias, batch norm and a head: seconds less than a real network."""
    torch.manual_seed(0)

    def block(inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()
        )

    blocks = OrderedDict(stem=block(3, 8), middle=block(8, 16), tail=block(16, 16))
    blocks["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    blocks["head"] = nn.Sequential(nn.Dropout(dropout), nn.Linear(16, 3))
    return nn.Sequential(blocks)


@pytest.fixture
def lite0() -> Network:
    return networks.build(
        "efficientnet", "tf_efficientnet_lite0", num_classes=3, dropout=0.1, seed=0
    )


@pytest.fixture
def recipe() -> Callable[..., Recipe]:
    return recipe_of


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def recipe_of(**changes: object) -> Recipe:
    values: dict[str, object] = {
        "stage": "fine_tune",
        "trainable": "head",
        "num_blocks": 0,
        "unfreeze_every": 0,
        "norm_statistics": "update",
        "epochs": 2,
        "batch_size": 16,
        "optimizer": "sgd",
        "learning_rate": 0.05,
        "momentum": 0.9,
        "weight_decay": 0.01,
        "switch": "fixed",
        "switch_epochs": 2,
        "switch_learning_rate": 0.01,
        "schedule": "constant",
        "decay_every": 2,
        "decay_factor": 0.1,
        "warmup_ratio": 0.0,
        "loss": "cross_entropy",
        "focal_gamma": 2.0,
        "logit_adjustment": 0.0,
        "label_smoothing": 0.0,
        "mixup_alpha": 0.0,
        "cutmix_alpha": 0.0,
        "random_erasing": 0.0,
        "layer_decay": 1.0,
        "ema_decay": 0.0,
        "clip_norm": 0.0,
        "accumulate": 1,
        "patience": 100,
        "cache": "none",
    }
    return Recipe(**{**values, **changes})  # type: ignore[arg-type]
