"""The loops that are compared: Thawline's, and those that one would write otherwise.

All of them run the validation images through the network after each epoch.
"""

import io
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import albumentations as A
import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from benchmarks.training.material import Case
from thawline.models.device import numerics, to_input
from thawline.training.context import TrainingData
from thawline.training.cpu import quick
from thawline.training.freezing import freeze
from thawline.training.train import train


def engine(case: Case, data: TrainingData, **changes: object) -> None:
    """Thawline's own training, validation included, with nothing kept from a run before."""
    train(
        case.network(), case.card(), data, case.recipe(**changes), case.machine(), lambda *_: None
    )


def bare(case: Case, data: TrainingData, epochs: int, *, plain: bool) -> None:
    """Forward, backward and step on tensors in memory, and a forward pass of the validation rows:
    what remains when nothing is read, augmented, shuffled or measured.

    Args:
        plain: PyTorch's own convolutions; else the quicker forms that the engine has on a CPU.
    """
    network, precision = case.network(), case.numerics()
    freeze(network, "all")
    train_rows = data.manifest.rows("train")
    held, val = _inputs(case, data, train_rows), _validation(case, data)
    labels = torch.from_numpy(data.manifest.labels[train_rows]).to(case.device)
    optimizer = _sgd(case, network)
    mode = nullcontext() if plain else quick.convolutions(case.device, precision)
    for _ in range(epochs):
        network.train()
        for start in range(0, len(labels), case.batch_size):
            at = slice(start, start + case.batch_size)
            with numerics(precision, case.device), mode:
                outputs = network(held[at])
            _step(outputs, optimizer, labels[at])
        _judge(case, network, val, precision)
    _wait(case)


def tutorial(
    case: Case, data: TrainingData, files: Sequence[bytes], epochs: int, num_blocks: int = 0
) -> None:
    """A frozen trunk as in PyTorch's tutorials: JPEG files, albumentations, a DataLoader, the whole
    network run in each epoch, in float32, and once over the validation images.

    Args:
        num_blocks: the last ones that are thawed, beside the head.
    """
    network = case.network()
    frozen = freeze(network, "last_blocks" if num_blocks else "head", num_blocks)
    labels = torch.from_numpy(data.manifest.labels)
    count = len(data.manifest.rows("train"))
    how: dict[str, Any] = {
        "num_workers": case.machine().workers,
        "persistent_workers": case.machine().workers > 0,
        "pin_memory": case.device.type == "cuda",
    }
    varied = _Files(case, files[:count], labels[:count], [A.Affine(rotate=(-10, 10), p=1.0)])
    loader = DataLoader(varied, batch_size=case.batch_size, shuffle=True, **how)
    val = DataLoader(_Files(case, files[count:], labels[count:], []), batch_size=64, **how)
    optimizer = _sgd(case, network)
    for _ in range(epochs):
        frozen.train_mode(network)
        for batch, given in loader:
            moved = batch.to(case.device, non_blocking=True).permute(0, 3, 1, 2)
            _step(network(moved), optimizer, given.to(case.device))
        network.eval()
        with torch.no_grad():
            for batch, _ in val:
                network(batch.to(case.device, non_blocking=True).permute(0, 3, 1, 2))
    _wait(case)


def in_memory(case: Case, data: TrainingData, epochs: int, precision: str) -> None:
    """The same, well tuned: decoded images in memory, no gradient through the frozen trunk."""
    network = case.network()
    freeze(network, "head")
    labels = torch.from_numpy(data.labels).to(case.device)
    held, val = _inputs(case, data, data.indices), _validation(case, data)
    optimizer = _sgd(case, network[-1])
    network.eval()
    for epoch in range(epochs):
        for at in _shuffled(case, len(labels), epoch):
            with torch.inference_mode(), numerics(precision, case.device):
                features = network[:-1](held[at]).float()
            _step(network[-1](features.clone()), optimizer, labels[at])
        _judge(case, network, val, precision)
    _wait(case)


def partial(case: Case, data: TrainingData, epochs: int, precision: str) -> None:
    """The last blocks thawed, as one does it by hand: requires_grad off for the others, their batch
    norm in evaluation mode, decoded images in memory.
    """
    network = case.network()
    frozen = freeze(network, "last_blocks", case.thawed)
    labels = torch.from_numpy(data.labels).to(case.device)
    held, val = _inputs(case, data, data.indices), _validation(case, data)
    optimizer = _sgd(case, network)
    for epoch in range(epochs):
        frozen.train_mode(network)
        for at in _shuffled(case, len(labels), epoch):
            with numerics(precision, case.device):
                outputs = network(held[at])
            _step(outputs, optimizer, labels[at])
        _judge(case, network, val, precision)
    _wait(case)


class _Files(Dataset[Any]):
    def __init__(
        self, case: Case, files: Sequence[bytes], labels: torch.Tensor, policy: Sequence[Any]
    ) -> None:
        card = case.card()
        self._files, self._labels = files, labels
        self._compose = A.Compose([*policy, A.Normalize(card.mean, card.std)])

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, at: int) -> tuple[np.ndarray, torch.Tensor]:
        image = np.asarray(Image.open(io.BytesIO(self._files[at])).convert("RGB"))
        return self._compose(image=image)["image"], self._labels[at]


def _inputs(case: Case, data: TrainingData, rows: np.ndarray) -> torch.Tensor:
    card = case.card()
    return to_input(data.store.take(rows), mean=card.mean, std=card.std, device=case.device)


def _sgd(case: Case, network: nn.Module) -> torch.optim.Optimizer:
    chosen = [p for p in network.parameters() if p.requires_grad]
    fused = case.device.type == "cuda"
    return torch.optim.SGD(chosen, lr=0.01, momentum=0.9, nesterov=True, fused=fused)


def _validation(case: Case, data: TrainingData) -> torch.Tensor:
    return _inputs(case, data, data.manifest.rows("val"))


def _judge(case: Case, network: nn.Module, val: torch.Tensor, precision: str) -> None:
    network.eval()
    with torch.inference_mode(), numerics(precision, case.device):
        for batch in torch.split(val, 64):
            network(batch)


def _shuffled(case: Case, count: int, epoch: int) -> Sequence[torch.Tensor]:
    order = torch.from_numpy(np.random.default_rng(epoch).permutation(count))
    return torch.split(order.to(case.device), case.batch_size)


def _step(outputs: torch.Tensor, optimizer: torch.optim.Optimizer, labels: torch.Tensor) -> None:
    loss = functional.cross_entropy(outputs.float(), labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _wait(case: Case) -> None:
    if case.device.type == "cuda":
        torch.cuda.synchronize()
