"""Train a pruned network so that it recovers, by the pipeline's own training loop and rows."""

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from thawline.models.checkpoint import ModelConfig
from thawline.models.device import setup, to_input
from thawline.models.inference import probabilities
from thawline.models.network import Network
from thawline.params.schema.whole import Params
from thawline.training import auto_recipe, batch_size
from thawline.training.recipe import Recipe
from thawline.training.stage import data_for, machine_for
from thawline.training.train import train

_BATCH = 64
_GRADIENT_IMAGES = 512


def _knobs(params: Params) -> dict[str, Any]:
    return auto_recipe.resolved(params.fine_tune, from_scratch=params.model.weights == "none")


class Recovery:
    """Training of everything in a network, otherwise by the values of `fine_tune` in params."""

    def __init__(self, card: ModelConfig, params: Params) -> None:
        self._card, self._params = card, params
        self._data, self._machine = data_for(params, head=False), machine_for(params)
        chosen = {
            "trainable": "all",
            "num_blocks": 0,
            "unfreeze_every": 0,
            "epochs": params.compress.prune.epochs,
        }
        self._recipe = {"stage": "fine_tune"} | _knobs(params) | chosen

    def begin(self) -> None:
        """Reset threads and seed, so that results do not depend on what was pruned before."""
        setup(threads=self._params.training.threads, seed=self._params.seed)

    def train(self, network: Network) -> None:
        """Train in place; the weights of the best epoch are kept, and no gradients are left."""
        if self._recipe["epochs"]:
            size = batch_size.choose(self._params, network, self._card, self._machine)
            recipe = Recipe(batch_size=size, **self._recipe)
            train(network, self._card, self._data, recipe, self._machine, lambda *_: None)
            network.zero_grad(set_to_none=True)

    def backward(self, network: Network) -> None:
        """Add the gradient of cross-entropy on training images, with fixed norms and no dropout."""
        rng = np.random.default_rng(self._params.seed)
        order = np.sort(rng.permutation(len(self._data.indices))[:_GRADIENT_IMAGES])
        for at in np.array_split(order, -(-len(order) // _BATCH)):
            images = self._data.store.take(self._data.indices[at])
            logits = network.eval()(to_input(images, mean=self._card.mean, std=self._card.std))
            labels = torch.from_numpy(self._data.labels[at])
            functional.cross_entropy(logits, labels, reduction="sum").backward()  # type: ignore[no-untyped-call]

    def val_accuracy(self, network: Network) -> float:
        """Compute the accuracy on the validation rows, in [0, 1]."""
        manifest = self._data.manifest
        val = manifest.rows("val")
        predicted = probabilities(network, self._data.store.batches(val, _BATCH), self._card)
        return float((predicted.argmax(axis=1) == manifest.labels[val]).mean())
