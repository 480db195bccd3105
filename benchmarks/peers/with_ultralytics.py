"""ultralytics' classification trainer, on the common network, so it starts where the others do.

docs.ultralytics.com, "Classify", "Train settings" and "Customizing Trainer": `get_model` gives the
trainer a network of one's own, since by name it takes its own and torchvision's, not timm's. Its
defaults stand (`optimizer=auto`, three epochs of warm-up, RandAugment, erasing, average of weights)
but for mirroring where the task forbids it, `cache=ram`, which reads each file once, no plots, and
`deterministic=False`, which is quicker. The network normalises the pixels itself, since the trainer
hands them on in [0, 1], and is channels-last, as the others are.

ultralytics is under the AGPL. This file is run by a Python of its own that has ultralytics beside
it; Thawline does not depend on it, import it or ship it.
"""

import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from ultralytics import settings
from ultralytics.models.yolo.classify import ClassificationTrainer
from ultralytics.nn.tasks import ClassificationModel

from benchmarks.peers import in_torch
from benchmarks.peers.task import Clock, Task, given, hand_in

_ANY = "yolo11n-cls.yaml"
"""A name that the trainer accepts; it is not built."""


class Common(ClassificationModel):
    """The common network in the trainer's clothes."""

    def __init__(self, task: Task) -> None:
        nn.Module.__init__(self)
        trunk = in_torch.trunk(task)
        whole = nn.Sequential(trunk, in_torch.head(task, trunk))
        self.model = nn.Sequential(whole.to(memory_format=torch.channels_last))
        self.register_buffer("mean", torch.tensor(task.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(task.std).view(1, 3, 1, 1))
        self.names = dict(enumerate(task.classes))
        self.yaml = {"nc": len(task.classes)}
        self.stride = torch.tensor([32.0])

    def predict(self, x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        normal = ((x - self.mean) / self.std).to(memory_format=torch.channels_last)
        found: torch.Tensor = self.model(normal)
        return found

    def fuse(self, *_: Any, **__: Any) -> "Common":
        return self


class Trainer(ClassificationTrainer):
    task: Task

    def get_model(self, *_: Any, **__: Any) -> Common:
        return Common(self.task)

    def final_eval(self) -> None:
        """The best epoch once more on the validation images: nothing that is asked for here."""


def main(task: Task) -> None:
    logging.getLogger("ultralytics").setLevel(logging.ERROR)
    for cached in task.folder.glob("*.cache"):  # of a race before
        cached.unlink()
    # It logs to whatever it finds installed, and tells its makers.
    settings.update({"sync": False, "mlflow": False, "tensorboard": False, "wandb": False})
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()
        trainer = Trainer(overrides=_settings(task, folder))
        trainer.task = task
        # It takes all cores but one, of two cores one.
        trainer.add_callback("on_train_start", lambda _: torch.set_num_threads(task.threads))
        trainer.add_callback(
            "on_fit_epoch_end", lambda t: clock.epoch(t.metrics["metrics/accuracy_top1"])
        )
        trainer.train()
        # Written a moment ago by this process; it holds a module, not tensors alone.
        kept = torch.load(trainer.best, weights_only=False)
        network = (kept.get("ema") or kept["model"]).float().eval()
        hand_in(task, _predicted(trainer, network, task))


def _settings(task: Task, folder: str) -> dict[str, Any]:
    return {
        "model": _ANY, "data": str(task.folder), "imgsz": task.size_px, "batch": task.batch_size,
        "epochs": task.epochs, "seed": task.seed, "device": "cpu", "workers": 0, "cache": "ram",
        "fliplr": 0.5 if task.mirror else 0.0, "scale": 1.0 - task.least_area, "amp": False,
        "deterministic": False, "plots": False, "verbose": False, "project": folder, "name": "run",
    }  # fmt: skip


def _predicted(trainer: Trainer, network: nn.Module, task: Task) -> np.ndarray:
    images = trainer.build_dataset(str(task.folder / "test"), "val")
    class_of = {}
    with torch.inference_mode():
        for at, (file, *_) in enumerate(images.samples):
            class_of[Path(file)] = int(network(images[at]["img"][None]).argmax())
    return np.array([class_of[file] for file, _ in task.files("test")])


if __name__ == "__main__":
    main(given(__doc__))
