"""Prepare examples and validation for the part of a network behind the cut."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from thawline.features import extract
from thawline.models.batch_norm_folding import folded
from thawline.models.checkpoint import ModelConfig
from thawline.models.device import has_room, numerics, resident, to_input
from thawline.models.inference import images_at_once
from thawline.models.network import Network
from thawline.models.precision import Numerics
from thawline.training import mixup
from thawline.training.context import Machine, TrainingData
from thawline.training.distributed import ALONE
from thawline.training.examples import Examples, HeldExamples, ImageExamples
from thawline.training.freezing import Frozen
from thawline.training.loop import Validation
from thawline.training.recipe import Recipe
from thawline.training.train_step import ToInput


class CutNetwork:
    """Network that is cut where it begins to train."""

    def __init__(
        self,
        network: Network,
        frozen: Frozen,
        card: ModelConfig,
        data: TrainingData,
        recipe: Recipe,
        machine: Machine,
        chosen: Numerics,
    ) -> None:
        trunk = network[: frozen.cut].eval()
        self._trunk = folded(trunk, data.store.image_size_px, machine.device)
        self.has_trunk = frozen.cut > 0
        self.head_alone = frozen.cut == len(network) - 1
        self._card, self._data, self._recipe, self._machine = card, data, recipe, machine
        self._forward, self._training = chosen.forward, chosen.training
        self._batch = images_at_once(data.store.image_size_px)
        self._val_rows = data.manifest.rows("val")
        self._val_labels = torch.from_numpy(data.manifest.labels[self._val_rows])
        few = len(self._val_rows) < machine.group.size
        self._judges = ALONE if few else machine.group

    def num_bytes(self) -> int:
        """Count the bytes of the frozen part's outputs, for all views and the validation rows.

        In float32.
        """
        data = self._data
        with torch.inference_mode():
            one: torch.Tensor = self._trunk(self._to_input(data.store.take(data.indices[:1])))
        views = data.num_views if data.policy else 1
        return 4 * math.prod(one.shape[1:]) * (views * len(data.indices) + len(self._val_rows))

    def may_be_kept(self) -> bool:
        """Tell by params and data alone, not by free memory, whether outputs may be kept."""
        cache = self._machine.cache
        return cache is None or cache.fits(self.num_bytes())

    def cached(self) -> tuple[Examples, ToInput, Validation]:
        """Prepare training on the frozen part's outputs, computed once."""
        machine, data = self._machine, self._data
        how: dict[str, Any] = {
            "precision": self._forward,
            "device": machine.device,
            "cache": machine.cache,
        }
        with machine.group.main_first():  # the others find them in the cache
            views = extract.compute_views(
                self._trunk, data.store, data.indices, self._card, data.policy,
                num_views=data.num_views, seed=machine.seed, workers=machine.workers, **how,
            )  # fmt: skip
            val = extract.compute(self._trunk, data.store, self._val_rows, self._card, **how)
        labels = data.labels
        if data.rows.targets is not None and self.head_alone:
            from thawline.training import feature_smote  # loads scikit-learn, which takes 0.7 s

            views, labels = feature_smote.fill_up(
                views, labels, data.rows.targets, seed=machine.seed
            )
        examples = self._held(resident(views, machine.device), labels)
        validation = Validation(
            logits=lambda network: self._logits_of_features(network, val), labels=self._val_labels
        )
        return examples, self._features_to_input, validation

    def from_images(self) -> tuple[Examples, ToInput, Validation]:
        """Prepare training on images, which pass through the frozen part in each epoch."""
        val = self._on_gpu(self._judges.share(self._val_rows))
        validation = Validation(
            logits=lambda network: self._validation_logits(network, val), labels=self._val_labels
        )
        return self._images(), self._behind_trunk, validation

    def _images(self) -> Examples:
        data, recipe = self._data, self._recipe
        if mixup.wanted(recipe):
            return self._mixed(self._augmented(whole_batches=True))
        there = None if data.policy else self._on_gpu(data.indices)
        if there is None:
            return self._augmented(whole_batches=False)
        return self._held([there], data.labels)

    def _augmented(self, *, whole_batches: bool) -> Examples:
        machine, data = self._machine, self._data
        return ImageExamples(
            data.store,
            data.indices,
            data.labels,
            data.policy,
            batch_size=self._recipe.batch_size,
            seed=machine.seed,
            workers=machine.workers,
            group=machine.group,
            whole_batches=whole_batches,
        )

    def _held(self, views: Sequence[torch.Tensor], labels: np.ndarray) -> Examples:
        return HeldExamples(
            views=views,
            labels=torch.from_numpy(labels),
            batch_size=self._recipe.batch_size,
            seed=self._machine.seed,
            group=self._machine.group,
        )

    def _on_gpu(self, rows: np.ndarray) -> torch.Tensor | None:
        """Put the rows' images, uint8 (N, S, S, 3), on the GPU; None where it has no room."""
        shape = (len(rows), *self._data.store[0].shape)
        if not has_room(math.prod(shape), self._machine.device):
            return None
        kept = torch.empty(shape, dtype=torch.uint8, device=self._machine.device)
        batches = self._data.store.batches(rows, self._batch)
        for part, images in zip(torch.split(kept, self._batch), batches, strict=True):
            part.copy_(torch.from_numpy(images))
        return kept

    def _mixed(self, examples: Examples) -> Examples:
        recipe = self._recipe
        return mixup.MixedExamples(
            examples=examples,
            mixup_alpha=recipe.mixup_alpha,
            cutmix_alpha=recipe.cutmix_alpha,
            random_erasing=recipe.random_erasing,
            num_classes=len(self._card.classes),
            mean=self._card.mean,
            seed=self._machine.seed,
            group=self._machine.group,
        )

    def _behind_trunk(self, images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad(), numerics(self._forward, self._machine.device):
            outputs: torch.Tensor = self._trunk(self._to_input(images)).float()
        return outputs

    def _features_to_input(self, batch: torch.Tensor) -> torch.Tensor:
        moved = batch.to(self._machine.device, non_blocking=True)
        maps = moved.ndim == 4 and not self.head_alone
        return moved.contiguous(memory_format=torch.channels_last) if maps else moved

    def _logits_of_features(self, network: Network, val: torch.Tensor) -> torch.Tensor:
        if self.head_alone:
            logits: torch.Tensor = network(val.to(self._machine.device)).float().cpu()
            return logits
        batches = torch.split(self._judges.share(val), self._batch)
        with numerics(self._training, self._machine.device):
            found = [network(self._features_to_input(batch)) for batch in batches]
        return self._judges.whole(torch.cat(found).float(), len(val)).cpu()

    def _validation_logits(self, network: Network, val: torch.Tensor | None) -> torch.Tensor:
        found = []
        for images in self._validation_images() if val is None else torch.split(val, self._batch):
            inputs = self._behind_trunk(images)
            with numerics(self._training, self._machine.device):
                found.append(network(inputs).float())
        return self._judges.whole(torch.cat(found), len(self._val_rows)).cpu()

    def _validation_images(self) -> Iterator[torch.Tensor]:
        rows = self._judges.share(self._val_rows)
        return map(torch.from_numpy, self._data.store.batches(rows, self._batch))

    def _to_input(self, images: np.ndarray | torch.Tensor) -> torch.Tensor:
        card = self._card
        return to_input(images, mean=card.mean, std=card.std, device=self._machine.device)
