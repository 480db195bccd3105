"""Fingerprint everything that affects a training run: the key of its checkpoint."""

from dataclasses import asdict

import numpy as np

from thawline.features import fingerprints
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.training.context import Machine, TrainingData
from thawline.training.recipe import Recipe


def describe_training(
    network: Network, card: ModelConfig, data: TrainingData, recipe: Recipe, machine: Machine
) -> dict[str, str]:
    """Name everything that changes the result: values as they are, tensors and pixels by hash.

    `network` is as training begins with it; the names are for a person.
    """
    recorded = asdict(recipe)
    stage = recorded.pop("stage")
    shown = np.unique(np.concatenate([data.indices, data.manifest.rows("val")]))
    return {
        **{f"{stage}.{key}": str(value) for key, value in recorded.items()},
        "model": fingerprints.hash_values(card.model_dump(mode="json")),
        "starting weights": fingerprints.hash_tensors(network.state_dict()),
        "augmentation": fingerprints.hash_values([data.policy, data.num_views]),
        "rows": fingerprints.hash_arrays(
            data.indices, data.labels, data.rows.class_weights, data.rows.targets, shown
        ),
        "images": fingerprints.hash_images(data.store, shown),
        "seed": str(machine.seed),
        "precision": machine.precision,
        "devices": str(machine.group.size),
        "compile": str(machine.compiled),
        **fingerprints.describe_machine(machine.device),
    }
