"""The loops that are compared: Thawline's, and those that one would write otherwise."""

import io
from collections.abc import Sequence

import albumentations as A
import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from benchmarks.training import material
from thawline.training.device import to_input
from thawline.training.freezing import freeze
from thawline.training.setting import Machine, TrainingData
from thawline.training.train import train

CPU = torch.device("cpu")


def engine(data: TrainingData, **changes: object) -> None:
    """Thawline's own training, validation included, with nothing kept from a run before."""
    machine = Machine(device=CPU, precision="float32", workers=0, seed=0)
    recipe = material.recipe(**changes)
    train(material.network(), material.card(), data, recipe, machine, lambda *_: None)


def bare(data: TrainingData, epochs: int) -> None:
    """Forward, backward and step on tensors in memory, and a forward pass of the validation rows:
    what remains when nothing is read, augmented, shuffled or measured.
    """
    card, network = material.card(), material.network()
    freeze(network, "all")
    rows = [data.manifest.rows(split) for split in ("train", "val")]
    held = [to_input(data.store.take(r), mean=card.mean, std=card.std) for r in rows]
    labels = torch.from_numpy(data.manifest.labels[rows[0]])
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    for _ in range(epochs):
        network.train()
        for start in range(0, len(labels), material.BATCH_SIZE):
            at = slice(start, start + material.BATCH_SIZE)
            _step(network, optimizer, held[0][at], labels[at])
        network.eval()
        with torch.inference_mode():
            for batch in held[1].split(64):
                network(batch)


def tutorial(data: TrainingData, files: Sequence[bytes], epochs: int) -> None:
    """A frozen trunk as in PyTorch's tutorials: JPEG files, albumentations, the whole network run
    in each epoch.
    """
    card, network = material.card(), material.network()
    freeze(network, "head")
    compose = A.Compose([A.Affine(rotate=(-10, 10), p=1.0), A.Normalize(card.mean, card.std)])
    labels = torch.from_numpy(data.labels)
    optimizer = torch.optim.SGD(network[-1].parameters(), lr=0.01, momentum=0.9)
    network.eval()
    for epoch in range(epochs):
        order = np.random.default_rng(epoch).permutation(len(files))
        for start in range(0, len(order), material.BATCH_SIZE):
            at = order[start : start + material.BATCH_SIZE]
            images = [np.asarray(Image.open(io.BytesIO(files[i])).convert("RGB")) for i in at]
            shown = np.stack([compose(image=image)["image"] for image in images])
            batch = torch.from_numpy(shown).permute(0, 3, 1, 2).contiguous()
            _step(network, optimizer, batch, labels[at])


def in_memory(data: TrainingData, epochs: int) -> None:
    """The same, well tuned: decoded images in memory, bfloat16 through the frozen trunk."""
    card, network = material.card(), material.network()
    freeze(network, "head")
    labels = torch.from_numpy(data.labels)
    held = to_input(data.store.take(data.indices), mean=card.mean, std=card.std)
    optimizer = torch.optim.SGD(network[-1].parameters(), lr=0.01, momentum=0.9)
    network.eval()
    for epoch in range(epochs):
        order = torch.from_numpy(np.random.default_rng(epoch).permutation(len(labels)))
        for at in order.split(material.BATCH_SIZE):
            with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
                features = network[:-1](held[at]).float()
            _step(network[-1], optimizer, features.clone(), labels[at])


def _step(
    network: nn.Module, optimizer: torch.optim.Optimizer, batch: torch.Tensor, labels: torch.Tensor
) -> None:
    loss = functional.cross_entropy(network(batch), labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
