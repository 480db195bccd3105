"""Fine-tune with Lightning's Trainer and its BackboneFinetuning callback.

The module of benchmarks/peers/with_lightning.py: Adam at 1e-3 on a new head for a quarter of
sixteen epochs, then the trunk too, as the callback's defaults have it. All training rows train, and
the last epoch's weights stand. Reading and augmentation, of which Lightning has none, as in
in_torch.py.
"""

import logging
import tempfile
import warnings

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import BackboneFinetuning, Callback

from benchmarks.own_images import in_torch as reading
from benchmarks.own_images.contest import Clock, due, main
from benchmarks.peers.task import Clock as ValidationClock
from benchmarks.peers.task import Task
from benchmarks.peers.with_lightning import Classifier

_EPOCHS = 16


class Look(Callback):
    """Print the test accuracy of the epochs that are due, without counting its time."""

    def __init__(self, task: Task, clock: Clock) -> None:
        self._loader, self._clock = reading.test_loader(task), clock
        self.predicted = np.empty(0, np.int64)

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if due(trainer.current_epoch + 1, _EPOCHS):
            with self._clock.paused():
                # Frozen norms are in evaluation mode, and stay so.
                modes = {part: part.training for part in module.modules()}
                self.predicted = reading.predict(module, self._loader)
                for part, training in modes.items():
                    part.training = training
            self._clock.point(self.predicted)


def race(task: Task, clock: Clock) -> np.ndarray:
    """Train as the callback does, and name the class of each test image."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")  # on workers, of which there are none on purpose
    reading.prepare(task)
    L.seed_everything(task.seed, verbose=False)
    # Its own clock is for validation, of which there is none here.
    model = Classifier(task, ValidationClock()).to(memory_format=torch.channels_last)
    look = Look(task, clock)
    with tempfile.TemporaryDirectory() as folder:
        trainer = L.Trainer(
            accelerator="cpu", max_epochs=_EPOCHS, logger=False, enable_checkpointing=False,
            callbacks=[BackboneFinetuning(unfreeze_backbone_at_epoch=_EPOCHS // 4), look],
            enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder,
        )  # fmt: skip
        trainer.fit(model, reading.train_loader(task))
    return look.predicted


if __name__ == "__main__":
    main(__doc__, race)
