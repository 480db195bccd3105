"""Read image folders as torchvision does by default, for the tools that are PyTorch underneath."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms as T
from torchvision.datasets import ImageFolder

from benchmarks.peers import in_torch
from benchmarks.peers.task import Task

BATCH = 32
_CENTRE = 224 / 256
"""Side of the middle over the side of the whole, as torchvision's recipe judges."""


def train_loader(task: Task) -> in_torch.Loader:
    """Shuffle the training files; light augmentation: random crops and mirroring."""
    views = [
        T.RandomResizedCrop(task.size_px, scale=(task.least_area, 1.0)), T.RandomHorizontalFlip()
    ]  # fmt: skip
    images = ImageFolder(str(task.folder / "train"), T.Compose([*views, *_to_input(task)]))
    return DataLoader(images, BATCH, shuffle=True, num_workers=0)


def test_loader(task: Task) -> in_torch.Loader:
    """Read the test files in the order of `task.files`; the middle of each."""
    whole = round(task.size_px / _CENTRE)
    views = [T.Resize(whole), T.CenterCrop(task.size_px)]
    images = ImageFolder(str(task.folder / "test"), T.Compose([*views, *_to_input(task)]))
    return DataLoader(images, 64, num_workers=0)


def whole_loader(task: Task, split: str) -> in_torch.Loader:
    """Read the files of a split in the order of `task.files`, each image stretched to the size."""
    views = [T.Resize((task.size_px, task.size_px)), *_to_input(task)]
    images = ImageFolder(str(task.folder / split), T.Compose(views))
    return DataLoader(images, 64, num_workers=0)


def predict(network: nn.Module, loader: in_torch.Loader) -> np.ndarray:
    """Name the class of each image, int64 (N,); the network trains on afterwards."""
    found = in_torch.predict(network, loader).numpy()
    network.train()
    return found


def _to_input(task: Task) -> list[nn.Module | T.ToTensor]:
    return [T.ToTensor(), T.Normalize(task.mean, task.std)]


def prepare(task: Task) -> None:
    """Seed PyTorch and give it the task's threads."""
    torch.set_num_threads(task.threads)
    torch.manual_seed(task.seed)
