"""What all of these benchmarks train on: real digits, packed, and a network for them."""

import io
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits

from thawline import network as networks
from thawline.checkpoint import ModelCard
from thawline.data.manifest import Manifest
from thawline.data.rows import Rows
from thawline.data.store import ImageStore, StoreWriter
from thawline.network import Network
from thawline.training.recipe import Recipe
from thawline.training.setting import TrainingData

NAME, SIZE_PX, NUM_CLASSES, BATCH_SIZE = "tf_efficientnet_lite0", 64, 10, 32
POLICY = [{"name": "Affine", "rotate": [-10, 10], "p": 1.0}]


def digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (count, S, S, 3), and labels int64 (count,)."""
    found = load_digits()
    small = (found.images[:count] * 15.9).astype(np.uint8)
    large = [cv2.resize(image, (SIZE_PX, SIZE_PX)) for image in small]
    return np.stack(large)[..., None].repeat(3, axis=-1), found.target[:count].astype(np.int64)


def packed(folder: Path, count: int) -> TrainingData:
    """That many training rows, and a quarter as many to judge on, as `ingest` packs them."""
    images, labels = digits(count + count // 4)
    with StoreWriter(folder, SIZE_PX) as writer:
        for image in images:
            writer.append(image)
    total = len(images)
    manifest = Manifest(
        classes=tuple(map(str, range(NUM_CLASSES))),
        labels=labels,
        splits=np.array(["train"] * count + ["val"] * (total - count)),
        sha256=("",) * total,
        names=("",) * total,
        groups=(None,) * total,
        widths=np.full(total, 8),
        heights=np.full(total, 8),
    )
    return TrainingData(
        manifest=manifest,
        store=ImageStore(folder),
        rows=Rows.untouched(np.arange(count), NUM_CLASSES),
        policy=POLICY,
        num_views=1,
        extra_labels=np.empty(0, np.int64),
    )


def network() -> Network:
    made = networks.build("efficientnet", NAME, num_classes=NUM_CLASSES, dropout=0.0, seed=0)
    return made.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def card() -> ModelCard:
    described = networks.describe("efficientnet", NAME)
    return ModelCard(
        family="efficientnet",
        name=NAME,
        dropout=0.0,
        classes=tuple(map(str, range(NUM_CLASSES))),
        image_size_px=SIZE_PX,
        fit="letterbox",
        background=(0, 0, 0),
        mean=described.mean,
        std=described.std,
    )


def recipe(**changes: object) -> Recipe:
    values: dict[str, object] = {
        "stage": "fine_tune", "trainable": "head", "num_blocks": 0, "unfreeze_every": 0,
        "norm_statistics": "update",
        "epochs": 10, "batch_size": BATCH_SIZE, "optimizer": "sgd", "learning_rate": 0.01,
        "momentum": 0.9, "switch": "fixed", "switch_epochs": 1, "switch_learning_rate": 0.01,
        "weight_decay": 0.0, "schedule": "constant", "decay_every": 1, "decay_factor": 1.0,
        "warmup_ratio": 0.0, "loss": "cross_entropy", "focal_gamma": 0.0, "logit_adjustment": 0.0,
        "label_smoothing": 0.0, "mixup_alpha": 0.0, "cutmix_alpha": 0.0, "random_erasing": 0.0,
        "layer_decay": 1.0, "ema_decay": 0.0, "clip_norm": 0.0, "accumulate": 1, "patience": 1000,
        "cache": "none",
    }  # fmt: skip
    return Recipe(**{**values, **changes})  # type: ignore[arg-type]


def jpegs(count: int) -> list[bytes]:
    """The training images as files of a folder would be."""
    found = []
    for image in digits(count)[0]:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=95)
        found.append(buffer.getvalue())
    return found
