"""fastai's vision_learner and fine_tune.

docs.fast.ai, "Computer vision intro" and the pages of vision.learner and callback.schedule: timm's
network by name, fastai's own head (two layers on mean and maximum), `aug_transforms`, without
mirroring where the task forbids it, and `fine_tune` with its default rates: one epoch with a frozen
trunk, then one cycle over everything at discriminative rates. SaveModelCallback keeps the best,
ChannelsLast makes it quicker.
"""

import tempfile
from functools import partial

import torch
from fastai.callback.channelslast import ChannelsLast
from fastai.callback.tracker import SaveModelCallback
from fastai.vision.all import (
    Callback,
    CategoryBlock,
    DataBlock,
    GrandparentSplitter,
    ImageBlock,
    Normalize,
    accuracy,
    aug_transforms,
    get_image_files,
    parent_label,
    set_seed,
    vision_learner,
)
from safetensors.torch import load_file

from benchmarks.peers.task import WEIGHTS, Clock, Task, given, hand_in


class Tell(Callback):
    """The validation accuracy of each epoch, after the recorder has it."""

    order = 60

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def before_fit(self) -> None:
        # Predictions are an epoch to fastai, without labels.
        self.run = not hasattr(self, "gather_preds")

    def after_epoch(self) -> None:
        self._clock.epoch(self.learn.recorder.values[-1][-1])


def main(task: Task) -> None:
    torch.set_num_threads(task.threads)
    set_seed(task.seed)
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()
        block = DataBlock(
            blocks=(ImageBlock, CategoryBlock(vocab=list(task.classes))),
            get_items=partial(get_image_files, folders=["train", "val"]),
            splitter=GrandparentSplitter(train_name="train", valid_name="val"),
            get_y=parent_label,
            batch_tfms=[
                *aug_transforms(do_flip=task.mirror),
                Normalize.from_stats(task.mean, task.std, cuda=False),
            ],
        )
        loaders = block.dataloaders(task.folder, bs=task.batch_size, num_workers=0)
        learner = vision_learner(
            loaders, task.network, pretrained=False, normalize=False, metrics=accuracy,
            cbs=[ChannelsLast(), Tell(clock), SaveModelCallback(monitor="accuracy")],
            path=folder, model_dir=folder,
        )  # fmt: skip
        _load(learner.model[0].model, task)
        with learner.no_bar(), learner.no_logging():
            learner.fine_tune(max(1, task.epochs - 1), freeze_epochs=1)
            test = loaders.test_dl([file for file, _ in task.files("test")], num_workers=0)
            probabilities, _ = learner.get_preds(dl=test)
    hand_in(task, probabilities.argmax(dim=1).numpy())


def _load(body: torch.nn.Module, task: Task) -> None:
    """fastai cuts the classifier and the pooling off; everything else gets the common weights."""
    missing, unexpected = body.load_state_dict(load_file(task.folder / WEIGHTS), strict=False)
    assert not missing, missing
    assert not unexpected, unexpected


if __name__ == "__main__":
    main(given(__doc__))
