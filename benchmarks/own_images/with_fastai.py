"""Fine-tune with fastai's `vision_learner` and `fine_tune(8)`, with its defaults.

`ImageDataLoaders.from_folder` of train and test, `Resize` of each item, `aug_transforms()` of each
batch of 64, one epoch of the head, then eight of everything. The test images are its validation
set, which it only looks at: their time is not counted.
"""

import tempfile

import numpy as np
import torch
from fastai.vision.all import (
    Callback,
    ImageDataLoaders,
    Normalize,
    Resize,
    accuracy,
    aug_transforms,
    set_seed,
    vision_learner,
)
from safetensors.torch import load_file

from benchmarks.own_images.contest import Clock, main
from benchmarks.peers.task import WEIGHTS, Task

_EPOCHS = 8


class Tell(Callback):
    """Print the accuracy of each epoch, after the recorder has it."""

    order = 60

    def __init__(self, clock: Clock) -> None:
        self._clock, self._pause = clock, clock.paused()

    def before_fit(self) -> None:
        # Predictions are an epoch to fastai, without labels.
        self.run = not hasattr(self, "gather_preds")

    def before_validate(self) -> None:
        self._pause = self._clock.paused()
        self._pause.__enter__()

    def after_validate(self) -> None:
        self._pause.__exit__(None, None, None)

    def after_epoch(self) -> None:
        self._clock.accuracy(float(self.learn.recorder.values[-1][-1]), self._clock.seconds())


def race(task: Task, clock: Clock) -> np.ndarray:
    """Fine-tune, and name the class of each test image."""
    torch.set_num_threads(task.threads)
    set_seed(task.seed)
    with tempfile.TemporaryDirectory() as folder:
        loaders = ImageDataLoaders.from_folder(
            task.folder, train="train", valid="test", seed=task.seed, num_workers=0,
            item_tfms=Resize(task.size_px),
            batch_tfms=[*aug_transforms(), Normalize.from_stats(task.mean, task.std, cuda=False)],
        )  # fmt: skip
        learner = vision_learner(
            loaders, task.network, pretrained=False, normalize=False, metrics=accuracy,
            cbs=[Tell(clock)], path=folder, model_dir=folder,
        )  # fmt: skip
        missing, unexpected = learner.model[0].model.load_state_dict(
            load_file(task.folder / WEIGHTS), strict=False
        )
        assert not missing, missing
        assert not unexpected, unexpected
        with learner.no_bar(), learner.no_logging():
            learner.fine_tune(_EPOCHS)
            test = loaders.test_dl([file for file, _ in task.files("test")], num_workers=0)
            probabilities, _ = learner.get_preds(dl=test)
    # Its classes are in its own order.
    order = np.array([task.classes.index(name) for name in loaders.vocab])
    found: np.ndarray = order[probabilities.argmax(dim=1).numpy()]
    return found


if __name__ == "__main__":
    main(__doc__, race)
