"""Lightning's Trainer with its BackboneFinetuning callback.

As the callback's own page has it (lightning.ai, API of BackboneFinetuning): Adam at 1e-3 on a new
head, then the trunk too, at a tenth of the rate, which the callback's defaults double with each
epoch until it is the head's. Its default of ten frozen epochs is for longer trainings: a quarter
of all is taken. ModelCheckpoint keeps the best epoch. Augmentation, of which Lightning has none, as
in plain.py; channels-last too.
"""

import logging
import tempfile
import warnings

import lightning as L
import torch
from lightning.pytorch.callbacks import BackboneFinetuning, ModelCheckpoint
from torch.nn import functional

from benchmarks.peers import in_torch
from benchmarks.peers.task import Clock, Task, given, hand_in


class Classifier(L.LightningModule):
    def __init__(self, task: Task, clock: Clock) -> None:
        super().__init__()
        self.backbone = in_torch.trunk(task)
        self.head = in_torch.head(task, self.backbone)
        self._clock, self._right = clock, list[torch.Tensor]()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.backbone(images))
        return found

    def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
        images, labels = batch
        outputs = self(images.to(memory_format=torch.channels_last))
        return functional.cross_entropy(outputs, labels)

    def validation_step(self, batch: list[torch.Tensor], _: int) -> None:
        images, labels = batch
        self._right.append(self(images.to(memory_format=torch.channels_last)).argmax(1) == labels)

    def on_validation_epoch_end(self) -> None:
        accuracy = torch.cat(self._right).float().mean()
        self._right.clear()
        self.log("val_accuracy", accuracy)
        self._clock.epoch(float(accuracy))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.head.parameters(), lr=1e-3)  # the callback adds the trunk


def main(task: Task) -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")  # on workers, of which there are none on purpose
    torch.set_num_threads(task.threads)
    L.seed_everything(task.seed, verbose=False)
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()
        model = Classifier(task, clock).to(memory_format=torch.channels_last)
        loaders = in_torch.loaders(task)
        best = ModelCheckpoint(folder, monitor="val_accuracy", mode="max", save_weights_only=True)
        thaw = BackboneFinetuning(unfreeze_backbone_at_epoch=max(1, task.epochs // 4))
        trainer = L.Trainer(
            accelerator="cpu", max_epochs=task.epochs, callbacks=[thaw, best], logger=False,
            enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
            default_root_dir=folder,
        )  # fmt: skip
        trainer.fit(model, loaders["train"], loaders["val"])
        kept = torch.load(best.best_model_path, weights_only=True)["state_dict"]
    model.load_state_dict(kept)
    hand_in(task, in_torch.predict(model, loaders["test"]).numpy())


if __name__ == "__main__":
    main(given(__doc__))
