"""Examples and validation for the part of a network behind the cut."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from thawline.checkpoint import ModelCard
from thawline.inference import batch_size
from thawline.network import Network
from thawline.norm_folding import folded
from thawline.training import features, mixing
from thawline.training.device import has_room, numerics, resident, to_input
from thawline.training.examples import Examples, FeatureExamples, ImageExamples
from thawline.training.fit import Validation
from thawline.training.freezing import Frozen
from thawline.training.group import ALONE
from thawline.training.precision import Numerics
from thawline.training.recipe import Recipe
from thawline.training.setting import Machine, TrainingData
from thawline.training.steps import ToInput


class Parts:
    """A network that is cut where it begins to train."""

    def __init__(
        self,
        network: Network,
        frozen: Frozen,
        card: ModelCard,
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
        self._batch = batch_size(data.store.image_size_px)
        self._val_rows = data.manifest.rows("val")
        self._val_labels = torch.from_numpy(data.manifest.labels[self._val_rows])
        few = len(self._val_rows) < machine.group.size
        self._judges = ALONE if few else machine.group
        self._val_there: torch.Tensor | None = None

    def num_bytes(self) -> int:
        """Of the frozen part's outputs, float32, for all views and the validation rows."""
        data = self._data
        with torch.inference_mode():
            one: torch.Tensor = self._trunk(self._to_input(data.store.take(data.indices[:1])))
        views = data.num_views if data.policy else 1
        return 4 * math.prod(one.shape[1:]) * (views * len(data.indices) + len(self._val_rows))

    def may_be_kept(self) -> bool:
        """A matter of params and data alone, never of what memory or disk is free."""
        cache = self._machine.cache
        return cache is None or cache.fits(self.num_bytes())

    def cached(self) -> tuple[Examples, ToInput, Validation]:
        """Of the frozen part's outputs, computed once."""
        machine, data = self._machine, self._data
        how: dict[str, Any] = {
            "precision": self._forward,
            "device": machine.device,
            "cache": machine.cache,
        }
        with machine.group.main_first():  # the others find them in the cache
            views = features.compute_views(
                self._trunk, data.store, data.indices, self._card, data.policy,
                num_views=data.num_views, seed=machine.seed, workers=machine.workers, **how,
            )  # fmt: skip
            val = features.compute(self._trunk, data.store, self._val_rows, self._card, **how)
        labels = data.labels
        if data.rows.targets is not None and self.head_alone:
            from thawline.training import synthetic  # loads scikit-learn, which takes 0.7 s

            views, labels = synthetic.fill_up(views, labels, data.rows.targets, seed=machine.seed)
        examples = FeatureExamples(
            views=resident(views, machine.device),
            labels=torch.from_numpy(labels),
            batch_size=self._recipe.batch_size,
            seed=machine.seed,
            group=machine.group,
        )
        validation = Validation(
            logits=lambda network: self._logits_of_features(network, val), labels=self._val_labels
        )
        return examples, self._features_to_input, validation

    def from_images(self) -> tuple[Examples, ToInput, Validation]:
        """Of the images, whose way through the frozen part is repeated in each epoch."""
        mixed = mixing.wanted(self._recipe)
        there = None if mixed or self._data.policy else self._on_gpu(self._data.indices)
        examples = self._images(whole=mixed) if there is None else self._unchanged(there)
        self._val_there = self._on_gpu(self._judges.share(self._val_rows))
        validation = Validation(logits=self._validation_logits, labels=self._val_labels)
        return self._mixed(examples), self._behind_trunk, validation

    def _images(self, *, whole: bool) -> Examples:
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
            whole_batches=whole,
        )

    def _unchanged(self, images: torch.Tensor) -> Examples:
        """The same examples where no policy changes them, of images that are on a GPU."""
        return FeatureExamples(
            views=[images],
            labels=torch.from_numpy(self._data.labels),
            batch_size=self._recipe.batch_size,
            seed=self._machine.seed,
            group=self._machine.group,
        )

    def _on_gpu(self, rows: np.ndarray) -> torch.Tensor | None:
        """Images of the rows, uint8 (N, S, S, 3), where a GPU has room to keep them."""
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

    def _validation_logits(self, network: Network) -> torch.Tensor:
        found = []
        for images in self._validation_images():
            inputs = self._behind_trunk(images)
            with numerics(self._training, self._machine.device):
                found.append(network(inputs).float())
        return self._judges.whole(torch.cat(found), len(self._val_rows)).cpu()

    def _validation_images(self) -> Iterator[torch.Tensor]:
        if self._val_there is not None:
            yield from torch.split(self._val_there, self._batch)
            return
        rows = self._judges.share(self._val_rows)
        yield from map(torch.from_numpy, self._data.store.batches(rows, self._batch))

    def _to_input(self, images: np.ndarray | torch.Tensor) -> torch.Tensor:
        card = self._card
        return to_input(images, mean=card.mean, std=card.std, device=self._machine.device)
