"""What all of these benchmarks train on: real digits, packed, and a network for them."""

import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits

from thawline.dataset.image_store import ImageStore, StoreWriter
from thawline.dataset.manifest import Manifest
from thawline.dataset.rows import Rows
from thawline.models import device as devices
from thawline.models import network as networks
from thawline.models import precision
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.training.context import Machine, TrainingData
from thawline.training.recipe import Recipe

NUM_CLASSES = 10
POLICY = [{"name": "Affine", "rotate": [-10, 10], "p": 1.0}]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One network on one device.

    Attributes:
        images: to train on; beyond 1,437 the digits come again.
        precision: as in params.yaml.
        thawed: blocks that partial fine-tuning trains besides the head, about a third of them.
    """

    family: str
    name: str
    size_px: int
    batch_size: int
    images: int
    epochs: int
    device: torch.device
    precision: str
    thawed: int

    def machine(self) -> Machine:
        workers = devices.workers("auto", self.device)
        return Machine(device=self.device, precision=self.precision, workers=workers, seed=0)

    def numerics(self) -> str:
        """float32 or bfloat16, as the engine trains."""
        return precision.choose(self.precision, self.network(), self.device).training

    def network(self) -> Network:
        """With equal random weights each time, channels last, on the device."""
        made = networks.build(self.family, self.name, num_classes=NUM_CLASSES, dropout=0.0, seed=0)
        return made.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def card(self) -> ModelConfig:
        described = networks.describe(self.family, self.name)
        return ModelConfig(
            family=self.family,
            name=self.name,
            dropout=0.0,
            classes=tuple(map(str, range(NUM_CLASSES))),
            image_size_px=self.size_px,
            fit="letterbox",
            background=(0, 0, 0),
            mean=described.mean,
            std=described.std,
        )

    def recipe(self, **changes: object) -> Recipe:
        values: dict[str, object] = {
            "stage": "fine_tune", "trainable": "head", "num_blocks": 0, "unfreeze_every": 0,
            "norm_statistics": "update",
            "epochs": self.epochs, "batch_size": self.batch_size, "optimizer": "sgd",
            "learning_rate": 0.01,
            "momentum": 0.9, "switch": "fixed", "switch_epochs": 1, "switch_learning_rate": 0.01,
            "weight_decay": 0.0, "schedule": "constant", "decay_every": 1, "decay_factor": 1.0,
            "warmup_ratio": 0.0, "loss": "cross_entropy", "focal_gamma": 0.0,
            "logit_adjustment": 0.0,
            "label_smoothing": 0.0, "mixup_alpha": 0.0, "cutmix_alpha": 0.0, "random_erasing": 0.0,
            "layer_decay": 1.0, "ema_decay": 0.0, "clip_norm": 0.0, "accumulate": 1,
            "patience": 1000,
            "cache": "none",
        }  # fmt: skip
        return Recipe(**{**values, **changes})  # type: ignore[arg-type]

    def digits(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """uint8 (count, S, S, 3), and labels int64 (count,)."""
        found = load_digits()
        at = np.arange(count) % len(found.target)
        small = (found.images * 15.9).astype(np.uint8)
        large = np.stack([cv2.resize(image, (self.size_px, self.size_px)) for image in small])
        return large[at][..., None].repeat(3, axis=-1), found.target[at].astype(np.int64)

    def packed(self, folder: Path) -> TrainingData:
        """The training rows, and a quarter as many to judge on, as `ingest` packs them."""
        images, labels = self._all()
        with StoreWriter(folder, self.size_px) as writer:
            for image in images:
                writer.append(image)
        total = len(images)
        manifest = Manifest(
            classes=tuple(map(str, range(NUM_CLASSES))),
            labels=labels,
            splits=np.array(["train"] * self.images + ["val"] * (total - self.images)),
            sha256=("",) * total,
            names=("",) * total,
            groups=(None,) * total,
            widths=np.full(total, 8),
            heights=np.full(total, 8),
        )
        return TrainingData(
            manifest=manifest,
            store=ImageStore(folder),
            rows=Rows.untouched(np.arange(self.images), NUM_CLASSES),
            policy=POLICY,
            num_views=1,
            extra_labels=np.empty(0, np.int64),
        )

    def _all(self) -> tuple[np.ndarray, np.ndarray]:
        return self.digits(self.images + self.images // 4)

    def jpegs(self) -> list[bytes]:
        """The images as files of a folder would be, those to judge on last."""
        found = []
        for image in self._all()[0]:
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "JPEG", quality=95)
            found.append(buffer.getvalue())
        return found
