"""Augment whole batches by mixup, cutmix and random erasing, through torchvision.

The batches come out of the workers unmixed and are mixed in the training process, so the result
does not depend on the number of workers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torchvision.transforms import v2

from thawline.training.distributed import ALONE, Group
from thawline.training.examples import Batch, Examples
from thawline.training.recipe import Recipe


def wanted(recipe: Recipe) -> bool:
    """Tell whether the recipe asks for mixup, cutmix or random erasing."""
    return bool(recipe.mixup_alpha or recipe.cutmix_alpha or recipe.random_erasing)


@dataclass(frozen=True, kw_only=True)
class MixedExamples:
    """Batches of other examples, erased and mixed.

    A rectangle of an image is erased to the mean colour (Zhong et al., 2017, "Random erasing data
    augmentation"). Then each image is mixed with its neighbour in the shuffled batch: all of it
    (Zhang et al., 2018, "mixup: beyond empirical risk minimization") or a rectangle (Yun et al.,
    2019, "CutMix"). With both switched on, each batch takes one of them, as often as the other.

    Attributes:
        examples: source of uint8 images (B, S, S, 3) and labels int64 (B,), of whole batches.
        mean: RGB in [0, 1] of an erased pixel: zero after normalisation.
    """

    examples: Examples
    mixup_alpha: float
    cutmix_alpha: float
    random_erasing: float
    num_classes: int
    mean: Sequence[float]
    seed: int
    group: Group = ALONE

    def __len__(self) -> int:
        return len(self.examples)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Yield mixed batches, a function of the seed, the epoch and the step.

        Images are float32 (B, S, S, 3) in [0, 255]; labels are float32 (B, num_classes) that sum to
        1, or int64 (B,) when nothing is mixed.
        """
        erasing = v2.RandomErasing(self.random_erasing, value=[255 * m for m in self.mean])
        mixes = self._mixes()
        for step, (images, labels) in enumerate(self.examples.epoch(epoch, first), first):
            pixels = images.permute(0, 3, 1, 2).float()
            # torchvision draws from the global generator, whose state belongs to dropout.
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(_seed(self.seed, epoch, step))
                if self.random_erasing:
                    pixels = torch.stack([erasing(image) for image in pixels])
                if mixes:
                    chosen = int(torch.randint(len(mixes), (1,)))
                    pixels, labels = mixes[chosen](pixels, labels)
            yield self.group.share(pixels).permute(0, 2, 3, 1), labels

    def _mixes(self) -> list[v2.Transform]:
        kinds = ((v2.MixUp, self.mixup_alpha), (v2.CutMix, self.cutmix_alpha))
        return [kind(alpha=alpha, num_classes=self.num_classes) for kind, alpha in kinds if alpha]


def _seed(*parts: int) -> int:
    """Derive a seed for each batch; those of neighbours have nothing in common."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))
