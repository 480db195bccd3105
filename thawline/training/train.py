"""Train a network on rebalanced, augmented rows; a frozen trunk is computed once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from thawline.checkpoint import ModelCard
from thawline.data.manifest import Manifest
from thawline.data.rows import Rows
from thawline.data.store import ImageStore
from thawline.data.views import Step
from thawline.errors import UserError
from thawline.inference import outputs
from thawline.network import Network
from thawline.training import features, losses, mixing, synthetic
from thawline.training.device import numerics, to_input
from thawline.training.examples import Examples, FeatureExamples, ImageExamples
from thawline.training.fit import Epoch, History, Validation, fit
from thawline.training.freezing import Frozen, freeze
from thawline.training.recipe import Recipe
from thawline.training.resume import Resume

_VALIDATION_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What training reads.

    Attributes:
        rows: training rows and class weights.
        policy: augmentation steps, applied to training images only.
        num_views: views per image that are computed once when the trunk is frozen.
        extra_labels: of the images that follow the manifest's rows in the store, int64 (E,).
    """

    manifest: Manifest
    store: ImageStore
    rows: Rows
    policy: Sequence[Step]
    num_views: int
    extra_labels: np.ndarray

    @property
    def indices(self) -> np.ndarray:
        """Rows of the store to train on: the rebalanced ones, then the extra images."""
        extras = len(self.manifest) + np.arange(len(self.extra_labels))
        return np.concatenate([self.rows.indices, extras])

    @property
    def labels(self) -> np.ndarray:
        """Of the indices, int64."""
        return np.concatenate([self.manifest.labels[self.rows.indices], self.extra_labels])


@dataclass(frozen=True, kw_only=True)
class Machine:
    """How training runs; `workers` alone does not change the result."""

    device: torch.device
    precision: str
    workers: int
    seed: int


def train(
    network: Network,
    card: ModelCard,
    data: TrainingData,
    recipe: Recipe,
    machine: Machine,
    on_epoch: Callable[[int, Epoch], None],
    resume: Resume | None = None,
) -> History:
    """Train in place; the network ends with the weights of its best epoch, on the CPU.

    With everything but the head frozen, the trunk's features of each image and view are computed
    once and the head trains on those; otherwise the frozen first blocks run without gradients.
    Blocks that thaw later count as trained: their features are not kept while they wait.

    Raises:
        UserError: mixup, cutmix or random erasing of images whose features are computed once.
    """
    network.to(machine.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    frozen = freeze(network, recipe.trainable, recipe.num_blocks)
    parts = _Parts(network, frozen, card, data, recipe, machine)
    cached = frozen.cut == len(network) - 1
    if cached and mixing.wanted(recipe):
        raise UserError(
            f"{recipe.stage}.trainable: {recipe.trainable!r} trains on features computed once, and "
            "mixup_alpha, cutmix_alpha and random_erasing change pixels; allowed: 0"
        )
    examples, prepare, validation = parts.cached() if cached else parts.from_images()
    history = fit(
        network[frozen.cut :],
        frozen.after_cut(),
        examples,
        prepare,
        validation,
        recipe,
        loss=losses.build(recipe, **_per_class(data, machine.device)),
        device=machine.device,
        precision=machine.precision,
        on_epoch=on_epoch,
        resume=resume,
    )
    network.cpu().eval()
    return history


def _per_class(data: TrainingData, device: torch.device) -> dict[str, torch.Tensor]:
    weights = torch.tensor(data.rows.class_weights, dtype=torch.float32)
    counts = torch.from_numpy(data.manifest.counts("train"))
    return {"class_weights": weights.to(device), "class_counts": counts.to(device)}


class _Parts:
    """Examples and validation for the part of the network behind the cut."""

    def __init__(
        self,
        network: Network,
        frozen: Frozen,
        card: ModelCard,
        data: TrainingData,
        recipe: Recipe,
        machine: Machine,
    ) -> None:
        self._trunk: nn.Module = network[: frozen.cut].eval()
        self._card, self._data, self._recipe, self._machine = card, data, recipe, machine
        self._val_rows = data.manifest.rows("val")
        self._val_labels = torch.from_numpy(data.manifest.labels[self._val_rows])

    def cached(self) -> tuple[Examples, Callable[[torch.Tensor], torch.Tensor], Validation]:
        machine, data = self._machine, self._data
        views = features.compute_views(
            self._trunk,
            data.store,
            data.indices,
            self._card,
            data.policy,
            num_views=data.num_views,
            seed=machine.seed,
            precision=machine.precision,
            device=machine.device,
        )
        labels = data.labels
        if data.rows.targets is not None:
            views, labels = synthetic.fill_up(views, labels, data.rows.targets, seed=machine.seed)
        images = data.store.batches(self._val_rows, _VALIDATION_BATCH)
        val = outputs(
            self._trunk, images, self._card, precision=machine.precision, device=machine.device
        )
        examples = FeatureExamples(
            views=views,
            labels=torch.from_numpy(labels),
            batch_size=self._recipe.batch_size,
            seed=machine.seed,
        )
        validation = Validation(
            logits=lambda head: head(val.to(machine.device)).float().cpu(), labels=self._val_labels
        )
        return examples, lambda inputs: inputs.to(machine.device), validation

    def from_images(self) -> tuple[Examples, Callable[[torch.Tensor], torch.Tensor], Validation]:
        machine, data = self._machine, self._data
        examples = ImageExamples(
            data.store,
            data.indices,
            data.labels,
            data.policy,
            batch_size=self._recipe.batch_size,
            seed=machine.seed,
            workers=machine.workers,
        )
        validation = Validation(logits=self._validation_logits, labels=self._val_labels)
        return self._mixed(examples), self._behind_trunk, validation

    def _mixed(self, examples: Examples) -> Examples:
        recipe = self._recipe
        if not mixing.wanted(recipe):
            return examples
        return mixing.MixedExamples(
            examples=examples,
            mixup_alpha=recipe.mixup_alpha,
            cutmix_alpha=recipe.cutmix_alpha,
            random_erasing=recipe.random_erasing,
            num_classes=len(self._card.classes),
            mean=self._card.mean,
            seed=self._machine.seed,
        )

    def _behind_trunk(self, images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad(), numerics(self._machine.precision, self._machine.device):
            outputs: torch.Tensor = self._trunk(self._to_input(images.numpy()))
        return outputs

    def _validation_logits(self, network: Network) -> torch.Tensor:
        whole = nn.Sequential(self._trunk, network)
        images = self._data.store.batches(self._val_rows, _VALIDATION_BATCH)
        with numerics(self._machine.precision, self._machine.device):
            return torch.cat([whole(self._to_input(b)).float().cpu() for b in images])

    def _to_input(self, images: np.ndarray) -> torch.Tensor:
        card = self._card
        return to_input(images, mean=card.mean, std=card.std, device=self._machine.device)
